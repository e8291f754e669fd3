"""Write a SavedModel version, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import tensorflow as tf

from trecs.errors import UsageError
from trecs.serving.export_extras import write_service_extras
from trecs.serving.module import RecommenderModule
from trecs.serving.text_module import TextModule
from trecs.serving.writing import PARTIAL, only_writer

EXTRA = "assets.extra"
"""Folder of a SavedModel that TensorFlow leaves alone: metadata, titles, known histories."""


def write_version(
    module: RecommenderModule | TextModule,
    directory: Path,
    version: int | None,
    extras: Callable[[Path], object],
) -> Path:
    """Save a module as `directory/<version>`.

    The version is written under another name in the same folder and renamed when whole, so that a
    server that watches the folder never sees half a model.

    Args:
      module: what to save.
      directory: folder of the model's versions; made if need be.
      version: its number, or None for the next one.
      extras: writes further files into the folder it is given.

    Returns:
      The folder of the version.

    Raises:
      UsageError: the version exists, or the directory is a file.
    """
    with only_writer(directory):
        return add_version(module, directory, version, extras)


def add_version(
    module: RecommenderModule | TextModule,
    directory: Path,
    version: int | None,
    extras: Callable[[Path], object],
) -> Path:
    """`write_version` for a caller that is the `only_writer` of the directory already."""
    number = version if version is not None else max(versions(directory), default=0) + 1
    target = directory / str(number)
    if target.exists():
        raise UsageError(
            f"version {number} of {directory} exists already; leave out --version for the next"
            f" number, {max(versions(directory)) + 1}"
        )
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=directory))
    try:
        tf.saved_model.save(module, str(partial), signatures=module.signatures())
        extra = partial / EXTRA
        extra.mkdir()
        extras(extra)
        partial.chmod(0o755)
        os.rename(partial, target)
    except tf.errors.OpError as error:
        # Of a disk that is full, as TensorFlow tells it.
        raise OSError(f"version {number} of {directory} cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def versions(directory: Path) -> list[int]:
    """The versions of a model folder, ascending."""
    named = [p.name for p in directory.iterdir() if p.name.isdecimal() and p.is_dir()]
    return sorted(int(name) for name in named if str(int(name)) == name)


def write_extras(
    folder: Path, metadata: dict[str, object], titles: pd.DataFrame, histories: pd.DataFrame
) -> None:
    """Write what `trecs recommend` needs beside the graph.

    Args:
      folder: the `assets.extra` folder.
      metadata: settings, versions and measurements, as JSON.
      titles: columns `item_id`, `title` and `categories`, lists of "column=value".
      histories: columns `user_id`, `item_id`, `timestamp` (UTC epoch seconds).
    """
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2), encoding="utf-8")
    titles.to_parquet(folder / "items.parquet", index=False)
    histories.to_parquet(folder / "histories.parquet", index=False)
    write_service_extras(folder, metadata, titles, histories)
