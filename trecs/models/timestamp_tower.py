"""Timestamp tower: an LSTM over the time features of a history."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from trecs.features.time import NUM_TIME_FEATURES, time_features


@keras.saving.register_keras_serializable("trecs")
class TimestampTower(keras.layers.Layer):
    """What the user's clock is doing, at every event.

    The state at a position has read the times of all events up to it and the time of the next one
    (or of the request), never more. Padding on the right cannot reach a valid state, so there is no
    mask and cuDNN's kernel stays usable.

    Args:
      units: width of the LSTM states.
      season: whether the time of the year is a feature.
    """

    def __init__(self, units: int, season: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.season = season
        self.lstm = keras.layers.LSTM(units, return_sequences=True, dtype=self.dtype_policy)

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights; `input_shape` as the inputs of `call`."""
        self.lstm.build((*input_shape["event_time_s"], NUM_TIME_FEATURES))
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Encode the times.

        Args:
          inputs: `event_time_s` and `next_time_s`, int64 [batch, history], UTC epoch seconds.

        Returns:
          States [batch, history, units] in the compute dtype.
        """
        features = time_features(inputs["event_time_s"], inputs["next_time_s"], self.season)
        return self.lstm(tf.cast(features, self.compute_dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "season": self.season}
