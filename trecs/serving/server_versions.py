"""The versions of a model's folder: loaded, warmed up, swapped while requests go on."""

from __future__ import annotations

import gc
import logging
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trecs.errors import UsageError
from trecs.serving.export import EXTRA, versions
from trecs.serving.server_inputs import Arrays, InputSpec
from trecs.serving.server_settings import RequestError
from trecs.serving.warmup import FILE, read_warmup

_LOG = logging.getLogger(__name__)


class LoadedVersion:
    """One version in memory, warmed up.

    Args:
      folder: of the version; its name is the number.
    """

    def __init__(self, folder: Path) -> None:
        self.number = int(folder.name)
        self.graph = _graph(folder)
        self._model = tf.saved_model.load(str(folder))
        self.signatures: dict[str, Any] = dict(self._model.signatures)
        self._inputs = {
            name: {n: InputSpec.of(s) for n, s in signature.structured_input_signature[1].items()}
            for name, signature in self.signatures.items()
        }
        warmup = folder / EXTRA / FILE
        if warmup.exists():
            for name, inputs in read_warmup(warmup):
                self.run(name, inputs)

    def inputs(self, signature: str) -> dict[str, InputSpec]:
        """What a signature's inputs must be, by name.

        Raises:
          RequestError: INVALID_ARGUMENT, there is no such signature.
        """
        if signature not in self._inputs:
            raise RequestError(
                "INVALID_ARGUMENT",
                f"signature_name must be one of {', '.join(sorted(self.signatures))},"
                f" got {signature[:60]!r}",
            )
        return self._inputs[signature]

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        """Outputs of a signature by name, as NumPy arrays."""
        specs = self.inputs(signature)
        tensors = {n: tf.constant(a, specs[n].dtype, shape=a.shape) for n, a in inputs.items()}
        answer = self.signatures[signature](**tensors)
        return {name: np.asarray(value) for name, value in answer.items()}


@dataclass
class VersionStatus:
    """State of a version: LOADING, AVAILABLE or END, and what went wrong if anything did."""

    state: str
    error: str = ""


@dataclass
class _Served:
    newest: LoadedVersion | None = None
    status: dict[int, VersionStatus] = field(default_factory=dict)


class ModelVersions:
    """The newest version that loads; a thread looks for newer ones.

    A request keeps the version it began with, so a swap fails none: the old one is freed when the
    last request that holds it ends. A version that does not load is reported and passed over. If
    the newest folder is removed, the newest that is left is loaded: the way back from a bad one.

    Args:
      directory: folder of the versions.
      name: what requests call the model.
      poll_s: seconds between looks.

    Raises:
      UsageError: no version in the folder loads.
    """

    def __init__(self, directory: Path, name: str, poll_s: float) -> None:
        self.directory, self.name = directory, name
        self._poll_s = poll_s
        self._served = _Served()
        self._failed: dict[int, tuple[int, int]] = {}
        self._stop = threading.Event()
        if not directory.is_dir():
            raise UsageError(f"expected a folder of numbered versions, got {directory}")
        self.look()
        if self._served.newest is None:
            errors = [status.error for status in self._served.status.values() if status.error]
            raise UsageError(
                f"no version in {directory} can be served: {errors or 'there is none'};"
                " `trecs export RUN --to DIR` makes one"
            )
        _settle()
        self._thread = threading.Thread(target=self._watch, name="trecs-versions", daemon=True)
        self._thread.start()

    def get(self, name: str, number: int | None = None) -> LoadedVersion:
        """The version for a request.

        Raises:
          RequestError: NOT_FOUND, another name or a version that is not served.
        """
        newest = self._served.newest
        if newest is None or name != self.name or number not in (None, newest.number):
            asked = "Latest" if number is None else "Specific"
            suffix = "" if number is None else f", {number}"
            have = self.name if newest is None else f"{self.name}, version {newest.number}"
            raise RequestError(
                "NOT_FOUND",
                f"Servable not found for request: {asked}({name[:60]}{suffix}); served is {have}",
            )
        return newest

    def status(self, name: str, number: int | None = None) -> dict[int, VersionStatus]:
        """States by version number, newest first.

        Raises:
          RequestError: NOT_FOUND, another name or a version never seen.
        """
        found = dict(sorted(self._served.status.items(), reverse=True))
        if number is not None:
            found = {n: state for n, state in found.items() if n == number}
        if name != self.name or not found:
            what = name[:60] if number is None else f"{name[:60]}, version {number}"
            raise RequestError("NOT_FOUND", f"Could not find any versions of model {what}")
        return found

    def look(self) -> None:
        """Look at the folder once, and load what is newer, or what is left."""
        try:
            present = versions(self.directory)
        except OSError as error:
            _LOG.warning("%s cannot be read: %s", self.directory, error)
            return
        current = self._served.newest
        for number in reversed(present):
            if current is not None and number == current.number:
                again = _graph(self.directory / str(number)) not in (None, current.graph)
                # Removed and exported once more. While it does not load, what is in memory serves.
                if again and self._is_new(number):
                    self._load(number)
                return
            if self._is_new(number) and self._load(number):
                return

    def _is_new(self, number: int) -> bool:
        """Whether a version was not tried in vain as it now is."""
        return self._failed.get(number) != _stamp(self.directory / str(number))

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()
        gc.unfreeze()

    def _load(self, number: int) -> bool:
        folder = self.directory / str(number)
        status = self._served.status
        before = self._served.newest
        # What is exported again under its number is served, as it was, while it loads.
        again = before is not None and before.number == number
        status[number] = VersionStatus("AVAILABLE" if again else "LOADING")
        stamp = _stamp(folder)
        try:
            loaded = _loaded(folder)
        # Whatever is wrong with a folder, the version before goes on being served.
        except Exception as error:
            self._failed[number] = stamp
            message = f"{type(error).__name__}: {error}"[:500]
            status[number] = VersionStatus("AVAILABLE" if again else "END", message)
            _LOG.error("version %d does not load: %s", number, status[number].error)
            return False
        status[number] = VersionStatus("AVAILABLE")
        self._served.newest = loaded
        if before is not None and not again:
            status[before.number] = VersionStatus("END")
        _LOG.info("version %d is served", number)
        return True

    def _watch(self) -> None:
        settled = True
        while not self._stop.wait(self._poll_s):
            # A look after the swap, as requests under way held on to the version before; and after
            # a version that did not load, whose half is garbage by then.
            if not settled:
                _settle()
            before = self._served.newest, dict(self._failed)
            try:
                self.look()
            # The watch must outlive whatever a folder does to it, or nothing newer is ever served.
            except Exception:
                _LOG.exception("%s could not be looked at; trying again", self.directory)
            settled = before == (self._served.newest, self._failed)


def _loaded(folder: Path) -> LoadedVersion:
    """A version, loaded without a collection of garbage: there is none, and each stops requests."""
    gc.disable()
    try:
        return LoadedVersion(folder)
    finally:
        gc.freeze()
        gc.enable()


def _settle() -> None:
    """Free what older versions left, and keep the objects that stay out of later collections.

    A graph is some million Python objects. To look through them takes a quarter of a second, in
    which no request is answered, and requests would have it done every few seconds.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _stamp(folder: Path) -> tuple[int, int]:
    """How many files a version has, and when the newest was written.

    One that failed is tried again once this changes: it was mended, or is copied in file by file.
    """
    times = []
    # Unlike `Path.rglob`, it goes on where a folder vanishes meanwhile.
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                times.append((Path(parent) / name).stat().st_mtime_ns)
            except OSError:
                continue
    return len(times), max(times, default=0)


def _graph(folder: Path) -> tuple[int, int] | None:
    """Which file holds a version's graph, and when it was written; None where there is none."""
    try:
        found = (folder / "saved_model.pb").stat()
    except OSError:
        return None
    # A copy may have the time of what it was copied from, but not that of its own making.
    return found.st_ino, found.st_ctime_ns
