"""The tie band, on a world whose ties decide everything and on one without ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trecs.data.splits import leave_last_out
from trecs.evaluation.tie_band import markov_tie_band, reorder_ties, tie_band


class FollowedBy:
    """Scores an item by how often it came right after the last item of the history."""

    def __init__(self, dataset, split):
        log = dataset.log
        self._order = np.lexsort((np.arange(log.num_events), log.user))
        self._item = log.item[self._order]
        pair = log.user[self._order][1:] == log.user[self._order][:-1]
        pair &= np.isin(self._order[1:], split.train)
        self._counts = np.zeros((log.num_items, log.num_items), np.float32)
        np.add.at(self._counts, (self._item[:-1][pair], self._item[1:][pair]), 1)

    def score(self, requests):
        return self._counts[self._item[requests.history_hi - 1]]


def test_reordering_moves_items_inside_a_users_second_alone(make_dataset):
    log = make_dataset([(0, 2, 5), (1, 3, 5), (0, 1, 5), (1, 0, 5), (0, 4, 6)]).log
    log = replace(log, rating=np.arange(5, dtype=np.float32))
    found = reorder_ties(log, log.item.astype(np.int64))
    assert found.item.tolist() == [1, 0, 2, 3, 4]
    assert found.rating.tolist() == [2, 3, 0, 1, 4]
    assert found.user is log.user
    assert found.timestamp_s is log.timestamp_s
    assert log.item.tolist() == [2, 3, 1, 0, 4]


def test_without_ties_the_band_has_no_width(make_dataset):
    dataset = make_dataset([(u, (u + k) % 4, 100 * u + k) for u in range(9) for k in range(4)])
    split = leave_last_out(dataset.log)
    band = tie_band(dataset, split, FollowedBy, exclude_seen=False, num_shuffles=3)
    assert band.low == band.high == band.mean == band.as_given
    assert band.by_id_ascending == band.by_id_descending == band.as_given


def test_the_order_inside_ties_decides_what_is_last(make_dataset):
    # Each of ten users ends with items 1 and 2 in one second, in this order; item 1 scores best.
    events = [
        (user, item, 100 * user + second)
        for user in range(10)
        for item, second in ((0, 1), (0, 2), (1, 9), (2, 9))
    ]
    dataset = make_dataset(events, listed=(0, 1, 2))
    fitted = []

    class FirstItem:
        def __init__(self, dataset, split):
            fitted.append(dataset.log.item.tolist())

        def score(self, requests):
            return np.tile(np.array([0, 2, 1], np.float32), (len(requests), 1))

    band = tie_band(
        dataset,
        leave_last_out(dataset.log),
        FirstItem,
        exclude_seen=False,
        metric="recall@1",
        num_shuffles=6,
    )
    assert (band.as_given, band.by_id_ascending, band.by_id_descending) == (0.0, 0.0, 1.0)
    # A shuffle puts item 1 last for some of the ten; the scorer is fitted to each order.
    last = [np.array(items).reshape(10, -1)[:, -1] for items in fitted[3:]]
    assert band.shuffled == tuple(pytest.approx((items == 1).mean()) for items in last)
    assert band.low == min(band.shuffled) < band.high == max(band.shuffled)
    assert band.mean == pytest.approx(np.mean(band.shuffled))


def test_numeric_ids_are_ordered_as_numbers(make_dataset):
    dataset = make_dataset([(0, 0, 1), (0, 1, 2), (0, 0, 3), (0, 1, 3), (0, 2, 3)])
    named = replace(dataset.log, item_ids=np.array(["10", "9", "100"], object))
    last = {}

    class Recorder:
        def __init__(self, dataset, split):
            last[len(last)] = int(dataset.log.item[-1])

        def score(self, requests):
            return np.zeros((len(requests), 3), np.float32)

    split = leave_last_out(named)
    tie_band(replace(dataset, log=named), split, Recorder, exclude_seen=False, num_shuffles=1)
    # As given, ascending (9, 10, 100), descending.
    assert [last[k] for k in range(3)] == [2, 2, 1]


def test_no_random_order_is_refused(make_dataset):
    dataset = make_dataset([(0, 0, 1), (0, 1, 2), (0, 2, 3)])
    with pytest.raises(ValueError, match="one random order at least, but 0"):
        tie_band(
            dataset, leave_last_out(dataset.log), FollowedBy, exclude_seen=False, num_shuffles=0
        )


def test_the_markov_band_is_that_of_its_shares(make_dataset):
    # Item 1 always follows item 0, and item 2 shares its second: the last of the two is the target.
    events = [(u, i, 100 * u + s) for u in range(8) for i, s in ((0, 1), (3, 2), (1, 9), (2, 9))]
    # Others end with item 2 alone, so it follows the more often.
    events += [
        (u, i, 100 * u + s)
        for u in range(8, 12)
        for i, s in ((0, 1), (3, 2), (2, 9), (4, 11), (5, 12))
    ]
    dataset = make_dataset(events, listed=range(6))
    split = leave_last_out(dataset.log)
    band = markov_tie_band(dataset, split, exclude_seen=True, num_shuffles=4)
    found = band.to_json()
    assert found["num_shuffles"] == 4
    assert found["low"] <= found["mean"] <= found["high"]
    assert found["as_given"] == found["by_id_ascending"]
    assert found["by_id_descending"] != found["as_given"]
