"""The one formula by which queries and items are scored."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trecs.models.crowd import crowd_scores, crowd_sums


def score(
    query: tf.Tensor,
    trend_weight: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    trend: tf.Tensor,
    day: tf.Tensor,
    bfloat16: bool = False,
    learns: bool = True,
) -> tf.Tensor:
    """<query, c> + <trend weight, trend> + b.

    Args:
      query: [P, D].
      trend_weight: [P, K].
      vectors, bias: [M, D] and [M].
      trend: float32 [D, K, M], the trend of each candidate as of each of D days.
      day: int32 [P], which of these is the query's.
      bfloat16: whether <query, c> is computed in bfloat16.
      learns: whether gradients will be asked for. TensorFlow keeps a custom gradient, and with it
        the graph and all that this reads, to the end of the process.

    Returns:
      float32 [P, M].
    """
    product = _bfloat16_product if bfloat16 else _product
    match = tf.cast(product(query, vectors), tf.float32)
    crowd = (crowd_scores if learns else crowd_sums)(tf.cast(trend_weight, tf.float32), trend, day)
    return match + crowd + tf.cast(bias, tf.float32)


def _product(query: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    return tf.matmul(query, vectors, transpose_b=True)


@tf.custom_gradient
def _bfloat16_product(query: tf.Tensor, vectors: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """<query, c> in bfloat16, float32 [P, M].

    The gradient of the vectors sums over the batch, in float32: rounded to bfloat16, the sums of
    replicas would not add up to that of one device.
    """
    query, vectors = tf.cast(query, tf.bfloat16), tf.cast(vectors, tf.bfloat16)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        upstream = tf.cast(upstream, tf.bfloat16)
        of_vectors = tf.matmul(
            tf.cast(upstream, tf.float32), tf.cast(query, tf.float32), transpose_a=True
        )
        return tf.cast(tf.matmul(upstream, vectors), tf.float32), of_vectors

    return tf.cast(_product(query, vectors), tf.float32), gradient
