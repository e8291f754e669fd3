"""The learning rate over the steps, and the optimizer with a rate of its own for the BERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from trecs.training.averaging import AveragingAdamW


def warmup_cosine(
    peak: float, warmup_steps: int, decay_steps: int, floor: float
) -> keras.optimizers.schedules.CosineDecay:
    """Linear warm-up from nothing, then cosine decay.

    Args:
      peak: the rate after the warm-up.
      warmup_steps: steps until then.
      decay_steps: steps from then on, at least 1 is taken.
      floor: share of the peak that is left at the end.
    """
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, decay_steps),
        alpha=floor,
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )


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
