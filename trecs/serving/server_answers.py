"""Answers of the batcher, awaited in an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from trecs.serving.server_batching import Batcher
from trecs.serving.server_inputs import Arrays
from trecs.serving.server_settings import RequestError
from trecs.serving.server_versions import LoadedVersion

_T = TypeVar("_T")

SMALL_BODY = 16 << 10
"""Bytes of a request that is read in the loop, sooner than another thread would begin to."""
SMALL_ANSWER = 1000
"""Values of an answer that is written in the loop, likewise."""


class Answers:
    """Asks the batcher for an event loop, and wakes the loop once a batch.

    `asyncio.wrap_future` would wake it for each answer, and each time the batcher's thread gives
    the interpreter away in the middle of its work.

    Args:
      batcher: computes the answers.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._loop: asyncio.AbstractEventLoop | None = None
        self._came: deque[tuple[asyncio.Future[Arrays], Future[Arrays]]] = deque()
        batcher.tell_of_batches(self._wake)

    async def ask(
        self, version: LoadedVersion, signature: str, inputs: Arrays, limit_s: float
    ) -> Arrays:
        """The answer to a checked request; all callers are in the same loop.

        Raises:
          RequestError: UNAVAILABLE, the queue is full; DEADLINE_EXCEEDED after `limit_s` seconds;
            or what went wrong.
        """
        job = self._batcher.submit(version, signature, inputs, limit_s)
        self._loop = asyncio.get_running_loop()
        answer: asyncio.Future[Arrays] = self._loop.create_future()
        job.add_done_callback(lambda done: self._came.append((answer, done)))
        # The batch may have ended before the line above, and its wake-up with it.
        if job.done():
            self._hand_out()
        timer = self._loop.call_later(limit_s, _give_up, answer, limit_s)
        try:
            return await answer
        finally:
            timer.cancel()
            job.cancel()

    def _wake(self) -> None:
        if self._came and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        while self._came:
            answer, done = self._came.popleft()
            if answer.done():
                continue
            error = done.exception()
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)


def _give_up(answer: asyncio.Future[Arrays], limit_s: float) -> None:
    if not answer.done():
        late = f"no answer within {limit_s:.1f} s; ask for less at once, or again later"
        answer.set_exception(RequestError("DEADLINE_EXCEEDED", late))


async def here_or_aside(here: bool, function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function in the loop, or in another thread where that would hold up the others."""
    return function(*arguments) if here else await asyncio.to_thread(function, *arguments)
