"""What the crowd adds to the scores: each query's weights on the trend of its own day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def crowd_sums(weight: tf.Tensor, trend: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """<weight of query p, trend of its day>, without a copy of the trend for every query.

    Queries are multiplied day by day. Gathering the trend first would hold K times as many numbers
    as there are scores, and cost more than all else of a step.

    Args:
      weight: float32 [P, K].
      trend: float32 [D, K, M].
      day: int32 [P], from 0 to D - 1.

    Returns:
      float32 [P, M].
    """
    return _sums(weight, trend, _Days(day, tf.shape(trend)[0]))


@tf.custom_gradient
def crowd_scores(weight: tf.Tensor, trend: tf.Tensor, day: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """`crowd_sums` that can be learnt from: no gradient flows to the trend."""
    days = _Days(day, tf.shape(trend)[0])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        of_weight = days.each(
            upstream, lambda rows, at: tf.matmul(rows, trend[at], transpose_b=True)
        )
        return tf.ensure_shape(of_weight, [None, weight.shape[1]]), None, None

    return _sums(weight, trend, days), gradient


def _sums(weight: tf.Tensor, trend: tf.Tensor, days: _Days) -> tf.Tensor:
    scores = days.each(weight, lambda rows, at: tf.matmul(rows, trend[at]))
    return tf.ensure_shape(scores, [None, trend.shape[2]])


class _Days:
    """Queries by their day."""

    def __init__(self, day: tf.Tensor, num_days: tf.Tensor) -> None:
        self._num_days = num_days
        self._order = tf.argsort(day, stable=True)
        self._back = tf.argsort(self._order, stable=True)
        # Not by tf.math.bincount, which has no deterministic form on GPUs.
        days = tf.range(num_days)
        self._ends = tf.searchsorted(tf.gather(day, self._order), days, side="right")
        self._starts = tf.concat([[0], self._ends[:-1]], axis=0)

    def each(
        self, rows: tf.Tensor, product: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        """What a product makes of the rows of each day, in the order of the queries."""
        rows = tf.gather(rows, self._order)

        def step(at: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            own = rows[self._starts[at] : self._ends[at]]
            return at + 1, parts.write(at, product(own, at))

        parts = tf.TensorArray(tf.float32, self._num_days, infer_shape=False)
        _, parts = tf.while_loop(lambda at, _: at < self._num_days, step, (0, parts))
        return tf.gather(parts.concat(), self._back)
