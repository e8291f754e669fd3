"""Occurrences of items, and what a history's own items are."""

import numpy as np

from trecs.features.repeats import find_occurrences, own_entries

# Two users: a b a a | b a b, at these seconds.
ITEM = np.array([7, 8, 7, 7, 8, 7, 8], np.int32)
TIME_S = np.array([0, 10, 20, 50, 0, 5, 100], np.int64)
START = np.array([0, 4, 7])


def test_occurrences_count_link_and_time_each_users_items():
    found = find_occurrences(ITEM, TIME_S, START)
    assert found.count.tolist() == [1, 1, 2, 3, 1, 1, 2]
    assert found.next_index.tolist() == [2, 7, 3, 7, 6, 7, 7]
    assert found.interval_s.tolist() == [0, 0, 20, 25, 0, 0, 100]


def test_own_entries_are_the_newest_occurrences_inside_each_history():
    occurrences = find_occurrences(ITEM, TIME_S, START)
    query, event = own_entries(occurrences, np.array([0, 0, 4, 4]), np.array([3, 0, 6, 7]))
    pairs = list(zip(query.tolist(), event.tolist(), strict=True))
    assert pairs == [(0, 1), (0, 2), (2, 4), (2, 5), (3, 5), (3, 6)]


def test_a_later_event_changes_no_entry_before_it():
    occurrences = find_occurrences(ITEM, TIME_S, START)
    shorter = find_occurrences(ITEM[:6], TIME_S[:6], np.array([0, 4, 6]))
    lo, hi = np.array([0, 4]), np.array([4, 6])
    for name in ("count", "interval_s"):
        _, event = own_entries(occurrences, lo, hi)
        _, same = own_entries(shorter, lo, hi)
        assert event.tolist() == same.tolist()
        assert getattr(occurrences, name)[event].tolist() == getattr(shorter, name)[same].tolist()
