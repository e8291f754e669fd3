"""The serving graph lays a raw request out as training and evaluation do."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.batches import EventRows, query_batches
from trecs.features.spec import FIRST_ITEM_ROW, QUERY_FEATURES, UNKNOWN_ROW
from trecs.serving.request import UNKNOWN_CANDIDATE, query_batch, sorted_history

NUM_ITEMS = 9
HISTORY_LEN = 8
REQUEST_S = 1_000_000_000

History = list[tuple[int, int] | None]


def serve(histories: list[History], strict: bool, width: int) -> dict[str, NDArray[np.generic]]:
    """Serves histories of (candidate, time), None being padding, each in the order given."""
    ids = np.full((len(histories), width), "", object)
    candidate = np.full((len(histories), width), UNKNOWN_CANDIDATE, np.int32)
    times = np.zeros((len(histories), width), np.int64)
    for row, history in enumerate(histories):
        for column, event in enumerate(history):
            if event is not None:
                candidate[row, column], times[row, column] = event
                ids[row, column] = f"i{event[0]}"
    request = tf.fill([len(histories)], tf.constant(REQUEST_S, tf.int64))
    known, sorted_s, count = sorted_history(
        tf.constant(candidate),
        tf.constant(ids, tf.string, ids.shape),
        tf.constant(times),
        request,
        strict,
    )
    user = tf.range(len(histories), dtype=tf.int32)
    batch = query_batch(user, known, sorted_s, count, request, HISTORY_LEN)
    return {name: value.numpy() for name, value in batch.items()}


def offline(histories: list[History], strict: bool) -> dict[str, NDArray[np.generic]]:
    """The same by `query_batches`, over events sorted and cut in Python."""
    kept = [
        sorted(
            (
                e
                for e in h
                if e is not None and (e[1] < REQUEST_S or (e[1] == REQUEST_S and not strict))
            ),
            key=lambda event: event[1],
        )
        for h in histories
    ]
    # An event of nobody at the end: a world without any event has no arrays to index.
    flat = [event for history in kept for event in history] + [(0, 0)]
    start = np.cumsum([0, *map(len, kept)])
    rows = EventRows(
        item_row=np.array([c for c, _ in flat], np.int32) + FIRST_ITEM_ROW,
        time_s=np.array([t for _, t in flat], np.int64),
        start=start.astype(np.int64),
        user_row=np.arange(len(kept), dtype=np.int32),
    )
    result: dict[str, NDArray[np.generic]] = {}
    for chosen, batch in query_batches(
        rows,
        np.arange(len(kept), dtype=np.int32),
        rows.start[:-1],
        rows.start[1:],
        np.full(len(kept), REQUEST_S, np.int64),
        history_len=HISTORY_LEN,
        batch_rows=1024,
    ):
        for name, values in batch.items():
            result.setdefault(name, np.zeros((len(kept), *values.shape[1:]), values.dtype))
            result[name][chosen] = values
    return result


def random_history(rng: np.random.Generator) -> History:
    """Up to 20 events in any order with ties, some at and after the request, padded anywhere."""
    num_events = int(rng.choice([0, 1, 7, 8, 9, int(rng.integers(0, 20))]))
    # Around ten distinct seconds, the last three of them at the request or later.
    times = REQUEST_S + (rng.integers(0, 10, num_events) - 7) * 3600
    candidates = rng.integers(UNKNOWN_CANDIDATE, NUM_ITEMS, num_events)
    history: History = list(zip(candidates.tolist(), times.tolist(), strict=True))
    for place in rng.integers(0, num_events + 1, int(rng.integers(0, 5))):
        history.insert(int(place), None)
    return history


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_serving_lays_out_what_evaluation_does(strict: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    histories = [random_history(rng) for _ in range(100)]
    served = serve(histories, strict, width=30)
    expected = offline(histories, strict)
    assert served.keys() == expected.keys()
    for feature in QUERY_FEATURES:
        assert served[feature.name].dtype == np.dtype(feature.dtype), feature.name
        np.testing.assert_array_equal(served[feature.name], expected[feature.name])


@pytest.mark.parametrize("width", [0, 1, 5])
def test_no_history_in_any_width_is_an_empty_history(width: int) -> None:
    served = serve([[], []], True, width)
    for name, values in offline([[], []], True).items():
        np.testing.assert_array_equal(served[name], values)


def test_events_at_or_after_the_request_and_padding_change_nothing() -> None:
    past = [(3, REQUEST_S - 50), (4, REQUEST_S - 90)]
    more = [None, (5, REQUEST_S + 1), past[0], (6, REQUEST_S), None, past[1], (7, 2 * REQUEST_S)]
    short, long = serve([past], True, 2), serve([more], True, 9)
    for name in short:
        np.testing.assert_array_equal(short[name], long[name])
    # Candidates 4 and 3 stand in rows 6 and 5.
    assert short["history_row"][0].tolist() == [0, 6, 5, 0, 0, 0, 0, 0]


def test_an_unknown_item_is_an_event_of_the_unknown_row() -> None:
    served = serve([[(UNKNOWN_CANDIDATE, REQUEST_S - 5)]], True, 1)
    assert served["history_row"][0, :2].tolist() == [0, UNKNOWN_ROW]
    assert served["event_time_s"][0, :2].tolist() == [REQUEST_S - 5, REQUEST_S - 5]
    assert served["next_time_s"][0, :2].tolist() == [REQUEST_S - 5, REQUEST_S]


def test_the_caller_s_order_breaks_ties() -> None:
    at = REQUEST_S - 5
    served = serve([[(2, at), (1, at)], [(1, at), (2, at)]], True, 2)
    assert served["history_row"][:, 1:3].tolist() == [[4, 3], [3, 4]]
