"""ALS and BPR: the right item wins in a world of two tastes; new users and items get an answer."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.sequences import build_sequences
from trecs.evaluation.baselines.factorization import Als, Bpr
from trecs.evaluation.requests import make_requests

pytest.importorskip("implicit", reason="the extra baselines is not installed")

NUM_ITEMS = 9
# As many as there are tastes.
NUM_FACTORS = 2


@pytest.fixture
def tastes(make_dataset):
    """Users 0 to 19 have three of the items 0 to 3, users 20 to 39 three of 4 to 7.

    After the training part, user 40 starts with item 5, and item 8 appears; user 0 turns to 5.
    """
    events = []
    for user in range(40):
        first = 0 if user < 20 else 4
        events += [(user, first + k, 0) for k in range(4) if k != user % 4]
    num_train = len(events)
    later = [(40, 5, 1), (41, 8, 1), (0, 5, 1), (40, 6, 2), (0, 6, 3), (0, 6, 4), (42, 1, 5)]
    dataset = make_dataset(events + later, num_items=NUM_ITEMS)
    return dataset, np.arange(num_train)


def requests_of(dataset, positions):
    return make_requests(dataset.log, build_sequences(dataset.log), positions, "strict")


def als(log, train):
    return Als(log, train, num_factors=NUM_FACTORS, regularization=0.1, alpha=5.0)


def bpr(log, train):
    return Bpr(log, train, num_factors=NUM_FACTORS, regularization=0.01, learning_rate=0.1)


@pytest.mark.parametrize("make", [als, bpr])
def test_the_missing_item_of_a_users_taste_beats_the_other_taste(tastes, make):
    dataset, train = tastes
    # Request time 1: user 0 has only the training events behind it.
    requests = requests_of(dataset, np.array([train.size + 2]))
    scores = make(dataset.log, train).score(requests)[0]
    assert scores.dtype == np.float32
    assert scores[0] > scores[4:8].max()


def test_als_solves_a_new_user_from_the_history(tastes):
    dataset, train = tastes
    # Before time 2 user 40 has item 5 alone, and trained nothing.
    scores = als(dataset.log, train).score(requests_of(dataset, np.array([train.size + 3])))[0]
    assert scores[[4, 6, 7]].min() > scores[:4].max()


def test_als_agrees_with_the_normal_equations(tastes):
    dataset, train = tastes
    scorer = als(dataset.log, train)
    items = scorer._model.item_factors.astype(np.float64)
    had = [1, 2, 3, 5]
    confidence = np.ones(NUM_ITEMS)
    confidence[had] = 5.0
    wanted = np.zeros(NUM_ITEMS)
    wanted[had] = 1
    left = items.T @ (confidence[:, None] * items) + 0.1 * np.eye(NUM_FACTORS)
    user = np.linalg.solve(left, items.T @ (confidence * wanted))
    # Before time 3 user 0 has the items 1, 2, 3 of the training part and 5.
    scores = scorer.score(requests_of(dataset, np.array([train.size + 4])))[0]
    assert scores == pytest.approx(items @ user, rel=1e-3, abs=1e-4)


def test_als_knows_nothing_of_an_empty_history_and_of_an_untrained_item(tastes):
    dataset, train = tastes
    scores = als(dataset.log, train).score(requests_of(dataset, train.size + np.array([0, 4])))
    assert not scores[0].any()
    assert scores[1, 8] == 0


def test_bpr_gives_new_users_the_mean_and_untrained_items_the_last_place(tastes):
    dataset, train = tastes
    scorer = bpr(dataset.log, train)
    positions = train.size + np.array([0, 1, 2, 6])
    scores = scorer.score(requests_of(dataset, positions))
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[3])
    assert (scores[:, 8:] < scores[:, :8]).all()
    known = scorer._users[:40].mean(axis=0) @ scorer._items[:8].T
    assert scores[0, :8] == pytest.approx(known, rel=1e-5)


@pytest.mark.parametrize("make", [als, bpr])
def test_a_fit_sees_training_events_only_and_is_the_same_again(tastes, make_dataset, make):
    dataset, train = tastes
    log = dataset.log
    events = list(zip(log.user, log.item, log.timestamp_s, strict=True))
    changed = [*events[: train.size + 2], *((42, 3, k) for k in range(1, 6))]
    other = make_dataset(changed, num_items=NUM_ITEMS)
    scores = [
        make(one.log, train).score(requests_of(one, np.array([0, train.size])))
        for one in (dataset, other, dataset)
    ]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])
