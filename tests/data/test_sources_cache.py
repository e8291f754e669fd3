"""The cache folder's place, and folders that are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trecs.data.sources_cache import cache_folder, locked, whole_folder


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"TRECS_CACHE": "/data/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "linux", "/data/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "linux", "/x/trecs"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "linux", "/h/.cache/trecs"),
        ({"HOME": "/h"}, "linux", "/h/.cache/trecs"),
        ({"TRECS_CACHE": "", "HOME": "/h"}, "linux", "/h/.cache/trecs"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "darwin", "/h/Library/Caches/trecs"),
    ],
)
def test_cache_folder_is_the_variable_else_the_users(environment, platform, expected):
    assert cache_folder(environment, platform) == Path(expected)


def test_folder_takes_its_name_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / "a/b") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a/b").exists()
    assert (tmp_path / "a/b/x").read_text() == "1"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_folder_that_fails_half_way_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), whole_folder(tmp_path / "b") as folder:
        (folder / "x").write_text("1")
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_another_process_wrote_meanwhile_stays(tmp_path):
    with whole_folder(tmp_path / "b") as folder:
        (folder / "x").write_text("mine")
        (tmp_path / "b").mkdir()
        (tmp_path / "b/x").write_text("theirs")
    assert (tmp_path / "b/x").read_text() == "theirs"


def test_lock_keeps_another_process_out(tmp_path):
    code = (
        "import fcntl, sys\n"
        "try: fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError: sys.exit(3)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / ".b.lock")]
    with locked(tmp_path / "b"):
        assert subprocess.run(command, check=False).returncode == 3
    assert subprocess.run(command, check=False).returncode == 0
