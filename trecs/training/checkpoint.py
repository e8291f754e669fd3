"""Checkpoints: everything a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf


class Progress:
    """How far training is, as variables, so that they are saved with the weights.

    Attributes:
      epoch: epochs finished.
      step: steps finished inside the current epoch; the data position, with `epoch`.
      best: best validation score so far.
      wait: epochs since then.
      finished: whether training has ended.
    """

    def __init__(self) -> None:
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.best = tf.Variable(-1.0, dtype=tf.float64)
        self.wait = tf.Variable(0, dtype=tf.int64)
        self.finished = tf.Variable(False)


class Checkpoints:
    """The newest state of a run, and its best weights.

    TensorFlow writes a checkpoint's files first and names it in the `checkpoint` file last, so a
    kill at any moment leaves the one before in place.

    Args:
      directory: folder of the checkpoints.
      model: built and compiled; its weights, the states of its random generators and its
        optimizer's variables are kept.
      progress: kept with them.
      beside: further variables that belong to the weights.
    """

    def __init__(
        self,
        directory: Path,
        model: keras.Model,
        progress: Progress,
        beside: Sequence[tf.Variable] = (),
    ) -> None:
        model.optimizer.build(model.trainable_variables)
        # By list, not by object graph: Keras' random generators are not TensorFlow trackables.
        skipped = {id(variable) for variable in model.metrics_variables}
        weights = [v.value for v in model.variables if id(v) not in skipped]
        weights += beside
        state = {
            "weights": weights,
            "optimizer": [v.value for v in model.optimizer.variables],
            "progress": tf.train.Checkpoint(**vars(progress)),
        }
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(**_trackable(state)), str(directory / "latest"), max_to_keep=2
        )
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(**_trackable({"weights": weights})),
            str(directory / "best"),
            max_to_keep=1,
        )

    def save(self) -> None:
        """Keep the present state."""
        self._latest.save()

    def save_best(self) -> None:
        """Keep the present weights as the best."""
        self._best.save()

    def restore(self) -> bool:
        """Go back to the newest state; False where there is none."""
        return _restore(self._latest)

    def restore_best(self) -> None:
        """Go back to the best weights; stays where it is when none were kept."""
        _restore(self._best)


def _trackable(state: dict[str, object]) -> dict[str, object]:
    return {
        name: tf.train.Checkpoint(items=value) if isinstance(value, list) else value
        for name, value in state.items()
    }


def _restore(manager: tf.train.CheckpointManager) -> bool:
    if manager.latest_checkpoint is None:
        return False
    manager.checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
    return True
