"""Histories: grouped by user, in time order, and cut before the target."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences, history_bounds
from trecs.errors import ConfigError, DataError


def make_log(user: list[int], timestamp_s: list[int], num_users: int | None = None) -> EventLog:
    """A log whose event k is on item k."""
    num_users = max(user) + 1 if num_users is None else num_users
    return EventLog(
        user=np.array(user, np.int32),
        item=np.arange(len(user), dtype=np.int32),
        timestamp_s=np.array(timestamp_s, np.int64),
        rating=None,
        user_ids=np.array([f"u{k}" for k in range(num_users)], object),
        item_ids=np.array([f"i{k}" for k in range(len(user))], object),
    )


#                     0  1  2  3  4  5  6
LOG = make_log(user=[0, 1, 0, 0, 1, 0, 1], timestamp_s=[10, 10, 20, 20, 20, 20, 30], num_users=3)


def histories(log: EventLog, targets: list[int], ties: str, events=None) -> list[list[int]]:
    sequences = build_sequences(log, events)
    lo, hi = history_bounds(log, sequences, np.array(targets, np.int64), ties)
    return [sequences.order[a:b].tolist() for a, b in zip(lo, hi, strict=True)]


def test_events_are_grouped_by_user_and_keep_the_order_of_the_log():
    sequences = build_sequences(LOG)
    assert sequences.order.tolist() == [0, 2, 3, 5, 1, 4, 6]
    assert sequences.start.tolist() == [0, 4, 7, 7]
    assert sequences.order.dtype == sequences.start.dtype == np.int64


def test_a_subset_of_events_in_any_order_is_grouped_alike_and_is_not_changed():
    events = np.array([6, 3, 0, 1])
    sequences = build_sequences(LOG, events)
    assert sequences.order.tolist() == [0, 3, 1, 6]
    assert sequences.start.tolist() == [0, 2, 4, 4]
    assert events.tolist() == [6, 3, 0, 1]


def test_strict_hides_the_targets_own_second():
    assert histories(LOG, [3, 5, 2, 6, 0], "strict") == [[0], [0], [0], [1, 4], []]


def test_order_shows_what_stands_before_the_target_in_its_second():
    assert histories(LOG, [3, 5, 2, 6, 0], "order") == [[0, 2], [0, 2, 3], [0], [1, 4], []]


def test_a_target_need_not_be_among_the_events_that_may_be_seen():
    train = np.array([0, 1, 2, 4])
    assert histories(LOG, [5, 6], "order", train) == [[0, 2], [1, 4]]
    assert histories(LOG, [5, 6], "strict", train) == [[0], [1, 4]]


def test_empty_targets_and_an_empty_log_give_empty_bounds():
    assert histories(LOG, [], "order") == []
    empty = make_log([], [], num_users=2)
    sequences = build_sequences(empty)
    assert sequences.start.tolist() == [0, 0, 0]
    lo, hi = history_bounds(empty, sequences, np.array([], np.int64), "strict")
    assert lo.size == hi.size == 0


@pytest.mark.parametrize("ties", ["strict", "order"])
def test_bounds_agree_with_a_search_of_the_log_event_by_event(ties):
    rng = np.random.default_rng(7)
    log = make_log(rng.integers(0, 9, 300).tolist(), np.sort(rng.integers(0, 60, 300)).tolist(), 10)
    seen = np.flatnonzero(rng.random(300) < 0.7)
    targets = rng.permutation(300)
    expected = [
        [
            e
            for e in seen.tolist()
            if log.user[e] == log.user[t]
            and (log.timestamp_s[e] < log.timestamp_s[t] if ties == "strict" else e < t)
        ]
        for t in targets
    ]
    assert histories(log, targets.tolist(), ties, seen) == expected


def test_an_unknown_tie_rule_is_refused():
    with pytest.raises(ConfigError, match="one of strict, order, but 'loose' came"):
        histories(LOG, [1], "loose")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.array([7]), r"targets must lie in \[0, 7\).*reach from 7 to 7.*another log"),
        (np.array([-1, 2]), r"targets must lie in \[0, 7\).*reach from -1 to 2"),
        (np.array([True, False]), r"but bool of shape \(2,\) came.*np.flatnonzero"),
        (np.array([[1]]), r"but int64 of shape \(1, 1\) came"),
    ],
)
def test_targets_that_are_no_positions_are_refused(targets, message):
    with pytest.raises(DataError, match=message):
        history_bounds(LOG, build_sequences(LOG), targets, "order")


def test_events_that_are_no_positions_are_refused():
    with pytest.raises(DataError, match=r"events must lie in \[0, 7\)"):
        build_sequences(LOG, np.array([3, 9]))
