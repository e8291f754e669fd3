"""Requests are computed together, and none of them notices."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import numpy as np
import pytest

from trecs.serving.server_batching import Batcher
from trecs.serving.server_inputs import Arrays
from trecs.serving.server_settings import RequestError, ServerSettings
from trecs.serving.server_versions import LoadedVersion


class _Sums:
    """Answers each row with the sum of its times; refuses a negative one; waits for the gate."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []
        self.gate = threading.Event()

    def run(self, signature: str, inputs: Arrays) -> Arrays:
        self.gate.wait(10)
        times = inputs["history_timestamps"]
        self.batches.append(times.shape)
        if (times < 0).any():
            raise RuntimeError("negative")
        return {"sum": times.sum(axis=1)}


def _inputs(*rows: list[int]) -> Arrays:
    ids = np.full((len(rows), len(rows[0])), b"x", object)
    return {"history_item_ids": ids, "history_timestamps": np.array(rows, np.int64)}


def _batcher(**settings: Any) -> tuple[Batcher, LoadedVersion, _Sums, list[int]]:
    observed: list[int] = []
    model = _Sums()
    batcher = Batcher(ServerSettings(**settings), observed.append)
    return batcher, cast("LoadedVersion", model), model, observed


def test_histories_of_like_length_are_padded_and_answered_apart():
    batcher, version, model, observed = _batcher(batch_window_s=0.2)
    model.gate.set()
    short, pair, long = _inputs([1, 2]), _inputs([3, 4, 5], [6, 7, 8]), _inputs([1] * 128)
    futures = [batcher.submit(version, "s", one, 10) for one in (short, pair, long)]
    answers = [future.result(10)["sum"].tolist() for future in futures]
    batcher.close()

    assert answers == [[3], [12, 21], [128]]
    assert model.batches == [(3, 3), (1, 128)]
    assert observed == [3, 1]
    assert short["history_item_ids"].shape == (1, 2)


def test_signatures_and_versions_are_not_mixed():
    batcher, version, model, _ = _batcher(batch_window_s=0.2)
    other = _Sums()
    model.gate.set()
    other.gate.set()
    for where, signature in ((version, "a"), (version, "b"), (other, "a")):
        batcher.submit(cast("LoadedVersion", where), signature, _inputs([1]), 10)
    batcher.close()

    assert (model.batches, other.batches) == ([(1, 1), (1, 1)], [(1, 1)])


def test_one_bad_request_does_not_spoil_the_others_of_its_batch():
    batcher, version, model, _ = _batcher(batch_window_s=0.2)
    model.gate.set()
    good, bad = (batcher.submit(version, "s", _inputs([n]), 10) for n in (5, -5))

    assert good.result(10)["sum"].tolist() == [5]
    with pytest.raises(RequestError, match="RuntimeError: negative"):
        bad.result(10)
    batcher.close()


def test_a_full_queue_refuses_and_a_late_request_is_dropped():
    batcher, version, model, _ = _batcher(batch_window_s=0.0, max_queued=1, timeout_s=0.05)
    first = batcher.submit(version, "s", _inputs([1]), 10)
    while batcher._waiting.qsize():
        time.sleep(0.01)
    time.sleep(0.05)
    late = batcher.submit(version, "s", _inputs([2]), 0.05)
    with pytest.raises(RequestError, match="1 requests are waiting; try again later"):
        batcher.submit(version, "s", _inputs([3]), 10)
    time.sleep(0.1)
    model.gate.set()

    assert first.result(10)["sum"].tolist() == [1]
    with pytest.raises(RequestError, match="waited longer than 0.05 s"):
        late.result(10)
    batcher.close()
    assert model.batches == [(1, 1)]
