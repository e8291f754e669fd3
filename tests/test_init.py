"""`import trecs`: Keras 2 under tf.keras, and the public names."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import trecs


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh process that was not told which Keras to use."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_tf_keras_is_keras_2_and_keras_is_keras_3() -> None:
    done = run_python(
        "import os, trecs\n"
        "assert os.environ['TF_USE_LEGACY_KERAS'] == '1'\n"
        "import keras, tensorflow as tf\n"
        "print(keras.__version__[0], tf.keras.layers.Layer.__module__.split('.')[0])"
    )
    assert done.stdout.split() == ["3", "tf_keras"], done.stderr


def test_too_late_an_import_says_the_way_out() -> None:
    done = run_python("import tensorflow as tf\ntf.keras.layers\nimport trecs")
    assert done.returncode == 1
    assert "ImportError: trecs needs tf.keras to be Keras 2" in done.stderr
    assert "TF_USE_LEGACY_KERAS=None" in done.stderr
    assert "Put `import trecs` before the first use of tf.keras" in done.stderr


def test_importing_tensorflow_and_keras_3_first_is_early_enough() -> None:
    done = run_python(
        "import keras, tensorflow as tf\nimport trecs\nprint(tf.keras.layers.Layer.__module__)"
    )
    assert done.stdout.startswith("tf_keras."), done.stderr


@pytest.mark.parametrize("name", trecs.__all__)
def test_each_public_name_is_the_one_of_its_module(name: str) -> None:
    value = getattr(trecs, name)
    assert value is getattr(importlib.import_module(value.__module__), name)
    assert value.__doc__


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"'trecs' has no attribute 'trian'; it has .*'train'"):
        _ = trecs.trian
