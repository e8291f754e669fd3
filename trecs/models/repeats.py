"""The repeat term: what it adds to an item's score that the user has had the item before."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from trecs.features.spec import SECONDS_PER_DAY

NUM_REPEAT_FEATURES = 9
_LOG_CLIP = 4.0


class OwnItems(NamedTuple):
    """Items that users have had before their requests, one entry a query and item: tensors [n].

    Attributes:
      query: int32, the query that the entry belongs to.
      row: int32, item row.
      count: int32, how often the user has had the item, from 1.
      since_s: int64, seconds from the newest of these times to the request.
      interval_s: float32, mean seconds between these times; 0 for a count of 1.
      events_since: int32, the user's events after the newest of these times.
    """

    query: tf.Tensor
    row: tf.Tensor
    count: tf.Tensor
    since_s: tf.Tensor
    interval_s: tf.Tensor
    events_since: tf.Tensor


def own_items_spec() -> OwnItems:
    """Types of the entries, any number of them."""
    kinds = (tf.int32, tf.int32, tf.int32, tf.int64, tf.float32, tf.int32)
    return OwnItems(*(tf.TensorSpec([None], kind) for kind in kinds))


def repeat_features(own: OwnItems) -> tf.Tensor:
    """What is known of a repeat, float32 [n, 9].

    Columns: 1; log(1 + count); log(1 + days since); log(1 + events since); whether the count is 1;
    how far the item is due, log(days since + 1/2) - log(interval in days + 1/2), and its size (0
    for a count of 1); the time of the day's nearness to that of the last time, from -1 to 1;
    exp(-days since).
    """
    day = float(SECONDS_PER_DAY)
    days = tf.cast(tf.maximum(own.since_s, 0), tf.float32) / day
    once = tf.cast(own.count <= 1, tf.float32)
    due = tf.math.log(days + 0.5) - tf.math.log(own.interval_s / day + 0.5)
    due = tf.clip_by_value(due, -_LOG_CLIP, _LOG_CLIP) * (1 - once)
    turn = tf.cast(tf.math.floormod(own.since_s, SECONDS_PER_DAY), tf.float32) / day
    columns = [
        tf.ones_like(days),
        tf.math.log1p(tf.cast(own.count, tf.float32)),
        tf.math.log1p(days),
        tf.math.log1p(tf.cast(tf.maximum(own.events_since, 0), tf.float32)),
        once,
        due,
        tf.abs(due),
        tf.cos(2 * math.pi * turn),
        tf.exp(-days),
    ]
    return tf.stack(columns, axis=-1)


@keras.saving.register_keras_serializable("trecs")
class RepeatTerm(keras.layers.Layer):
    """<weight(query), features> + mlp(features) + propensity(item).

    The query's own weights say for whom and when repeats matter, the small network how count and
    recency act together, and the propensity, linear in the item's vector, which items are taken
    again (counts beat deep models here: https://arxiv.org/abs/2006.00556).

    Args:
      embedding_dim: D, width of the item vectors.
      hidden_dim: width of the network.
    """

    def __init__(self, embedding_dim: int, hidden_dim: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        dtype = self.dtype_policy
        self.hidden = keras.layers.Dense(hidden_dim, activation="gelu", dtype=dtype)
        self.output_weight = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="zeros", dtype=dtype
        )
        self.propensity_weight = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="zeros", dtype=dtype
        )

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights; `input_shape` as the inputs of `call`."""
        features = input_shape["features"]
        self.hidden.build(features)
        self.output_weight.build((*features[:-1], self.hidden_dim))
        self.propensity_weight.build(input_shape["vectors"])
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Score repeats.

        Args:
          inputs: `features` [n, 9], `weight` [n, 9] of the entries' queries, `vectors` [M, D] of
            items and `item` int32 [n], each entry's place among them.

        Returns:
          [n], in the compute dtype.
        """
        features = tf.cast(inputs["features"], self.compute_dtype)
        linear = tf.reduce_sum(features * inputs["weight"], axis=-1)
        bend = self.output_weight(self.hidden(features))[..., 0]
        propensity = self.propensity_weight(inputs["vectors"])[..., 0]
        return linear + bend + tf.gather(propensity, inputs["item"])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "hidden_dim": self.hidden_dim,
        }
