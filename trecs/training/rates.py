"""The learning rate over the steps, and the optimizer with a rate of its own for the BERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trecs.training.averaging import AveragingAdamW


class WarmupCosine(keras.optimizers.schedules.CosineDecay):
    """Linear warm-up from nothing, then cosine decay: Keras' schedule without its branch.

    Keras' `cond` is built again for every variable that decays, which was a quarter of the time
    until the first step.

    Args:
      peak: the rate after the warm-up.
      warmup_steps: steps until then.
      decay_steps: steps from then on, 1 at least.
      floor: share of the peak that is left at the end.
    """

    def __init__(self, peak: float, warmup_steps: int, decay_steps: int, floor: float) -> None:
        super().__init__(
            0.0, max(1, decay_steps), floor, warmup_target=peak, warmup_steps=warmup_steps
        )

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate at a step, float32 []."""
        step = tf.cast(step, tf.float32)
        warm = self.warmup_target * step / max(1, self.warmup_steps)
        done = tf.minimum((step - self.warmup_steps) / self.decay_steps, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(np.pi * done))
        cold = self.warmup_target * ((1 - self.alpha) * cosine + self.alpha)
        return tf.where(step < self.warmup_steps, warm, cold)


class RatedAdamW(AveragingAdamW):
    """AdamW in which some variables learn at a share of the learning rate.

    Pretrained weights want a rate far below that of new ones. Scaling their gradients would not do:
    Adam divides by the gradients' size.
    """

    def set_share(self, variables: Sequence[keras.Variable], share: float) -> None:
        """Let these variables learn at `share` times the learning rate."""
        self._rated = {self._var_key(variable) for variable in variables}
        self._share = share

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        """One variable's step, as AdamW's."""
        if self._var_key(variable) in getattr(self, "_rated", ()):
            learning_rate = learning_rate * self._share
        super().update_step(gradient, variable, learning_rate)
