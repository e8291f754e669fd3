"""What samples of item factors say of a rating: the user is found from the ratings read so far.

Given a sample, the mean of a user's factors is a ridge regression of the ratings on the factors of
the items. The estimate is what it predicts, averaged over the samples. It needs no table of users,
so a rating counts from the moment that it comes, of a new user too.

`trecs.training.factor_sampling` makes the samples; its head says the model and the sources.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.models.ranking_data import ratings_counted

NUM_SAMPLES = 16
NUM_FACTORS = 17
"""The last stands for the user's bias."""
UNKNOWN_FACTOR_ROW = 0
"""Factors of an item without any: the mean of the others, and no link."""


class FactorSamples(NamedTuple):
    """S samples of the W factors of N items.

    Attributes:
      loading: float32 [S, N, W], the last column 1.
      bias: float32 [S, N], of the item.
      link: float32 [S, N, W], what having had the item says of the user's factors.
      mean: float32 [S, W], of users' factors.
      ridge: float32 [S, W, W], precision of users' factors over that of a rating.
    """

    loading: NDArray[np.float32]
    bias: NDArray[np.float32]
    link: NDArray[np.float32]
    mean: NDArray[np.float32]
    ridge: NDArray[np.float32]


def no_samples(num_items: int) -> FactorSamples:
    """Samples by which every estimate is 0, the mean rating."""
    by_item = NUM_SAMPLES, num_items, NUM_FACTORS
    return FactorSamples(
        np.zeros(by_item, np.float32),
        np.zeros(by_item[:2], np.float32),
        np.zeros(by_item, np.float32),
        np.zeros((NUM_SAMPLES, NUM_FACTORS), np.float32),
        np.tile(np.eye(NUM_FACTORS, dtype=np.float32), (NUM_SAMPLES, 1, 1)),
    )


def ratings_since(
    offset: tf.Tensor, count: tf.Tensor, fitted_offset: tf.Tensor, fitted: tf.Tensor
) -> tf.Tensor:
    """What an item's ratings since the factors were fitted add to its bias.

    By how much they moved its offset; for an item that the factors do not know, its offset. 0 where
    there are no more ratings than the factors had, as in training.

    Args:
      offset, count: `candidate_offset` and `candidate_count`, as of the request.
      fitted_offset, fitted: the same of the ratings that the factors had; `fitted` is 0 for none.
    """
    more = ratings_counted(count) > ratings_counted(fitted) + 0.5
    return tf.where(more, offset - tf.where(fitted > 0, fitted_offset, 0.0), 0.0)


def estimate_ratings(
    samples: FactorSamples,
    history_row: tf.Tensor,
    rating: tf.Tensor,
    readable: tf.Tensor,
    candidate_row: tf.Tensor,
) -> tf.Tensor:
    """Estimates for candidates that all read the same history, float32 [B, C].

    An item that was had several times says once that it was had, as in the samples' making.

    Args:
      samples: of tensors.
      history_row: int32 [B, L], factor rows of the user's events.
      rating: float32 [B, L], standardised; NaN where not known.
      readable: bool [B, L], which events may be read.
      candidate_row: int32 [B, C], factor rows.
    """
    had_row = tf.sort(tf.where(readable, history_row, UNKNOWN_FACTOR_ROW), axis=1)
    before = tf.pad(had_row[:, :-1], [[0, 0], [1, 0]], constant_values=UNKNOWN_FACTOR_ROW)
    first = tf.cast(had_row != before, tf.float32)
    rated = tf.cast(readable & tf.math.is_finite(rating), tf.float32)
    known = tf.where(rated > 0, rating, 0.0)
    scale = tf.math.rsqrt(tf.maximum(tf.reduce_sum(first, axis=1, keepdims=True), 1.0))
    num_samples, num_items, width = samples.loading.shape
    loadings, links = (tf.reshape(t, [-1, width]) for t in (samples.loading, samples.link))
    biases = tf.reshape(samples.bias, [-1])

    def estimate(number: tf.Tensor) -> tf.Tensor:
        history, candidate = (row + number * num_items for row in (history_row, candidate_row))
        loading = tf.gather(loadings, history)  # [B, L, W]
        weighted = loading * rated[..., None]
        gram = tf.matmul(weighted, loading, transpose_a=True)
        link = tf.gather(links, had_row + number * num_items)
        had = tf.einsum("bl,blw->bw", first, link)
        ridge = samples.ridge[number]
        right = tf.linalg.matvec(ridge, samples.mean[number] + had * scale)
        right += tf.einsum("blw,bl->bw", weighted, known - tf.gather(biases, history))
        user = tf.linalg.solve(ridge + gram, right[..., None])
        product = tf.matmul(tf.gather(loadings, candidate), user)[..., 0]
        return product + tf.gather(biases, candidate)

    # A few at a time: all together need gigabytes for a request of many rows.
    found = tf.map_fn(
        estimate, tf.range(num_samples), fn_output_signature=tf.float32, parallel_iterations=4
    )
    return tf.reduce_mean(found, axis=0)
