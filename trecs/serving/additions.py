"""What scores have on top of the inner product of query and candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Pairs(NamedTuple):
    """Additions to single scores; those to the same score add up.

    Attributes:
      query: int32 [n].
      candidate: int32 [n].
      value: float32 [n].
    """

    query: tf.Tensor
    candidate: tf.Tensor
    value: tf.Tensor


class Additions(NamedTuple):
    """The neighbour terms, in the form that an index wants, and the repeat term.

    Both forms of the neighbour terms are the same numbers: a row of all candidates costs less where
    all are scored, the pairs that are not 0 where few are.

    Attributes:
      neighbours: gives float32 [B, N].
      neighbour_pairs: gives the fields of the same as `Pairs`, without its zeros.
      own: of items that the user has had; None where there is no repeat term.
    """

    neighbours: Callable[[], tf.Tensor]
    neighbour_pairs: Callable[[], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    own: Pairs | None


def joined(parts: list[Pairs], num_candidates: int) -> Pairs:
    """Every query and candidate once, with the sum of its values."""
    width = tf.cast(num_candidates, tf.int64)
    place = [tf.cast(p.query, tf.int64) * width + tf.cast(p.candidate, tf.int64) for p in parts]
    pair, of = tf.unique(tf.concat(place, axis=0))
    value = tf.math.unsorted_segment_sum(
        tf.concat([p.value for p in parts], axis=0), of, tf.size(pair)
    )
    return Pairs(tf.cast(pair // width, tf.int32), tf.cast(pair % width, tf.int32), value)
