"""One writer at a time; a dead one's folder goes, a living one's stays."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from trecs.errors import TrecsError, UsageError
from trecs.serving.writing import LOCK, PARTIAL, only_writer

# A process that holds the lock the way a writer does, without the seconds that TensorFlow takes.
_HOLD = """
import fcntl, sys, time
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def _holder(directory: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", _HOLD, str(directory / LOCK), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_dead_writers_folder_is_removed_and_whole_versions_stay(tmp_path: Path):
    (tmp_path / f"{PARTIAL}dead" / "variables").mkdir(parents=True)
    (tmp_path / "3").mkdir()

    with only_writer(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, "3"]


def test_a_living_writers_folder_is_left_alone_until_it_ends(tmp_path: Path):
    partial = tmp_path / f"{PARTIAL}alive"
    partial.mkdir()
    with _holder(tmp_path, 60) as process:
        waits = only_writer(tmp_path, longest_wait_s=0.2)
        with pytest.raises(TrecsError, match="another export or refresh has been writing"), waits:
            pass
        assert partial.exists()
        process.kill()
    with only_writer(tmp_path):
        assert not partial.exists()


def test_the_second_writer_waits_for_the_first(tmp_path: Path):
    began = time.monotonic()
    with _holder(tmp_path, 0.5), only_writer(tmp_path):
        assert time.monotonic() - began >= 0.5


def test_the_folder_is_made(tmp_path: Path):
    with only_writer(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_file_cannot_be_a_models_folder(tmp_path: Path):
    (tmp_path / "m").write_text("", encoding="utf-8")
    in_its_place = only_writer(tmp_path / "m")
    with pytest.raises(UsageError, match="must be a directory, got the file"), in_its_place:
        pass
