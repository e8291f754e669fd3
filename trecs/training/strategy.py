"""Devices: one function from a name to a strategy, and what precision to compute in."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import tensorflow as tf

from trecs.errors import ConfigError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The distribution strategy of a name; one for all trainings of a process.

    Args:
      name: `auto`: mirrored where TensorFlow sees several GPUs, else one device. `mirrored`: a
        replica on each GPU, or on each logical CPU where there is no GPU. `one-device`: the first
        GPU, or the CPU. `multi-worker`: mirrored over the machines of the TF_CONFIG variable.

    Raises:
      ConfigError: an unknown name, or `multi-worker` without TF_CONFIG.
    """
    if name == "multi-worker":
        if not os.environ.get("TF_CONFIG"):
            raise ConfigError(
                "the multi-worker strategy needs the variable TF_CONFIG, which names the machines"
                " and this one's place among them, got none; on one machine use 'mirrored'"
            )
        # Before devices are listed, which would start TensorFlow without the other machines.
        return _multi_worker()
    gpus = tf.config.list_logical_devices("GPU")
    devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one-device"
    if name == "mirrored":
        return _mirrored(*devices)
    if name == "one-device":
        return tf.distribute.OneDeviceStrategy(devices[0])
    raise ConfigError(
        f"the strategy must be auto, mirrored, one-device or multi-worker, got {name!r}"
    )


# A second strategy of a process would number its collective operations from the start again, and
# meet those of the first, which have other shapes.


@cache
def _mirrored(*devices: str) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(devices)


@cache
def _multi_worker() -> tf.distribute.Strategy:
    return tf.distribute.MultiWorkerMirroredStrategy()


def uses_bfloat16(precision: str) -> bool:
    """Whether a precision (`float32`, `bfloat16`, or `auto`: bfloat16 on GPUs) means bfloat16."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"the precision must be auto, float32 or bfloat16, got {precision!r}")
    has_gpu = bool(tf.config.list_logical_devices("GPU"))
    return precision == "bfloat16" or (precision == "auto" and has_gpu)


def worker_folder(directory: Path, strategy: tf.distribute.Strategy) -> Path:
    """The folder itself for the first worker, one beside it for each other worker."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_id:
        return directory
    return directory.with_name(f"{directory.name}.worker-{resolver.task_id}")
