"""The training loop: Keras `fit` over epochs of batches, early stopping, resume."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.batches import EventRows, num_training_batches, training_batches
from trecs.features.spec import TRAINING_FEATURES
from trecs.models.retrieval import RetrievalModel
from trecs.training.averaging import averaged_weights
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

    def num_batches(self, epoch: int) -> int:
        """Batches of an epoch; epochs differ by a few, since long histories are cut anew."""
        return num_training_batches(
            self.events, self.history_len, self.batch_events, self.seed, epoch
        )

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
    """Training ends after `epochs`, or `patience` epochs without a better validation score."""

    epochs: int
    patience: int


class _Keeper(keras.callbacks.Callback):
    """Validates each epoch, keeps checkpoints and the learning curve, says when to stop."""

    def __init__(
        self,
        progress: Progress,
        checkpoints: Checkpoints,
        validate: Callable[[], float] | None,
        rule: StoppingRule,
        checkpoint_steps: int,
        curve: Path,
    ) -> None:
        super().__init__()
        self._progress = progress
        self._checkpoints = checkpoints
        self._validate = validate
        self._rule = rule
        self._checkpoint_steps = checkpoint_steps
        self._curve = curve
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.step.assign_add(1)
        # Not after the last batch: the epoch's end saves, and a resume needs a batch to go on with.
        is_last = batch + 1 == self.params["steps"]
        if int(self._progress.step.numpy()) % self._checkpoint_steps == 0 and not is_last:
            self._checkpoints.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds = time.monotonic() - self._began
        progress = self._progress
        # Keras hands the same dictionary to the progress bar and the callbacks that follow.
        logs = {} if logs is None else logs
        with averaged_weights(self.model):
            score = None if self._validate is None else self._validate()
            better = score is None or score > float(progress.best.numpy())
            if better:
                self._checkpoints.save_best()
        if score is not None:
            logs |= {VALIDATION_METRIC: score}
            if better:
                progress.best.assign(score)
        logs |= {"train_seconds": seconds}
        if better:
            progress.wait.assign(0)
        else:
            progress.wait.assign_add(1)
        progress.epoch.assign(epoch + 1)
        progress.step.assign(0)
        stop = int(progress.wait.numpy()) >= self._rule.patience or epoch + 1 >= self._rule.epochs
        progress.finished.assign(stop)
        row = {"epoch": float(epoch + 1), **{k: float(v) for k, v in logs.items()}}
        _write_curve(self._curve, [*read_curve(self._curve), row])
        self._checkpoints.save()


def fit(
    model: RetrievalModel,
    plan: BatchPlan,
    rule: StoppingRule,
    validate: Callable[[], float] | None,
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
      validate: scores the model as it is, higher is better; called after each epoch. None where
        no events are held out: the last epoch's weights are taken.
      directory: checkpoints and the learning curve go here.
      checkpoint_steps: steps between checkpoints inside an epoch.
      callbacks: further Keras callbacks; their logs hold `loss` and `val_ndcg@10`. Keras tells them
        of a beginning and an end of training with each epoch.
      verbose: Keras' progress bar: 0 none, 1 a bar, 2 a line an epoch.

    Returns:
      The learning curve, a row an epoch: epoch, loss, val_ndcg@10 where there is validation,
      train_seconds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    curve = directory / "history.csv"
    progress = Progress()
    checkpoints = Checkpoints(directory / "checkpoints", model, progress, model.items.state)
    checkpoints.restore()
    # A kill between the curve's row and the checkpoint leaves a row too many.
    _write_curve(
        curve, [row for row in read_curve(curve) if row["epoch"] <= int(progress.epoch.numpy())]
    )
    keeper = _Keeper(progress, checkpoints, validate, rule, checkpoint_steps, curve)
    while not bool(progress.finished.numpy()):
        epoch = int(progress.epoch.numpy())
        # One call an epoch: within one call, Keras takes every epoch to have the first one's number
        # of batches, which is wrong after a resume inside an epoch.
        model.fit(
            input_dataset(plan, epoch, int(progress.step.numpy())),
            steps_per_epoch=plan.num_batches(epoch) - int(progress.step.numpy()),
            epochs=epoch + 1,
            initial_epoch=epoch,
            callbacks=[keeper, *callbacks],
            shuffle=False,
            verbose=verbose,
        )
    checkpoints.restore_best()
    return read_curve(curve)


def input_dataset(plan: BatchPlan, epoch: int, skip: int = 0) -> tf.distribute.DistributedDataset:
    """The input pipeline of one epoch under the current strategy, to `TRAINING_FEATURES`.

    Every worker makes the same global batches, and each replica takes its own rows of them.

    Args:
      plan: the batches.
      epoch: its number, from 0.
      skip: batches to leave out at the start.
    """
    signature = {
        f.name: tf.TensorSpec([None] * len(f.dims), f.dtype, f.name) for f in TRAINING_FEATURES
    }

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * local
        return tf.data.Dataset.from_generator(
            lambda: _replica_batches(plan, epoch, skip, range(first, first + local)),
            output_signature=signature,
        ).prefetch(2 * local)

    return tf.distribute.get_strategy().distribute_datasets_from_function(of_worker)


def _replica_batches(
    plan: BatchPlan, epoch: int, skip: int, replicas: range
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """The rows of each of a worker's replicas in turn, batch by batch."""
    for batch in plan.batches(epoch, skip):
        num_rows = len(batch["user_row"]) // plan.num_replicas
        for replica in replicas:
            rows = slice(replica * num_rows, (replica + 1) * num_rows)
            yield {name: array[rows] for name, array in batch.items()}


def read_curve(path: Path) -> list[dict[str, float]]:
    """Read a learning curve; empty where there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def best_epoch(curve: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The row of a learning curve with the best validation score, the first of equals."""
    return max(curve, key=lambda row: row[VALIDATION_METRIC])


def _write_curve(path: Path, rows: list[dict[str, float]]) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["epoch"])
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
