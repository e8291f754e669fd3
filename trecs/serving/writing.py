"""One writer at a time in a model's folder, and what a killed one left behind."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trecs.errors import TrecsError, UsageError

PARTIAL = ".partial-"
"""How the folder of a version begins that is not whole yet; servers look at numbers alone."""
LOCK = ".lock"
_LONGEST_WAIT_S = 600.0
_POLL_S = 0.1


@contextmanager
def only_writer(directory: Path, longest_wait_s: float = _LONGEST_WAIT_S) -> Iterator[None]:
    """Be the only writer of a model's folder, which is made if need be.

    The lock is an exclusive flock(2) on `.lock`. The system drops it when its process ends, however
    it ends; so whoever holds it knows that a version which is not whole is of a writer that died,
    and removes it.

    Args:
      directory: folder of the model's versions.
      longest_wait_s: seconds to wait for another writer.

    Raises:
      UsageError: the directory is a file.
      TrecsError: another process went on writing for all that time.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"the model's folder must be a directory, got the file {directory}")
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / LOCK, "a", encoding="utf-8") as lock:
        _wait_for(lock.fileno(), directory, longest_wait_s)
        for left in directory.glob(f"{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _wait_for(lock: int, directory: Path, longest_wait_s: float) -> None:
    deadline = time.monotonic() + longest_wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise TrecsError(
                    f"another export or refresh has been writing to {directory} for"
                    f" {longest_wait_s:.0f} s or more; wait for it or end it, then run this again"
                ) from error
            time.sleep(_POLL_S)
        else:
            return
