"""The running average of the weights, which is what validates, serves and is kept.

The weights of single epochs of a small log differ by more in validation than two epochs of learning
do; their average is steadier and better (Polyak and Juditsky 1992; Izmailov et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from trecs.training.adamw import FusedAdamW


class AveragingAdamW(FusedAdamW):
    """AdamW that keeps an exponential moving average of the float32 weights beside them.

    Args:
      learning_rate, weight_decay: as of AdamW.
      horizon: steps over which the average reaches back, 1 at least.
    """

    def __init__(self, learning_rate: Any, weight_decay: float, horizon: float) -> None:
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            use_ema=True,
            ema_momentum=1 - 1 / max(horizon, 1.0),
        )

    def _update_model_variables_moving_average(self, variables: list[keras.Variable]) -> None:
        # Keras' own sum takes a weight without rows, such as that of absent texts, for a bias.
        share = 1 - self.ema_momentum * tf.cast(self.iterations.value > 0, tf.float32)
        for variable, average in zip(variables, self.averages, strict=True):
            average.value.assign_add(share * (variable.value - average.value))

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """Nothing: Keras would go on from the average after each `fit`, one an epoch."""

    @property
    def averages(self) -> list[keras.Variable]:
        """The averages, in the order of the trainable variables that it was built with."""
        return list(self._model_variables_moving_average)


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let the model have the averages for its trainable weights inside the block."""
    held = [(w, tf.identity(w.value)) for w in model.trainable_variables]
    for (weight, _), average in zip(held, model.optimizer.averages, strict=True):
        weight.assign(average.value)
    try:
        yield
    finally:
        for weight, value in held:
            weight.assign(value)
