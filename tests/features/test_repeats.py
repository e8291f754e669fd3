"""Occurrences of items, and what a history's own items are."""

import numpy as np

from trecs.features.repeats import (
    DECAY_DAYS,
    DECAY_EVENTS,
    HOUR_DAYS,
    HOUR_WEIGHTS,
    NUM_SUMS,
    find_occurrences,
    item_habits,
    own_entries,
)

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
    for name in ("count", "interval_s", "sums"):
        _, event = own_entries(occurrences, lo, hi)
        _, same = own_entries(shorter, lo, hi)
        assert event.tolist() == same.tolist()
        assert getattr(occurrences, name)[event].tolist() == getattr(shorter, name)[same].tolist()


def test_sums_are_those_over_all_occurrences_so_far():
    rng = np.random.default_rng(4)
    item, time_s = rng.integers(0, 6, 200).astype(np.int32), rng.integers(0, 9_000_000, 200)
    start = np.array([0, 90, 90, 200])
    for user in range(3):
        time_s[start[user] : start[user + 1]].sort()
    found = find_occurrences(item, time_s, start).sums
    assert found.shape == (200, NUM_SUMS)
    for event in range(200):
        first = 0 if event < 90 else 90
        same = first + np.flatnonzero(item[first : event + 1] == item[event])
        days, events = (time_s[event] - time_s[same]) / 86_400, event - same
        expected = [np.exp(-days / scale).sum() for scale in DECAY_DAYS]
        expected += [np.exp(-events / scale).sum() for scale in DECAY_EVENTS]
        for turn in (np.cos, np.sin):
            for k in range(1, len(HOUR_WEIGHTS)):
                expected.append((np.exp(-days / HOUR_DAYS) * turn(2 * np.pi * k * days)).sum())
        np.testing.assert_allclose(found[event], expected, rtol=1e-5, atol=1e-5)


def test_habits_are_means_drawn_towards_the_logs_average():
    """Item 7: 4 events after others' 3 repeats of it; item 8: one; row 9: never taken."""
    days = np.array([0, 1, 2, 12, 0, 3, 30])
    found = item_habits(ITEM, days * 86_400, find_occurrences(ITEM, days, START), 10)
    gaps = {7: np.log(np.array([2, 10]) + 0.5), 8: np.log(np.array([30]) + 0.5)}
    average = np.concatenate(list(gaps.values())).mean()
    # Three repeats among seven events, and one of each kind more.
    overall = 4 / 9
    for item, num_events in ((7, 4), (8, 3), (9, 0), (0, 0)):
        own = gaps.get(item, np.zeros(0))
        interval = (own.sum() + 100 * average) / (len(own) + 100)
        share = (len(own) + 200 * overall) / (num_events + 200)
        odds = np.log(share / (1 - share)) - np.log(overall / (1 - overall))
        taken = (np.log1p(num_events) - np.log1p([4, 3]).mean()) / 4
        np.testing.assert_allclose(found[item], [interval, odds, taken], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found[9, :2], [average, 0], atol=1e-7)


def test_habits_of_a_log_without_repeats_are_finite():
    item, time_s = np.array([3, 4], np.int32), np.array([5, 6], np.int64)
    found = item_habits(item, time_s, find_occurrences(item, time_s, np.array([0, 2])), 6)
    assert np.isfinite(found).all()
    assert found[3:, 0].tolist() == [0, 0, 0]
