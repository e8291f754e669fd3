"""Custom gradients of a training are forgotten when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.framework import ops

_CUSTOM = "CustomGradient-"


@contextmanager
def forgotten_gradients() -> Iterator[None]:
    """Let go of the custom gradients that graphs were given inside the block.

    `tf.custom_gradient` registers each of them by a name of its own for the rest of the process,
    and with it the graph of the training step and the variables that this reads: a search of forty
    trainings would hold forty models. TensorFlow has no public way to take one back. They are
    asked for while the step is traced, not afterwards.
    """
    registry = ops.gradient_registry
    before = set(registry.list())
    try:
        yield
    finally:
        for name in [name for name in registry.list() if name not in before]:
            if name.startswith(_CUSTOM):
                registry._registry.pop(name)
