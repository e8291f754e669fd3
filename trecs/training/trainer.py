"""The training loop: Keras `fit` over epochs of batches, early stopping, resume."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.batches import EventRows, training_batches
from trecs.features.spec import TRAINING_FEATURES
from trecs.models.retrieval import RetrievalModel
from trecs.training.checkpoint import Checkpoints, Progress

VALIDATION_METRIC = "val_ndcg@10"


@dataclass(frozen=True)
class BatchPlan:
    """What an epoch of training batches is made of; see `trecs.features.batches.training_batches`.

    Attributes:
      events: the training events.
      strict: tie rule.
      history_len: longest window.
      batch_events: targets of a step over all replicas.
      seed: of the batch order.
      num_replicas: rows of a batch divide by it.
    """

    events: EventRows
    strict: bool
    history_len: int
    batch_events: int
    seed: int
    num_replicas: int = 1

    @property
    def num_batches(self) -> int:
        """Batches of the first epoch; later ones differ by the cutting of long histories."""
        return sum(1 for _ in self.batches(0))

    def batches(self, epoch: int, skip: int = 0) -> Iterator[dict[str, NDArray[np.generic]]]:
        """The batches of an epoch, from number `skip` on."""
        return training_batches(
            self.events,
            strict=self.strict,
            history_len=self.history_len,
            batch_events=self.batch_events,
            seed=self.seed,
            epoch=epoch,
            row_multiple=self.num_replicas,
            skip=skip,
        )


@dataclass(frozen=True)
class StoppingRule:
    """When training ends: after `epochs`, or `patience` epochs without a better validation score."""

    epochs: int
    patience: int


class _Position:
    """The epoch and batch that the input pipeline starts from; set before Keras asks for data."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self.epoch = 0
        self.skip = 0

    def __call__(self) -> Iterator[dict[str, NDArray[np.generic]]]:
        return self._plan.batches(self.epoch, self.skip)


class _Keeper(keras.callbacks.Callback):
    """Validates each epoch, keeps checkpoints and the learning curve, and stops in time."""

    def __init__(
        self,
        position: _Position,
        progress: Progress,
        checkpoints: Checkpoints,
        validate: Callable[[], float],
        rule: StoppingRule,
        checkpoint_steps: int,
        curve: Path,
    ) -> None:
        super().__init__()
        self._position = position
        self._progress = progress
        self._checkpoints = checkpoints
        self._validate = validate
        self._rule = rule
        self._checkpoint_steps = checkpoint_steps
        self._curve = curve
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._position.epoch = epoch
        self._position.skip = int(self._progress.step)
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.step.assign_add(1)
        if int(self._progress.step) % self._checkpoint_steps == 0:
            self._checkpoints.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds = time.monotonic() - self._began
        score = self._validate()
        logs = {} if logs is None else logs
        logs[VALIDATION_METRIC] = score
        logs["train_seconds"] = seconds
        progress = self._progress
        if score > float(progress.best):
            progress.best.assign(score)
            progress.wait.assign(0)
            self._checkpoints.save_best()
        else:
            progress.wait.assign_add(1)
        progress.epoch.assign(epoch + 1)
        progress.step.assign(0)
        _append_row(self._curve, {"epoch": epoch + 1, **{k: float(v) for k, v in logs.items()}})
        stop = int(progress.wait) >= self._rule.patience or epoch + 1 >= self._rule.epochs
        progress.finished.assign(stop)
        self._checkpoints.save()
        self.model.stop_training = stop


def fit(
    model: RetrievalModel,
    plan: BatchPlan,
    rule: StoppingRule,
    validate: Callable[[], float],
    directory: Path,
    *,
    checkpoint_steps: int = 500,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> list[dict[str, float]]:
    """Train until the rule says stop, and leave the best weights in the model.

    A run that was killed continues from its newest checkpoint in `directory`, with the weights,
    optimizer state, random state and data position it had; a finished one is not trained again.

    Args:
      model: built, compiled, with its data set.
      plan: the batches.
      rule: when to stop.
      validate: scores the model as it is, higher is better; called after each epoch.
      directory: checkpoints and the learning curve go here.
      checkpoint_steps: steps between checkpoints inside an epoch.
      callbacks: further Keras callbacks; their logs hold `loss` and `val_ndcg@10`.
      verbose: Keras' progress bar: 0 none, 1 a bar, 2 a line an epoch.

    Returns:
      The learning curve, a row an epoch: epoch, loss, val_ndcg@10, train_seconds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    curve = directory / "history.csv"
    progress = Progress()
    checkpoints = Checkpoints(directory / "checkpoints", model, progress)
    if not checkpoints.restore():
        curve.unlink(missing_ok=True)
    _drop_rows_after(curve, int(progress.epoch))
    if not bool(progress.finished):
        position = _Position(plan)
        keeper = _Keeper(
            position, progress, checkpoints, validate, rule, checkpoint_steps, curve
        )
        model.fit(
            input_dataset(position),
            epochs=rule.epochs,
            initial_epoch=int(progress.epoch),
            callbacks=[keeper, *callbacks],
            verbose=verbose,
        )
    checkpoints.restore_best()
    return read_curve(curve)


def input_dataset(
    batches: Callable[[], Iterator[dict[str, NDArray[np.generic]]]],
) -> tf.data.Dataset:
    """A `tf.data` pipeline over batches that are made to the contract of `TRAINING_FEATURES`."""
    signature = {
        f.name: tf.TensorSpec([None] * len(f.dims), f.dtype, f.name) for f in TRAINING_FEATURES
    }
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    options = tf.data.Options()
    # Every worker makes the same global batches and takes its part of each.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options).prefetch(4)


def read_curve(path: Path) -> list[dict[str, float]]:
    """Read a learning curve; empty where there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _append_row(path: Path, row: dict[str, float]) -> None:
    _write_curve(path, [*read_curve(path), row])


def _drop_rows_after(path: Path, epoch: int) -> None:
    rows = read_curve(path)
    if rows:
        _write_curve(path, [row for row in rows if row["epoch"] <= epoch])


def _write_curve(path: Path, rows: list[dict[str, float]]) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["epoch"])
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
