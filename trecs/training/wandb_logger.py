"""Log a run to Weights & Biases (extra `wandb`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from trecs.errors import ConfigError


def import_wandb(project: str) -> Any:
    """The package, which a project needs.

    Raises:
      ConfigError: it is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(
            f"training.wandb_project = {project!r} needs the package wandb, got {error};"
            " pip install -e '.[wandb]' in the clone, or leave the setting empty"
        ) from error
    return wandb


class WandbLogger(keras.callbacks.Callback):
    """Logs each epoch's metrics.

    wandb's own Keras callback is written for `tf.keras`, which is Keras 2 here, while the model is
    Keras 3.

    Args:
      project: the project to log to.
      directory: the run's folder; its name is the run's name.
      config: settings to record.

    Raises:
      ConfigError: wandb is not installed.
    """

    def __init__(self, project: str, directory: Path, config: dict[str, Any]) -> None:
        super().__init__()
        self._run = import_wandb(project).init(
            project=project, name=directory.name, dir=str(directory), config=config, resume="allow"
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Send the epoch's metrics."""
        self._run.log({"epoch": epoch + 1, **(logs or {})})

    def close(self) -> None:
        """Finish the run. Not `on_train_end`, which Keras calls after every epoch here."""
        self._run.finish()
