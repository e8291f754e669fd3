"""trecs: time-aware recommendation with Keras and TensorFlow.

``import trecs`` must come before anything that loads ``tf.keras``: TensorFlow Recommenders needs
``tf.keras`` to be Keras 2 (package ``tf_keras``), while the model itself is Keras 3
(``import keras``). TensorFlow reads ``TF_USE_LEGACY_KERAS`` when ``tf.keras`` is first touched, so
setting it here is enough unless that has already happened.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it. Loaded on first use, so that `trecs --help` and reading
# data do not wait for TensorFlow.
_API = {
    "audit": "trecs.data.audit",
    "Config": "trecs.config",
    "cross_validate": "trecs.api",
    "load_config": "trecs.config",
    "Dataset": "trecs.data.dataset",
    "Run": "trecs.run",
    "evaluate": "trecs.api",
    "export": "trecs.api",
    "load_data": "trecs.data.loading",
    "pretrain": "trecs.training.pretrain",
    "refit": "trecs.api",
    "refresh": "trecs.api",
    "report": "trecs.api",
    "train": "trecs.api",
    "tune": "trecs.api",
    "Recommender": "trecs.serving.client",
}
__all__ = sorted(_API)


def _tf_keras_is_keras_3() -> bool:
    """Whether TensorFlow's lazy `tf.keras` has been resolved, and to Keras 3."""
    loaded = vars(sys.modules["tensorflow"]).get("keras") if "tensorflow" in sys.modules else None
    if type(loaded).__name__ == "KerasLazyLoader":
        return bool(vars(loaded).get("_tfll_keras_version") == "keras_3")
    return getattr(loaded, "__name__", "").startswith("keras.")


def _use_legacy_keras() -> None:
    """Route ``tf.keras`` to Keras 2, or say why it cannot be done any more.

    Raises:
      ImportError: ``tf.keras`` is already Keras 3 in this process.
    """
    value = os.environ.get("TF_USE_LEGACY_KERAS")
    if _tf_keras_is_keras_3():
        raise ImportError(
            "trecs needs tf.keras to be Keras 2 (TensorFlow Recommenders requires it), but tf.keras"
            f" is already Keras 3 in this process (TF_USE_LEGACY_KERAS={value!r}). Put `import"
            " trecs` before the first use of tf.keras, or set TF_USE_LEGACY_KERAS=1 before starting"
            " Python; in a notebook, restart the kernel first."
        )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


_use_legacy_keras()


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module 'trecs' has no attribute {name!r}; it has {__all__}")
    return getattr(importlib.import_module(_API[name]), name)
