"""Choices of the protocol: whose events are targets, shared rows, cold targets, the time told."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.splits import Split
from trecs.errors import ConfigError, DataError
from trecs.evaluation.baselines.popularity import PopularAsOf
from trecs.evaluation.protocol import evaluate


class Row:
    """The same scores for all, counting the queries."""

    def __init__(self, *row: float) -> None:
        self._row = np.array(row, np.float32)
        self.times: list[int] = []

    def score(self, requests):
        self.times += requests.request_time_s.tolist()
        return np.tile(self._row, (len(requests), 1))


@pytest.fixture
def baskets(make_dataset):
    """One training event each; then user 0 takes 1, 2, 3 in one second, user 1 item 4, user 0 0."""
    events = [(0, 0, 1), (1, 1, 2), (0, 1, 10), (0, 2, 10), (0, 3, 10), (1, 4, 11), (0, 0, 12)]
    dataset = make_dataset(events, num_items=5, listed=(2, 3))
    return dataset, Split("temporal", "strict", np.arange(2), np.arange(0), np.arange(2, 7), 10, 10)


def test_targets_of_one_second_share_a_query_and_keep_their_own_ranks(baskets):
    scorer = Row(9, 7, 8, 6, 5)
    found = evaluate(*baskets, scorer, exclude_seen=True, top_k=4)
    assert scorer.times == [10, 11, 12]
    # Item 0 is seen by user 0; item 4 is unknown at 10, and cold at 11; 0 at 12 is seen.
    assert found.ranks.tolist() == [2, 1, 3, 0, 0]
    assert found.top_items.tolist() == [
        [2, 1, 3, -1],
        [2, 1, 3, -1],
        [2, 1, 3, -1],
        [0, 2, 3, -1],
        [4, -1, -1, -1],
    ]


def test_targets_that_tie_in_second_and_score_all_stand_in_the_middle(baskets):
    found = evaluate(*baskets, Row(1, 1, 1, 1, 1), exclude_seen=True, top_k=3)
    # Each of items 1, 2, 3: 1 + 0 + 3 // 2. Nothing tells them apart, and none is a history of
    # another.
    assert found.ranks.tolist()[:3] == [2, 2, 2]
    assert found.top_items.tolist()[:3] == [[2, 1, 3], [1, 2, 3], [1, 3, 2]]


def test_under_order_ties_a_target_sees_those_before_it_in_its_second(baskets):
    dataset, split = baskets
    ordered = Split(
        "temporal", "order", *(getattr(split, p) for p in ("train", "validation", "test")), 10, 10
    )
    found = evaluate(dataset, ordered, Row(9, 7, 8, 6, 5), exclude_seen=True, top_k=3)
    assert found.ranks.tolist()[:3] == [2, 1, 1]
    assert found.top_items.tolist()[:3] == [[2, 1, 3], [2, 3, -1], [3, -1, -1]]


@pytest.mark.parametrize(
    ("per_user", "expected"), [("all", [2, 3, 4, 5, 6]), ("last", [5, 6]), ("first", [2, 5])]
)
def test_the_last_or_first_target_of_each_user(baskets, per_user, expected):
    found = evaluate(*baskets, Row(0, 0, 0, 0, 0), exclude_seen=False, per_user=per_user)
    assert found.events.tolist() == expected
    assert found.protocol["per_user"] == per_user


def test_cold_targets_are_misses_or_left_out_and_counted_both_ways(baskets):
    miss = evaluate(*baskets, Row(1, 2, 3, 4, 5), exclude_seen=False)
    warm = evaluate(*baskets, Row(1, 2, 3, 4, 5), exclude_seen=False, cold_targets="leave-out")
    assert miss.events[miss.cold].tolist() == [5]
    assert warm.events.tolist() == [2, 3, 4, 6]
    assert np.array_equal(warm.ranks, miss.ranks[~miss.cold])
    assert not warm.cold.any()
    assert miss.protocol["num_cold_targets"] == warm.protocol["num_cold_targets"] == 1
    assert "counts as a miss" in miss.protocol["cold_policy"]
    assert "left out of the targets" in warm.protocol["cold_policy"]


def test_cold_targets_alone_leave_nothing_to_measure(baskets):
    with pytest.raises(DataError, match="all 1 are cold and left out"):
        evaluate(
            *baskets,
            Row(1, 2, 3, 4, 5),
            targets=np.array([5]),
            exclude_seen=False,
            cold_targets="leave-out",
        )


def test_a_withheld_time_is_all_that_a_scorer_is_told(baskets):
    scorer = Row(0, 0, 0, 0, 0)
    found = evaluate(*baskets, scorer, exclude_seen=False, request_time="withheld")
    # The times of user 0's and 1's training events, and of user 0's basket.
    assert scorer.times == [1, 2, 10]
    assert found.protocol["request_time"] == "withheld"
    assert found.time_s.tolist() == [10, 10, 10, 11, 12]
    known = evaluate(*baskets, Row(0, 0, 0, 0, 0), exclude_seen=False)
    # Candidates, and so cold targets and chances, are those of the real moment either way.
    assert np.array_equal(found.ranks, known.ranks)


def test_popularity_is_as_of_the_time_told(make_dataset):
    # Item 1 becomes popular between user 0's last event and the target.
    events = [(0, 0, 1), (1, 0, 2), (0, 0, 3), *((2, 1, t) for t in range(4, 9)), (0, 1, 9)]
    dataset = make_dataset(events, listed=(0, 1))
    test = np.array([len(events) - 1])
    split = Split("temporal", "strict", np.arange(3), np.arange(0), test, 4, 4)
    for request_time, rank in (("known", 1), ("withheld", 2)):
        found = evaluate(
            dataset, split, PopularAsOf(dataset.log), exclude_seen=False, request_time=request_time
        )
        assert found.ranks.tolist() == [rank]


def test_what_slices_need_is_kept(baskets):
    found = evaluate(*baskets, Row(0, 0, 0, 0, 0), exclude_seen=False)
    assert found.gap_s.tolist() == [9, 9, 9, 9, 2]
    assert found.known_user.tolist() == [True] * 5
    assert found.train_counts.tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("choice", ["per_user", "cold_targets"])
def test_an_unknown_choice_is_refused(baskets, choice):
    with pytest.raises(ConfigError, match=rf"{choice} must be one of .*, but 'some' came"):
        evaluate(*baskets, Row(0, 0, 0, 0, 0), exclude_seen=False, **{choice: "some"})
