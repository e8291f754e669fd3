"""Counts as of the request, by hand and against a count of the log."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.sequences import build_sequences
from trecs.evaluation.baselines.popularity import MostPopular, PopularAsOf
from trecs.evaluation.requests import make_requests

DAY_S = 86_400


def all_requests(dataset):
    log = dataset.log
    return make_requests(log, build_sequences(log), np.arange(log.num_events), "strict")


@pytest.fixture
def dataset(make_dataset):
    days = [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 3), (0, 2, 8), (1, 2, 8), (0, 0, 9)]
    return make_dataset([(u, i, day * DAY_S) for u, i, day in days], num_items=4)


def test_most_popular_counts_the_training_events_for_everybody(dataset):
    scorer = MostPopular(dataset.log, np.array([0, 1, 3]))
    scores = scorer.score(all_requests(dataset).take(slice(2, 5)))
    assert scores.tolist() == [[2, 1, 0, 0]] * 3
    assert scores.dtype == np.float32


def test_overwriting_scores_does_not_change_the_next_ones(dataset):
    scorer = MostPopular(dataset.log, np.array([0, 1, 3]))
    requests = all_requests(dataset).take(slice(0, 2))
    scorer.score(requests)[:] = -np.inf
    assert scorer.score(requests).tolist() == [[2, 1, 0, 0]] * 2


def test_popular_as_of_counts_the_days_before_and_never_the_requests_own_second(dataset):
    scores = PopularAsOf(dataset.log, days=7).score(all_requests(dataset))
    assert scores.tolist() == [
        [0, 0, 0, 0],  # day 0: nothing before
        [1, 0, 0, 0],  # day 1
        [1, 0, 0, 0],  # day 1: not the other event of that second
        [2, 1, 0, 0],  # day 3
        [1, 2, 0, 0],  # day 8: [1, 8), so day 0 has left and day 1 is in
        [1, 2, 0, 0],
        [0, 1, 2, 0],  # day 9: [2, 9)
    ]
    assert scores.dtype == np.float32


@pytest.mark.parametrize("days", [0.001, 3, 1000])
def test_popular_as_of_agrees_with_a_count_of_the_log_for_any_chunk_and_order(make_dataset, days):
    rng = np.random.default_rng(3)
    time_s = np.sort(rng.integers(0, 20 * DAY_S, 400) // 3600 * 3600)
    users, items = rng.integers(0, 5, 400), rng.integers(0, 11, 400)
    dataset = make_dataset(list(zip(users, items, time_s, strict=True)), num_items=11)
    requests = all_requests(dataset)
    scorer = PopularAsOf(dataset.log, days)
    expected = []
    for t in requests.request_time_s:
        window = (time_s >= t - round(days * DAY_S)) & (time_s < t)
        expected.append([int((items[window] == i).sum()) for i in range(11)])
    whole = scorer.score(requests)
    assert whole.tolist() == expected
    for part in (slice(0, 1), slice(17, 203), slice(399, 400), slice(0, 0), slice(300, 100, -7)):
        assert scorer.score(requests.take(part)).tolist() == expected[part]


@pytest.mark.parametrize("days", [0, -1, float("nan")])
def test_a_window_that_is_not_positive_is_refused(dataset, days):
    with pytest.raises(ValueError, match=f"positive number of days, but {days} came"):
        PopularAsOf(dataset.log, days)
