"""The learning rate over the steps, and the optimizer with a rate of its own for the BERT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from trecs.training.averaging import AveragingAdamW


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from nothing, then cosine decay.

    The rates of `keras.optimizers.schedules.CosineDecay`, without its branch.

    Args:
      peak: the rate after the warm-up.
      warmup_steps: steps until then.
      decay_steps: steps from then on, at least 1 is taken.
      floor: share of the peak that is left at the end.
    """

    def __init__(self, peak: float, warmup_steps: int, decay_steps: int, floor: float) -> None:
        super().__init__()
        self._config = {
            "peak": peak,
            "warmup_steps": warmup_steps,
            "decay_steps": decay_steps,
            "floor": floor,
        }

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate of a step, float32 scalar; steps count from 0."""
        peak, warmup_steps, decay_steps, floor = self._config.values()
        step = tf.cast(step, tf.float32)
        rising = peak * step / max(1, warmup_steps)
        share = tf.clip_by_value((step - warmup_steps) / max(1, decay_steps), 0.0, 1.0)
        falling = peak * ((1.0 - floor) * 0.5 * (1.0 + tf.cos(math.pi * share)) + floor)
        return tf.where(step < warmup_steps, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return dict(self._config)


class RatedAdamW(AveragingAdamW):
    """AdamW in which some variables learn at a share of the learning rate.

    Pretrained weights want a rate far below that of new ones. Scaling their gradients would not do:
    Adam divides by the gradients' size.
    """

    def set_share(self, variables: Sequence[keras.Variable], share: float) -> None:
        """Let these variables learn at `share` times the learning rate."""
        self._rated = {self._var_key(variable) for variable in variables}
        self._share = share

    def update_step(self, gradient: Any, variable: tf.Variable, learning_rate: Any) -> None:
        """One variable's step, as AdamW's."""
        if self._var_key(variable) in getattr(self, "_rated", ()):
            learning_rate = {**learning_rate, "lr": learning_rate["lr"] * self._share}
        super().update_step(gradient, variable, learning_rate)
