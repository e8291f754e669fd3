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

    Keras' LSTM trains: cuDNN's kernel on a GPU, a loop over positions on a CPU. Elsewhere
    TensorFlow's fused operation gives the same states: it has kernels for both devices, so that a
    model exported on a machine with a GPU answers on one without, and costs a short batch on a CPU
    half of the loop's time.

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

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Encode the times.

        Args:
          inputs: `event_time_s` and `next_time_s`, int64 [batch, history], UTC epoch seconds.
          training: whether gradients are taken.

        Returns:
          States [batch, history, units] in the compute dtype.
        """
        features = time_features(inputs["event_time_s"], inputs["next_time_s"], self.season)
        if training:
            return self.lstm(tf.cast(features, self.compute_dtype))
        return tf.cast(_fused(self.lstm.cell, features), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "season": self.season}


def _fused(cell: keras.layers.LSTMCell, inputs: tf.Tensor) -> tf.Tensor:
    """States, float32 [batch, history, units], of an LSTM cell by one operation."""
    gates = tf.cast(tf.concat([cell.kernel, cell.recurrent_kernel], axis=0), tf.float32)
    rows = tf.shape(inputs)[0]
    nothing, no_peephole = tf.zeros([rows, cell.units]), tf.zeros([cell.units])
    # Not V2, which has Keras' order of gates: its gradient takes them in this one's, wrongly
    # (TensorFlow 2.21, python/ops/rnn_grad.py).
    states = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(tf.shape(inputs)[1], tf.int64),
        x=tf.transpose(inputs, [1, 0, 2]),
        cs_prev=nothing,
        h_prev=nothing,
        w=_input_cell_forget_output(gates),
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        b=_input_cell_forget_output(tf.cast(cell.bias, tf.float32)),
        forget_bias=0.0,
        # 0 is none; the operation's default cuts states at 3.
        cell_clip=0.0,
    ).h
    return tf.transpose(states, [1, 0, 2])


def _input_cell_forget_output(gates: tf.Tensor) -> tf.Tensor:
    """Columns in the operation's order of gates; Keras has input, forget, cell, output."""
    entry, forget, state, output = tf.split(gates, 4, axis=-1)
    return tf.concat([entry, state, forget, output], axis=-1)
