"""Older versions go, the newest ones and what is being written stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from trecs.serving.pruning import remove_older


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name / "variables").mkdir(parents=True)
    (root / ".lock").touch()
    return root


@pytest.mark.parametrize(
    ("keep", "gone"), [(1, [1, 2, 9]), (2, [1, 2]), (3, [1]), (4, []), (9, [])]
)
def test_the_newest_by_number_stay(tmp_path: Path, keep: int, gone: list[int]):
    directory = _folder(tmp_path, "1", "2", "9", "10", ".partial-x", "notes")

    assert remove_older(directory, keep) == gone
    left = {path.name for path in directory.iterdir()}
    assert left == {"1", "2", "9", "10", ".partial-x", "notes", ".lock"} - set(map(str, gone))


def test_a_version_that_is_half_removed_has_no_number(tmp_path: Path, monkeypatch):
    directory = _folder(tmp_path, "1", "2")

    def killed(path: Path) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("trecs.serving.pruning.shutil.rmtree", killed)
    with pytest.raises(RuntimeError, match="killed"):
        remove_older(directory, 1)

    assert {path.name for path in directory.iterdir()} == {".lock", ".partial-removed-1", "2"}
