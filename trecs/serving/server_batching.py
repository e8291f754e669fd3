"""Concurrent requests computed together.

One thread takes what waits, adds what arrives within a short window, and runs requests of the same
version, signature and shape class as one batch. While it computes, the next ones gather.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.serving.server_inputs import Arrays
from trecs.serving.server_settings import RequestError, ServerSettings
from trecs.serving.server_versions import LoadedVersion

_PADDED = ("history_", "excluded_", "allowed_")
"""How inputs begin that may be padded at the end with "" and 0 without changing the answer."""

_SHORT_BITS = 7


@dataclass
class _Job:
    version: LoadedVersion
    signature: str
    inputs: Arrays
    deadline: float
    future: Future[Arrays] = field(default_factory=Future)

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for jobs that may be computed together.

        Lists beyond 127 entries are classed by the power of two above their length, so that a short
        one is not padded to a long one; below, the padding costs less than another batch.
        """
        shapes = []
        for name, array in sorted(self.inputs.items()):
            tail = array.shape[1:]
            if name.startswith(_PADDED):
                tail = (max(int(tail[0]).bit_length(), _SHORT_BITS),)
            shapes.append((name, tail))
        return (id(self.version), self.signature, tuple(shapes))


class Batcher:
    """Runs requests, several at once.

    Args:
      settings: sizes, window and time-out.
      observe: told the number of rows of each batch.
    """

    def __init__(self, settings: ServerSettings, observe: Callable[[int], None]) -> None:
        self._settings, self._observe = settings, observe
        self._told: list[Callable[[], None]] = []
        self._waiting: queue.Queue[_Job | None] = queue.Queue(settings.max_queued)
        self._thread = threading.Thread(target=self._work, name="trecs-batcher", daemon=True)
        self._thread.start()

    def submit(
        self, version: LoadedVersion, signature: str, inputs: Arrays, timeout_s: float
    ) -> Future[Arrays]:
        """Queue a checked request.

        Raises:
          RequestError: UNAVAILABLE, the queue is full.
        """
        job = _Job(version, signature, inputs, time.monotonic() + timeout_s)
        try:
            self._waiting.put_nowait(job)
        except queue.Full:
            raise RequestError(
                "UNAVAILABLE",
                f"{self._settings.max_queued} requests are waiting; try again later",
            ) from None
        return job.future

    def tell_of_batches(self, told: Callable[[], None]) -> None:
        """Have a function called, in the batcher's thread, whenever requests have been answered."""
        self._told.append(told)

    def close(self) -> None:
        """Compute what waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        stopped = False
        while not stopped:
            jobs, stopped = self._gather()
            batches = list(self._batches(jobs))
            # Of requests that came too late, and are in none of them.
            self._tell()
            for batch in batches:
                self._observe(sum(job.rows for job in batch))
                _answer(batch)
                self._tell()

    def _tell(self) -> None:
        for told in self._told:
            told()

    def _gather(self) -> tuple[list[_Job], bool]:
        """Jobs that arrive within a window, and whether they are the last."""
        job = self._waiting.get()
        jobs: list[_Job] = []
        until = time.monotonic() + self._settings.batch_window_s
        while job is not None:
            jobs.append(job)
            if sum(j.rows for j in jobs) >= self._settings.batch_rows:
                return jobs, False
            try:
                job = self._waiting.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _batches(self, jobs: list[_Job]) -> Iterator[list[_Job]]:
        kinds: dict[tuple[object, ...], list[_Job]] = {}
        for job in jobs:
            # First: what runs cannot be cancelled while it is told that it is late.
            if not job.future.set_running_or_notify_cancel():
                continue
            if job.deadline < time.monotonic():
                late = f"the request waited longer than {self._settings.timeout_s} s"
                job.future.set_exception(RequestError("DEADLINE_EXCEEDED", late))
            else:
                kinds.setdefault(job.kind, []).append(job)
        yield from kinds.values()


def _answer(batch: list[_Job]) -> None:
    """Compute a batch; where it fails, each request alone, so that one cannot spoil another."""
    first = batch[0]
    try:
        outputs = first.version.run(first.signature, _joined([job.inputs for job in batch]))
    # Anything may come out of TensorFlow, and the thread must live on.
    except Exception as error:
        if len(batch) > 1:
            for job in batch:
                _answer([job])
        else:
            first.future.set_exception(_as_request_error(error))
        return
    begin = 0
    for job in batch:
        part = slice(begin, begin + job.rows)
        job.future.set_result({name: array[part] for name, array in outputs.items()})
        begin += job.rows


def _joined(inputs: list[Arrays]) -> Arrays:
    """Rows of several requests one after the other, histories padded to the longest."""
    if len(inputs) == 1:
        return inputs[0]
    return {
        name: (_stacked if name.startswith(_PADDED) else np.concatenate)([i[name] for i in inputs])
        for name in inputs[0]
    }


def _stacked(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays [rows, entries] of different numbers of entries; in a tenth of `np.pad`'s time."""
    rows, longest = sum(map(len, arrays)), max(array.shape[1] for array in arrays)
    pad = b"" if arrays[0].dtype == object else 0
    stacked = np.full((rows, longest), pad, arrays[0].dtype)
    begin = 0
    for array in arrays:
        stacked[begin : begin + len(array), : array.shape[1]] = array
        begin += len(array)
    return stacked


def _as_request_error(error: Exception) -> RequestError:
    if isinstance(error, tf.errors.InvalidArgumentError):
        return RequestError("INVALID_ARGUMENT", str(error.message)[:500])
    return RequestError("INTERNAL", f"{type(error).__name__}: {error}"[:500])
