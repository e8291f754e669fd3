"""The pretraining loop: Keras `fit` an epoch at a time, checkpoints, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from trecs.settings import PretrainingConfig
from trecs.text.pretraining_model import PretrainingModel
from trecs.training.adamw import FusedAdamW
from trecs.training.checkpoint import Checkpoints, Progress
from trecs.training.pretraining_batches import PretrainingPlan, pretraining_dataset
from trecs.training.rates import WarmupCosine


class _Saver(keras.callbacks.Callback):
    """Counts the steps and keeps a checkpoint every so many of them."""

    def __init__(self, progress: Progress, checkpoints: Checkpoints, every: int) -> None:
        super().__init__()
        self._progress = progress
        self._checkpoints = checkpoints
        self._every = every

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.step.assign_add(1)
        if int(self._progress.step.numpy()) % self._every == 0:
            self._checkpoints.save()


def fit_pretraining(
    model: PretrainingModel,
    plan: PretrainingPlan,
    directory: Path,
    steps: int,
    checkpoint_steps: int,
    verbose: int = 1,
) -> None:
    """Train until `steps` steps are done in all, under the current strategy.

    What was killed continues from its newest checkpoint in `directory`, with the weights, optimizer
    state, random state and masks it would have had.

    Args:
      model: compiled.
      plan: the batches; as many epochs of them as the steps need.
      directory: of the checkpoints.
      steps: optimiser steps in all.
      checkpoint_steps: steps between checkpoints; the end is one too.
      verbose: Keras' progress bar: 0 none, 1 a bar, 2 a line an epoch.
    """
    progress = Progress()
    checkpoints = Checkpoints(directory, model, progress)
    checkpoints.restore()
    saver = _Saver(progress, checkpoints, checkpoint_steps)
    while (done := int(progress.step.numpy())) < steps:
        # In pretraining `step` counts all steps, and the epoch follows from it.
        epoch, skip = divmod(done, plan.num_batches)
        model.fit(
            pretraining_dataset(plan, epoch, skip),
            steps_per_epoch=min(plan.num_batches - skip, steps - done),
            epochs=epoch + 1,
            initial_epoch=epoch,
            callbacks=[saver],
            shuffle=False,
            verbose=verbose,
        )
    checkpoints.save()


def pretraining_optimizer(settings: PretrainingConfig) -> keras.Optimizer:
    """AdamW with linear warm-up and cosine decay to a tenth."""
    decay_steps = settings.steps - settings.warmup_steps
    schedule = WarmupCosine(settings.learning_rate, settings.warmup_steps, decay_steps, 0.1)
    optimizer = FusedAdamW(schedule, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
