"""A version is written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from serving_shop import Shop

import trecs
from trecs.errors import UsageError
from trecs.serving.export import versions, write_version
from trecs.serving.writing import LOCK


class _Doubler(tf.Module):
    def signatures(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def double(x):
            return {"y": 2 * x}

        return {"serving_default": double.get_concrete_function()}


def _nothing(folder: Path) -> None:
    (folder / "metadata.json").write_text("{}", encoding="utf-8")


def test_versions_count_upwards(tmp_path: Path):
    assert write_version(_Doubler(), tmp_path / "m", None, _nothing) == tmp_path / "m" / "1"
    assert write_version(_Doubler(), tmp_path / "m", 9, _nothing) == tmp_path / "m" / "9"
    assert write_version(_Doubler(), tmp_path / "m", None, _nothing) == tmp_path / "m" / "10"
    assert versions(tmp_path / "m") == [1, 9, 10]


def test_an_existing_version_is_not_overwritten(tmp_path: Path):
    write_version(_Doubler(), tmp_path, 3, _nothing)
    before = (tmp_path / "3" / "saved_model.pb").stat().st_mtime_ns

    with pytest.raises(UsageError, match="version 3 of .* exists already; .* number, 4"):
        write_version(_Doubler(), tmp_path, 3, _nothing)
    assert (tmp_path / "3" / "saved_model.pb").stat().st_mtime_ns == before


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path):
    (tmp_path / "m").write_text("", encoding="utf-8")

    with pytest.raises(UsageError, match="must be a directory, got the file"):
        write_version(_Doubler(), tmp_path / "m", None, _nothing)


def test_k_below_one_is_an_error(shop: Shop, tmp_path: Path):
    with pytest.raises(UsageError, match="-k must be at least 1, got 0"):
        trecs.export(shop.run, tmp_path / "m", k=0)


def test_lists_are_no_longer_than_the_catalogue(shop: Shop, tmp_path: Path):
    version = trecs.export(shop.run, tmp_path / "m", k=500)

    assert trecs.Recommender(version).metadata["k"] == 31


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path):
    def fail(folder: Path) -> None:
        (folder / "half.parquet").write_bytes(b"half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_version(_Doubler(), tmp_path / "m", None, fail)
    assert [path.name for path in (tmp_path / "m").iterdir()] == [LOCK]


_STOP_IN_THE_MIDDLE = """
import sys, time
from pathlib import Path
import trecs
import tensorflow as tf
from trecs.serving.export import write_version

class Doubler(tf.Module):
    def signatures(self):
        double = tf.function(lambda x: {"y": 2 * x})
        return {"serving_default": double.get_concrete_function(tf.TensorSpec([None], tf.float32))}

def stop(folder):
    (folder / "half.parquet").write_bytes(b"half")
    Path(sys.argv[2]).write_text("in the middle")
    time.sleep(120)

write_version(Doubler(), Path(sys.argv[1]), None, stop)
"""


def test_a_kill_in_the_middle_leaves_no_version(tmp_path: Path):
    model, ready = tmp_path / "m", tmp_path / "ready"
    command = [sys.executable, "-c", _STOP_IN_THE_MIDDLE, str(model), str(ready)]
    with subprocess.Popen(command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}) as process:
        deadline = time.monotonic() + 90
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert ready.exists()

    assert versions(model) == []
    assert [path for path in model.iterdir() if not path.name.startswith(".partial-")] == [
        model / LOCK
    ]
    assert write_version(_Doubler(), model, None, _nothing).name == "1"
    assert sorted(path.name for path in model.iterdir()) == [LOCK, "1"]
