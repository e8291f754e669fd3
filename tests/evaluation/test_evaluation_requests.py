"""Which moment a scorer is told, and which targets share a query."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.sequences import build_sequences
from trecs.errors import ConfigError
from trecs.evaluation.requests import distinct_queries, make_requests


def requests_of(dataset, targets, ties="strict", request_time="known"):
    log = dataset.log
    return make_requests(log, build_sequences(log), np.array(targets), ties, request_time)


@pytest.fixture
def basket(make_dataset):
    """User 0 buys one item at 10 and three at 20; user 1 one at 20 and one at 30."""
    return make_dataset([(0, 0, 10), (0, 1, 20), (1, 1, 20), (0, 2, 20), (0, 3, 20), (1, 0, 30)])


def test_a_basket_is_one_query_under_strict_ties(basket):
    requests = requests_of(basket, range(6))
    first, query = distinct_queries(requests)
    assert query.tolist() == [0, 1, 2, 1, 1, 3]
    asked = requests.take(first)
    assert asked.user.tolist() == [0, 0, 1, 1]
    assert asked.request_time_s.tolist() == [10, 20, 20, 30]
    assert (asked.history_hi - asked.history_lo).tolist() == [0, 1, 0, 1]


def test_no_targets_share_a_query_under_order_ties(basket):
    first, query = distinct_queries(requests_of(basket, range(6), ties="order"))
    assert len(first) == 6
    assert sorted(query.tolist()) == list(range(6))


def test_users_with_adjoining_histories_are_not_mixed_up(make_dataset):
    # User 0's history ends where user 1's begins.
    requests = requests_of(make_dataset([(0, 0, 1), (0, 1, 2), (1, 1, 2)]), [1, 2])
    assert len(distinct_queries(requests)[0]) == 2


@pytest.mark.parametrize("ties", ["strict", "order"])
@pytest.mark.parametrize("request_time", ["known", "withheld"])
def test_queries_are_sorted_by_the_time_told_and_each_request_finds_its_own(
    make_dataset, ties, request_time
):
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 5, 80), rng.integers(0, 9, 80), np.sort(rng.integers(0, 25, 80))
    requests = requests_of(
        make_dataset(list(zip(*columns, strict=True))), range(80), ties, request_time
    )
    first, query = distinct_queries(requests)
    asked = requests.take(first)
    assert (np.diff(asked.request_time_s) >= 0).all()
    for name in ("user", "request_time_s", "history_lo", "history_hi"):
        assert np.array_equal(getattr(asked, name)[query], getattr(requests, name))
    pairs = set(zip(requests.user.tolist(), requests.history_hi.tolist(), strict=True))
    assert len(first) == len(pairs)


def test_a_withheld_time_is_that_of_the_last_event_of_the_history(basket):
    requests = requests_of(basket, range(6), request_time="withheld")
    # Without a history: the first second of the log.
    assert requests.request_time_s.tolist() == [10, 10, 10, 10, 10, 20]
    order = requests_of(basket, range(6), ties="order", request_time="withheld")
    assert order.request_time_s.tolist() == [10, 10, 10, 20, 20, 20]


def test_a_withheld_time_does_not_move_with_the_targets_own(make_dataset):
    near = requests_of(make_dataset([(0, 0, 5), (0, 1, 9)]), [1], request_time="withheld")
    far = requests_of(make_dataset([(0, 0, 5), (0, 1, 99)]), [1], request_time="withheld")
    assert near.request_time_s.tolist() == far.request_time_s.tolist() == [5]


def test_an_unknown_rule_is_refused(basket):
    with pytest.raises(ConfigError, match="one of known, withheld, but 'guessed' came"):
        requests_of(basket, [0], request_time="guessed")
