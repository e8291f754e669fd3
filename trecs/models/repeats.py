"""The repeat term: what it adds to an item's score that the user has had the item before."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.items import NEW_ID
from trecs.features.repeats import (
    DECAY_DAYS,
    DECAY_EVENTS,
    HOUR_DAYS,
    HOUR_WEIGHTS,
    NUM_HABITS,
    NUM_SUMS,
)
from trecs.features.spec import SECONDS_PER_DAY

NUM_REPEAT_FEATURES = 20
_LOG_CLIP = 4.0
_LEAST = 0.01
# Intervals of the item's average that count beside the user's own.
_PRIOR_INTERVALS = 2.0
# The plain sum that fades as those with the time of the day do.
_HOUR_SUM = DECAY_DAYS.index(HOUR_DAYS)


class OwnItems(NamedTuple):
    """Items that users have had before their requests, one entry a query and item: tensors [n].

    Attributes:
      query: int32, the query that the entry belongs to.
      row: int32, item row.
      count: int32, how often the user has had the item, from 1.
      since_s: int64, seconds from the newest of these times to the request.
      interval_s: float32, mean seconds between these times; 0 for a count of 1.
      sums: float32 [n, NUM_SUMS], `trecs.features.repeats.Occurrences.sums` of the newest.
      events_since: int32, the user's events after the newest of these times.
    """

    query: tf.Tensor
    row: tf.Tensor
    count: tf.Tensor
    since_s: tf.Tensor
    interval_s: tf.Tensor
    sums: tf.Tensor
    events_since: tf.Tensor


def own_items_spec() -> OwnItems:
    """Types of the entries, any number of them."""

    def many(kind: tf.DType, *shape: int) -> tf.TensorSpec:
        return tf.TensorSpec([None, *shape], kind)

    return OwnItems(
        query=many(tf.int32),
        row=many(tf.int32),
        count=many(tf.int32),
        since_s=many(tf.int64),
        interval_s=many(tf.float32),
        sums=many(tf.float32, NUM_SUMS),
        events_since=many(tf.int32),
    )


def repeat_features(own: OwnItems, habits: tf.Tensor) -> tf.Tensor:
    """What is known of a repeat, float32 [n, 20].

    Columns: 1; log(1 + count); log(1 + days since); log(1 + events since); whether the count is 1;
    how far the item is due, log(days since + 1/2) - log(interval in days + 1/2), and its size (0
    for a count of 1); the time of the day's nearness to that of the last time, from -1 to 1;
    exp(-days since). Then logarithms of 1/100 and the number of occurrences, each fading with its
    age at the request: in 14, 60 and 365 days, in 50 and 400 events, and in 60 days times the
    nearness of its time of the day to the request's. Then how far it is due by the interval of the
    item, of all who had it; by a mean of this one, counted twice, and the user's own, and its size;
    and the other two of the item's habits.

    Args:
      own: n entries.
      habits: float32 [n, NUM_HABITS], `trecs.features.repeats.item_habits` of their items.
    """
    day = float(SECONDS_PER_DAY)
    days = tf.cast(tf.maximum(own.since_s, 0), tf.float32) / day
    once = tf.cast(own.count <= 1, tf.float32)
    elapsed, own_interval = tf.math.log(days + 0.5), tf.math.log(own.interval_s / day + 0.5)
    item_interval, item_odds, item_taken = tf.unstack(habits, num=NUM_HABITS, axis=-1)
    num_intervals = tf.cast(own.count - 1, tf.float32)
    interval = _PRIOR_INTERVALS * item_interval + num_intervals * own_interval
    interval /= _PRIOR_INTERVALS + num_intervals
    due = _due(elapsed, own_interval) * (1 - once)
    expected = _due(elapsed, interval)
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
        *(tf.math.log(_LEAST + tf.maximum(faded, 0)) for faded in _faded(own, days, turn)),
        _due(elapsed, item_interval),
        expected,
        tf.abs(expected),
        item_odds,
        item_taken,
    ]
    return tf.stack(columns, axis=-1)


def _due(elapsed: tf.Tensor, interval: tf.Tensor) -> tf.Tensor:
    """How far an interval has passed, both as logarithms, within -4 and 4."""
    return tf.clip_by_value(elapsed - interval, -_LOG_CLIP, _LOG_CLIP)


def fading_terms(gap_s: tf.Tensor, events: tf.Tensor) -> tf.Tensor:
    """What occurrences add to the sums of the newest one of their item, float32 [n, NUM_SUMS].

    Args:
      gap_s: int64 [n], seconds from each to the newest.
      events: int32 [n], the user's events from each to the newest.
    """
    day = float(SECONDS_PER_DAY)
    days, distance = tf.cast(gap_s, tf.float32) / day, tf.cast(events, tf.float32)
    turn = tf.cast(tf.math.floormod(gap_s, SECONDS_PER_DAY), tf.float32) / day
    angles = [2 * math.pi * k * turn for k in range(1, len(HOUR_WEIGHTS))]
    fade = tf.exp(-days / HOUR_DAYS)
    columns = _fading(days, distance)
    columns += [fade * tf.cos(angle) for angle in angles]
    columns += [fade * tf.sin(angle) for angle in angles]
    return tf.stack(columns, axis=-1)


def _fading(days: tf.Tensor, events: tf.Tensor) -> list[tf.Tensor]:
    """What is left after so many days, and after so many events, each float32 [n]."""
    by_days = [tf.exp(-days / scale) for scale in DECAY_DAYS]
    return by_days + [tf.exp(-events / scale) for scale in DECAY_EVENTS]


def _faded(own: OwnItems, days: tf.Tensor, turn: tf.Tensor) -> list[tf.Tensor]:
    """The sums of `own` faded on to the request, each float32 [n]."""
    num_plain, num_hours = len(DECAY_DAYS) + len(DECAY_EVENTS), len(HOUR_WEIGHTS) - 1
    sums = tf.unstack(own.sums, num=NUM_SUMS, axis=-1)
    events = tf.cast(tf.maximum(own.events_since, 0), tf.float32)
    fade = _fading(days, events)
    found = [total * f for total, f in zip(sums[:num_plain], fade, strict=True)]
    # cos(k (d + s)) of each occurrence, d before the newest one, s that one's age.
    total = HOUR_WEIGHTS[0] * sums[_HOUR_SUM]
    hours = zip(sums[num_plain:-num_hours], sums[-num_hours:], strict=True)
    for k, (cosine, sine) in enumerate(hours, start=1):
        angle = 2 * math.pi * k * turn
        total += HOUR_WEIGHTS[k] * (cosine * tf.cos(angle) - sine * tf.sin(angle))
    return [*found, total * fade[_HOUR_SUM]]


@keras.saving.register_keras_serializable("trecs")
class RepeatTerm(keras.layers.Layer):
    """<weight(query), features> + mlp(features) + propensity(item).

    The query's own weights say for whom and when repeats matter, the small network how count and
    recency act together, and the propensity, linear in the item's vector, which items are taken
    again (counts beat deep models here: https://arxiv.org/abs/2006.00556).

    It keeps what the training events say of each item's repeats, which `set_habits` gives it.

    Args:
      embedding_dim: D, width of the item vectors.
      num_ids: rows of the id embedding, row 0 (any new item) included.
      hidden_dim: width of the network.
    """

    def __init__(
        self, embedding_dim: int, num_ids: int, hidden_dim: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embedding_dim = embedding_dim
        self.num_ids = num_ids
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
        self.habits = self.add_weight(
            shape=(self.num_ids, NUM_HABITS),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="habits",
        )
        self.built = True

    def set_habits(self, habits: NDArray[np.float32]) -> None:
        """Keep the habits of the training items, float32 [num_ids, NUM_HABITS] by item row."""
        self.habits.assign(habits)

    def item_habits(self, row: tf.Tensor) -> tf.Tensor:
        """Habits of item rows (int32 [n]), float32 [n, NUM_HABITS]; new items share row 0.

        An item that trained has the same row here, in the id embedding and in the item table.
        """
        return tf.gather(self.habits.value, tf.where(row < self.num_ids, row, NEW_ID))

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Score repeats.

        Args:
          inputs: `features` [n, 20], `weight` [n, 20] of the entries' queries, `vectors` [M, D] of
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
            "num_ids": self.num_ids,
            "hidden_dim": self.hidden_dim,
        }
