"""An event loop gets the batcher's answers, and is woken once for all of a batch."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest

from trecs.serving.server_answers import Answers
from trecs.serving.server_batching import Batcher
from trecs.serving.server_inputs import Arrays
from trecs.serving.server_settings import RequestError, ServerSettings
from trecs.serving.server_versions import LoadedVersion


class _Doubles:
    """Answers each row with twice its time; refuses a negative one."""

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        if (inputs["request_time"] < 0).any():
            raise RuntimeError("negative")
        return {"double": 2 * inputs["request_time"]}


MODEL = cast("LoadedVersion", _Doubles())


def _batcher(window_s: float) -> Batcher:
    return Batcher(ServerSettings(batch_rows=24, batch_window_s=window_s), lambda rows: None)


def _inputs(time_s: int) -> Arrays:
    return {"request_time": np.array([time_s], np.int64)}


def test_a_batch_wakes_the_loop_once():
    batcher, woken = _batcher(0.3), []

    async def ask() -> list[Arrays]:
        answers, loop = Answers(batcher), asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *told: (woken.append(told), wake(*told))  # type: ignore
        return await asyncio.gather(*(answers.ask(MODEL, "s", _inputs(n), 9) for n in range(20)))

    found = asyncio.run(ask())
    batcher.close()

    assert [int(answer["double"][0]) for answer in found] == list(range(0, 40, 2))
    assert len(woken) == 1


def test_errors_and_late_answers_reach_who_asked():
    batcher = _batcher(0.3)

    async def ask(time_s: int, limit_s: float) -> Arrays:
        return await Answers(batcher).ask(MODEL, "s", _inputs(time_s), limit_s)

    with pytest.raises(RequestError, match="RuntimeError: negative"):
        asyncio.run(ask(-1, 9))
    with pytest.raises(RequestError, match="no answer within 0.1 s") as late:
        asyncio.run(ask(1, 0.1))
    batcher.close()
    assert late.value.code == "DEADLINE_EXCEEDED"


def test_no_answer_is_missed_that_comes_at_once():
    batcher = _batcher(0.0)

    async def ask() -> int:
        answers = Answers(batcher)
        for n in range(300):
            await answers.ask(MODEL, "s", _inputs(n), 2)
        return 300

    assert asyncio.run(ask()) == 300
    batcher.close()
