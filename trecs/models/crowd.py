"""What the crowd adds to the scores: each query's weights on the trend of its own day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


@tf.custom_gradient
def crowd_scores(weight: tf.Tensor, trend: tf.Tensor, day: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """<weight of query p, trend of its day>, without a copy of the trend for every query.

    Queries are multiplied day by day. Gathering the trend first would hold K times as many numbers
    as there are scores, and cost more than all else of a step.

    Args:
      weight: float32 [P, K].
      trend: float32 [D, K, M], no gradient flows to it.
      day: int32 [P], from 0 to D - 1.

    Returns:
      float32 [P, M].
    """
    num_days = tf.shape(trend)[0]
    order = tf.argsort(day, stable=True)
    back = tf.argsort(order, stable=True)
    # Not by tf.math.bincount, which has no deterministic form on GPUs.
    ends = tf.searchsorted(tf.gather(day, order), tf.range(num_days), side="right")
    starts = tf.concat([[0], ends[:-1]], axis=0)

    def by_day(rows: tf.Tensor, product: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """The product of each day's rows with its trend, in the order of the queries."""
        rows = tf.gather(rows, order)

        def step(at: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            return at + 1, parts.write(at, product(rows[starts[at] : ends[at]], trend[at]))

        parts = tf.TensorArray(tf.float32, num_days, infer_shape=False)
        _, parts = tf.while_loop(lambda at, _: at < num_days, step, (0, parts))
        return tf.gather(parts.concat(), back)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        of_weight = by_day(upstream, lambda rows, of_day: tf.matmul(rows, of_day, transpose_b=True))
        return tf.ensure_shape(of_weight, [None, weight.shape[1]]), None, None

    scores = by_day(weight, tf.matmul)
    return tf.ensure_shape(scores, [None, trend.shape[2]]), gradient
