"""Older versions of a model's folder, removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from trecs.serving.export import versions
from trecs.serving.writing import PARTIAL


def remove_older(directory: Path, keep: int) -> list[int]:
    """Remove all but the newest versions; the caller is the directory's `only_writer`.

    Each is renamed first, so that whoever watches the folder never sees half a version; if this
    process is killed meanwhile, the next writer removes the rest.

    Args:
      directory: folder of the versions.
      keep: how many stay, 1 or more.

    Returns:
      The numbers of those that are gone, ascending.
    """
    older = versions(directory)[:-keep]
    for number in older:
        gone = (directory / str(number)).rename(directory / f"{PARTIAL}removed-{number}")
        shutil.rmtree(gone)
    return older
