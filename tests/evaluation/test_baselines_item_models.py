"""Item neighbours, EASE and Markov against dense NumPy straight from their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data import cooccurrences
from trecs.data.ease import fit_ease
from trecs.data.sequences import build_sequences
from trecs.evaluation.baselines.ease import Ease
from trecs.evaluation.baselines.item_knn import ItemKnn, nearest_items
from trecs.evaluation.baselines.markov import Markov, transition_shares
from trecs.evaluation.requests import make_requests

NUM_USERS, NUM_ITEMS, NUM_EVENTS, NUM_TRAIN = 12, 15, 260, 180


@pytest.fixture(params=range(3))
def shop(request, make_dataset):
    """Random events with repeats; item 14 and user 11 come after the training part only."""
    rng = np.random.default_rng(request.param)
    user, item = rng.integers(0, NUM_USERS, NUM_EVENTS), rng.integers(0, NUM_ITEMS, NUM_EVENTS)
    user[:NUM_TRAIN] %= NUM_USERS - 1
    item[:NUM_TRAIN] %= NUM_ITEMS - 1
    user[NUM_TRAIN], item[NUM_TRAIN] = 11, 14
    events = list(zip(user, item, range(NUM_EVENTS), strict=True))
    return make_dataset(events, num_items=NUM_ITEMS, num_users=NUM_USERS)


@pytest.fixture
def train():
    return np.arange(NUM_TRAIN)


def requests_of(dataset):
    log = dataset.log
    return make_requests(log, build_sequences(log), np.arange(NUM_TRAIN, NUM_EVENTS), "order")


def histories(dataset):
    """Item lists, oldest first, of the requests."""
    log = dataset.log
    return [
        [int(i) for i in log.item[:k][log.user[:k] == log.user[k]]]
        for k in range(NUM_TRAIN, NUM_EVENTS)
    ]


def binary(dataset):
    """X of the training part, float64 [users, items]."""
    matrix = np.zeros((NUM_USERS, NUM_ITEMS))
    matrix[dataset.log.user[:NUM_TRAIN], dataset.log.item[:NUM_TRAIN]] = 1
    return matrix


def dense_similarities(x, shrinkage):
    both, count = x.T @ x, x.sum(axis=0)
    similarity = both / np.maximum(np.sqrt(np.outer(count, count)) + shrinkage, 1e-300)
    np.fill_diagonal(similarity, 0)
    return similarity


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize(("count", "shrinkage"), [(3, 0.0), (5, 10.0), (100, 2.5)])
def test_neighbours_are_the_largest_shrunk_cosines(
    shop, train, monkeypatch, count, shrinkage, block
):
    monkeypatch.setattr(cooccurrences, "_BLOCK_PRODUCTS", block)
    found = nearest_items(shop.log, train, count, shrinkage).toarray()
    expected = dense_similarities(binary(shop), shrinkage)
    for row in range(NUM_ITEMS):
        # Equal ones by the lower item row; rounding to float32 decides what is equal.
        order = np.argsort(-expected[row].astype(np.float32), kind="stable")[count:]
        expected[row, order] = 0
    assert found == pytest.approx(expected, rel=1e-5)


def test_item_knn_sums_similarities_over_the_distinct_items_of_the_history(shop, train):
    neighbours = nearest_items(shop.log, train, 4, 1.0)
    dense = neighbours.toarray().astype(np.float64)
    scores = ItemKnn(shop.log, neighbours).score(requests_of(shop))
    expected = [dense[sorted(set(history))].sum(axis=0) for history in histories(shop)]
    assert scores == pytest.approx(np.array(expected), rel=1e-5)


def test_two_items_of_the_same_users_have_the_cosine_of_the_hand(make_dataset):
    # Item 0: users 0, 1, 2; item 1: users 0, 1; both: 2. 2 / (sqrt(6) + 1).
    events = [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4), (2, 0, 5), (0, 0, 6)]
    dataset = make_dataset(events, num_items=3)
    found = nearest_items(dataset.log, np.arange(6), 2, 1.0).toarray()
    value = 2 / (6**0.5 + 1)
    assert found == pytest.approx(np.array([[0, value, 0], [value, 0, 0], [0, 0, 0]]), rel=1e-6)


def dense_ease(x, regularization):
    inverse = np.linalg.inv(x.T @ x + regularization * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("decay", [1.0, 0.7])
@pytest.mark.parametrize("regularization", [0.5, 20.0])
def test_ease_agrees_with_its_closed_form(shop, train, regularization, decay):
    ease = fit_ease(shop.log, train, regularization)
    scores = Ease(shop.log, ease, decay).score(requests_of(shop))
    weights, expected = dense_ease(binary(shop), regularization), []
    for history in histories(shop):
        age = {item: len(history) - 1 - place for place, item in enumerate(history)}
        expected.append(sum((decay ** age[i] * weights[i] for i in age), np.zeros(NUM_ITEMS)))
    assert scores == pytest.approx(np.array(expected), rel=1e-3, abs=1e-5)
    assert not np.diag(ease.weights).any()


def test_ease_of_more_rows_than_a_block_of_its_mirror(make_dataset, monkeypatch):
    monkeypatch.setattr("trecs.data.ease._BLOCK_ROWS", 4)
    rng = np.random.default_rng(1)
    columns = rng.integers(0, 8, 150), rng.integers(0, 11, 150), np.arange(150)
    dataset = make_dataset(list(zip(*columns, strict=True)), num_items=11, num_users=8)
    matrix = np.zeros((8, 11))
    matrix[columns[0], columns[1]] = 1
    weights = fit_ease(dataset.log, np.arange(150), 3.0).weights
    assert weights == pytest.approx(dense_ease(matrix, 3.0), rel=1e-3, abs=1e-6)


def test_ease_of_the_most_frequent_items_is_ease_of_these_alone(shop, train):
    x = binary(shop)
    items = np.sort(np.argsort(-x.sum(axis=0), kind="stable")[:6])
    ease = fit_ease(shop.log, train, 2.0, max_items=6)
    assert ease.items.tolist() == items.tolist()
    assert ease.weights == pytest.approx(dense_ease(x[:, items], 2.0), rel=1e-3, abs=1e-6)
    scores = Ease(shop.log, ease).score(requests_of(shop))
    others = np.setdiff1d(np.arange(NUM_ITEMS), items)
    assert not scores[:, others].any()


def dense_transitions(dataset, window):
    counts = np.zeros((NUM_ITEMS, NUM_ITEMS))
    for user in range(NUM_USERS):
        chain = dataset.log.item[:NUM_TRAIN][dataset.log.user[:NUM_TRAIN] == user]
        for start in range(len(chain)):
            for distance in range(1, window + 1):
                if start + distance < len(chain):
                    counts[chain[start], chain[start + distance]] += 1 / distance
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


@pytest.mark.parametrize("window", [1, 4, 300])
def test_transitions_weigh_pairs_by_their_distance(shop, train, window):
    found = transition_shares(shop.log, train, window).toarray()
    assert found == pytest.approx(dense_transitions(shop, window), rel=1e-5)


def test_markov_sums_the_rows_of_the_last_events(shop, train):
    transitions = transition_shares(shop.log, train, 3)
    scores = Markov(shop.log, transitions, decay=0.6, last=5).score(requests_of(shop))
    dense, expected = dense_transitions(shop, 3), []
    for history in histories(shop):
        newest_first = history[::-1][:5]
        terms = (0.6**age * dense[item] for age, item in enumerate(newest_first))
        expected.append(sum(terms, np.zeros(NUM_ITEMS)))
    assert scores == pytest.approx(np.array(expected), rel=1e-5)


@pytest.mark.parametrize("name", ["item_knn", "ease", "markov"])
def test_no_history_and_untrained_items_score_nothing(make_dataset, name):
    # Request 4 has no history; request 5 has item 3, which training never saw.
    events = [(0, 0, 1), (0, 1, 2), (1, 1, 3), (1, 0, 4), (2, 3, 5), (2, 0, 6)]
    dataset = make_dataset(events, num_items=4)
    log, train = dataset.log, np.arange(4)
    scorer = {
        "item_knn": lambda: ItemKnn(log, nearest_items(log, train, 5, 0.0)),
        "ease": lambda: Ease(log, fit_ease(log, train, 1.0)),
        "markov": lambda: Markov(log, transition_shares(log, train, 2), decay=0.8),
    }[name]()
    requests = make_requests(log, build_sequences(log), np.array([1, 4, 5]), "order")
    scores = scorer.score(requests)
    assert scores.dtype == np.float32
    assert scores[0, 1] > 0
    assert scores[0, 2:].tolist() == [0, 0]
    assert not scores[1:].any()


def test_settings_out_of_range_are_refused(shop, train):
    with pytest.raises(ValueError, match="num_neighbours >= 1 and shrinkage >= 0, but 0 and 1.0"):
        nearest_items(shop.log, train, 0, 1.0)
    with pytest.raises(ValueError, match="regularization above 0 .* but 0.0 and 10000 came"):
        fit_ease(shop.log, train, 0.0)
    with pytest.raises(ValueError, match="decay of a history must be in \\(0, 1\\], but 1.5"):
        Ease(shop.log, fit_ease(shop.log, train, 1.0), decay=1.5)
    with pytest.raises(ValueError, match="window of transitions must be at least 1, but 0 came"):
        transition_shares(shop.log, train, 0)
    with pytest.raises(ValueError, match="one last event at least, but 0.8 and 0 came"):
        Markov(shop.log, transition_shares(shop.log, train, 1), decay=0.8, last=0)
