"""The future does not show: other events at or after a target's request time change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.sequences import build_sequences, history_bounds
from trecs.data.splits import temporal
from trecs.evaluation.baselines.popularity import MostPopular, PopularAsOf
from trecs.evaluation.protocol import evaluate, make_requests

DAY_S = 86_400
NUM_EVENTS, NUM_ITEMS, NUM_USERS = 600, 40, 12
BASELINES = {
    "most_popular": lambda log, split: MostPopular(log, split.train),
    "popular_7_days": lambda log, split: PopularAsOf(log, days=7),
}


def random_columns(rng):
    time_s = np.sort(rng.integers(0, 40 * DAY_S, NUM_EVENTS) // 7200 * 7200)
    item = rng.integers(0, NUM_ITEMS, NUM_EVENTS)
    return rng.integers(0, NUM_USERS, NUM_EVENTS), item, time_s


def build(make_dataset, user, item, time_s):
    events = list(zip(user, item, time_s, strict=True))
    return make_dataset(events, num_items=NUM_ITEMS, num_users=NUM_USERS, listed=(1, 2))


def with_another_future(rng, columns, target):
    """The columns with all events at or after the target's time redrawn, but for the target.

    Returns them with the target's new position, the first of its second.
    """
    user, item, time_s = (column.copy() for column in columns)
    first = int(np.searchsorted(time_s, time_s[target]))
    later = slice(first + 1, None)
    user[first], item[first] = user[target], item[target]
    count = NUM_EVENTS - first - 1
    user[later] = rng.integers(0, NUM_USERS, count)
    item[later] = rng.integers(0, NUM_ITEMS, count)
    time_s[later] = np.sort(time_s[first] + rng.integers(0, 3 * DAY_S, count) // 7200 * 7200)
    return (user, item, time_s), first


@pytest.mark.parametrize("seed", range(8))
def test_another_future_changes_no_score_no_history_and_no_rank(make_dataset, seed):
    rng = np.random.default_rng(seed)
    columns = random_columns(rng)
    past = build(make_dataset, *columns)
    split = temporal(past.log, 0.5, 0.7)
    for target in rng.choice(split.test, 5, replace=False):
        changed, position = with_another_future(rng, columns, target)
        future = build(make_dataset, *changed)
        assert not np.array_equal(future.log.item, past.log.item)
        before, after = np.array([target]), np.array([position])
        outcomes = [
            (
                *outcome_of(dataset, split, event, name),
                history_items(dataset.log, event),
            )
            for dataset, event in ((past, before), (future, after))
            for name in BASELINES
        ]
        assert outcomes[:2] == outcomes[2:]


def outcome_of(dataset, split, event, baseline):
    """Scores, rank and list of one target."""
    scorer = BASELINES[baseline](dataset.log, split)
    requests = make_requests(dataset.log, build_sequences(dataset.log), event, "strict")
    outcome = evaluate(dataset, split, scorer, targets=event, exclude_seen=True)
    return scorer.score(requests).tolist(), outcome.ranks.tolist(), outcome.top_items.tolist()


def history_items(log, event):
    sequences = build_sequences(log)
    lo, hi = history_bounds(log, sequences, event, "strict")
    return log.item[sequences.order[lo[0] : hi[0]]].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_another_time_after_training_changes_no_fitted_state(make_dataset, seed):
    rng = np.random.default_rng(seed)
    user, item, time_s = random_columns(rng)
    past = build(make_dataset, user, item, time_s)
    split = temporal(past.log)
    later = slice(split.train.size, None)
    item[later] = rng.integers(0, NUM_ITEMS, NUM_EVENTS - split.train.size)
    user[later] = rng.integers(0, NUM_USERS, NUM_EVENTS - split.train.size)
    future = build(make_dataset, user, item, time_s)
    again = temporal(future.log)
    assert np.array_equal(split.train, again.train)
    requests = make_requests(past.log, build_sequences(past.log), split.test[:1], "strict")
    scores = [
        MostPopular(log, s.train).score(requests).tolist()
        for log, s in ((past.log, split), (future.log, again))
    ]
    assert scores[0] == scores[1]
