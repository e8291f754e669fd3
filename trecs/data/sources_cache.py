"""The cache of downloads and prepared data sets, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trecs.errors import FetchError

CACHE_VARIABLE = "TRECS_CACHE"


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder that holds downloads: TRECS_CACHE, else `trecs` in the user's cache folder.

    The user's cache folder is ~/Library/Caches on macOS, XDG_CACHE_HOME where that is set to an
    absolute path, else ~/.cache. The folder need not exist yet.

    Args:
        environment: the environment variables to look at.
        platform: as `sys.platform`.
    """
    chosen = environment.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    if platform == "darwin":
        return home / "Library" / "Caches" / "trecs"
    # The XDG specification says that a relative path is to be ignored.
    xdg = environment.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else home / ".cache") / "trecs"


def make_folder(path: Path) -> None:
    """Makes the folder and its parents.

    Raises:
        FetchError: It cannot be made; the message says how to choose another place.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            f"The cache folder {path} cannot be made ({error.strerror}). "
            f"Set {CACHE_VARIABLE} to a folder that you can write to."
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path`.lock, so that two processes do not write one download.

    The lock goes with the process, so a killed fetch blocks nobody.

    Args:
        path: a file or folder of the cache; its parent is made.
    """
    make_folder(path.parent)
    with (path.parent / f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Gives a temporary folder that takes the name `path` when the block ends without an error.

    If `path` has come to exist meanwhile it is left as it is, and what was written is dropped.

    Args:
        path: the folder to write; its parent is made.
    """
    make_folder(path.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        # mkdtemp makes it readable by its owner alone.
        temporary.chmod(0o755)
        if not path.exists():
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
