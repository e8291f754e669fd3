"""A score taken apart: what the match, the crowd, the counts and the bias each add."""

from __future__ import annotations

import tensorflow as tf

from trecs.features.trend import WINDOWS_DAYS
from trecs.serving.additions import Pairs

_TREND_PARTS = (
    *(f"taken in the last {days} day{'s' * (days > 1)}" for days in WINDOWS_DAYS),
    "taken ever",
    "age",
    "not seen yet",
)
PARTS = ("match", *_TREND_PARTS, "bias", "transitions", "ease", "repeats")
"""Names of the parts, in order: the match of query and item, the trend by its features, the item's
bias, the neighbour terms, and that the user has had the item before."""


def score_parts(
    query: tf.Tensor,
    items: tf.Tensor,
    candidate: tf.Tensor,
    transitions: tf.Tensor,
    ease: tf.Tensor,
    own: Pairs | None,
) -> tf.Tensor:
    """The parts of scores, which add up to them.

    Args:
      query: float32 [B, D + K + 1], see `trecs.serving.index.CandidateIndex`.
      items: float32 [B, C, D + K + 1], the embeddings of the items asked for.
      candidate: int32 [B, C], their numbers; negative where an item is not known.
      transitions, ease: float32 [B, N], with their weights.
      own: as of `trecs.serving.additions.Additions`.

    Returns:
      float32 [B, C, P], by the names `PARTS`.
    """
    product = query[:, None] * items
    width = product.shape[2] - len(_TREND_PARTS) - 1
    match = tf.reduce_sum(product[..., :width], axis=2, keepdims=True)
    known = candidate >= 0
    place = tf.maximum(candidate, 0)
    counts = [
        tf.where(known, tf.gather(term, place, batch_dims=1), 0) for term in (transitions, ease)
    ]
    repeats = tf.zeros_like(counts[0])
    if own is not None:
        where = tf.stack([own.query, own.candidate], axis=1)
        had = tf.scatter_nd(where, own.value, tf.shape(transitions))
        repeats = tf.where(known, tf.gather(had, place, batch_dims=1), 0)
    return tf.concat([match, product[..., width:], tf.stack([*counts, repeats], axis=2)], axis=2)
