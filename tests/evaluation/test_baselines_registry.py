"""Baselines by name: order, laziness, what is measured where nobody chose, and no leak in any."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.sequences import build_sequences
from trecs.data.splits import temporal
from trecs.errors import UsageError
from trecs.evaluation.baselines import factorization, registry
from trecs.evaluation.baselines.measure import measure_baselines
from trecs.evaluation.baselines.registry import ALL, COUNTING, affordable, baseline_scorers
from trecs.evaluation.requests import make_requests

FITTED = ["item_knn", "ease", "ease_decayed", "markov"]
NAMES = [
    *("most_popular", "popular_1_day", "popular_7_days", "popular_30_days"),
    *("user_most_frequent", "user_most_recent", *FITTED),
]
DAY_S = 86_400
NUM_EVENTS, NUM_ITEMS, NUM_USERS = 300, 20, 10


def random_columns(seed):
    rng = np.random.default_rng(seed)
    time_s = np.sort(rng.integers(0, 40 * DAY_S, NUM_EVENTS) // 7200 * 7200)
    return rng.integers(0, NUM_USERS, NUM_EVENTS), rng.integers(0, NUM_ITEMS, NUM_EVENTS), time_s


@pytest.fixture
def build(make_dataset):
    def of(user, item, time_s):
        events = list(zip(user, item, time_s, strict=True))
        everything = tuple(range(NUM_ITEMS))
        return make_dataset(events, NUM_ITEMS, listed=everything, num_users=NUM_USERS)

    return of


@pytest.fixture
def without_implicit(monkeypatch):
    monkeypatch.setattr(factorization.importlib.util, "find_spec", lambda name: None)


def test_the_order_of_the_tables(build, without_implicit):
    dataset = build(*random_columns(0))
    scorers = baseline_scorers(dataset, temporal(dataset.log), exclude_seen=False)
    assert list(scorers) == NAMES
    assert list(ALL) == [*NAMES, "als", "bpr"]


def test_asking_for_some_fits_no_others_and_none_before_its_use(build, monkeypatch):
    fitted = []

    def fits(log, train):
        fitted.append("markov")
        return original(log, train)

    original = registry._CHOSEN["markov"]
    monkeypatch.setitem(registry._CHOSEN, "markov", fits)
    monkeypatch.setitem(registry._CHOSEN, "ease", lambda log, train: pytest.fail("ease fitted"))
    dataset = build(*random_columns(0))
    names = ["markov", "most_popular"]
    scorers = baseline_scorers(dataset, temporal(dataset.log), False, names)
    assert list(scorers) == ["most_popular", "markov"]
    assert fitted == []
    first, again = scorers["markov"].choice, scorers["markov"].choice
    assert first is again
    assert fitted == ["markov"]


def test_an_unknown_name_is_answered_with_the_list(build):
    dataset = build(*random_columns(0))
    message = "there is no baseline 'magic', 'luck'; there are most_popular, .*, als, bpr"
    with pytest.raises(UsageError, match=message):
        baseline_scorers(dataset, temporal(dataset.log), False, ["magic", "ease", "luck"])


def test_als_without_its_library_says_how_to_have_it(build, without_implicit):
    dataset = build(*random_columns(0))
    with pytest.raises(UsageError, match="'implicit', which is not installed: pip install -e '"):
        baseline_scorers(dataset, temporal(dataset.log), False, ["als"])


def test_a_large_log_has_the_counting_ones_unless_all_are_asked_for(build, without_implicit):
    assert affordable(num_targets=3_000_000, num_items=1_000) == tuple(NAMES)
    assert affordable(num_targets=3_000_001, num_items=1_000) == COUNTING == tuple(NAMES[:6])


def test_measuring_says_settings_and_what_was_left_out(build):
    dataset = build(*random_columns(1))
    split = temporal(dataset.log)
    names = ["markov", "user_most_recent"]
    measured, said = measure_baselines(dataset, split, names, exclude_seen=False, top_k=0)
    assert list(measured) == ["user_most_recent", "markov"]
    assert all(one.events.tolist() == split.test.tolist() for one in measured.values())
    assert said["baselines_left_out"] == [name for name in ALL if name not in names]
    assert said["baseline_settings"].keys() == {"markov"}
    assert said["baseline_settings"]["markov"].keys() == {"window", "decay"}


def test_auto_leaves_out_what_a_large_log_cannot_afford(build, monkeypatch):
    monkeypatch.setattr(registry, "_MAX_SCORES", 100)
    dataset = build(*random_columns(1))
    measured, said = measure_baselines(dataset, temporal(dataset.log), exclude_seen=False, top_k=0)
    assert tuple(measured) == COUNTING
    assert said["baselines_left_out"] == [*FITTED, "als", "bpr"]


def scores_of(dataset, split, event, name):
    scorer = baseline_scorers(dataset, split, False, [name])[name]
    requests = make_requests(dataset.log, build_sequences(dataset.log), event, "strict")
    return scorer.score(requests)


@pytest.mark.parametrize("name", NAMES)
def test_another_future_changes_no_score(build, name):
    columns = random_columns(3)
    past = build(*columns)
    split = temporal(past.log, 0.5, 0.7)
    rng = np.random.default_rng(4)
    user, item, time_s = (column.copy() for column in columns)
    target = int(np.searchsorted(time_s, time_s[split.test[20]]))
    # All events from the target's second on, its siblings too, but for the target itself.
    later = slice(target + 1, None)
    user[later] = rng.integers(0, NUM_USERS, NUM_EVENTS - target - 1)
    item[later] = rng.integers(0, NUM_ITEMS, NUM_EVENTS - target - 1)
    future = build(user, item, time_s)
    again = temporal(future.log, 0.5, 0.7)
    before, after = (
        scores_of(dataset, one, np.array([target]), name)
        for dataset, one in ((past, split), (future, again))
    )
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", FITTED)
def test_nothing_after_the_training_window_is_fitted(build, name):
    user, item, time_s = random_columns(5)
    past = build(user, item, time_s)
    split = temporal(past.log, 0.5, 0.7)
    # The settings are chosen by the validation window, so that stays; all that follows is redrawn.
    item[split.test] = np.random.default_rng(6).integers(0, NUM_ITEMS, split.test.size)
    future = build(user, item, time_s)
    again = temporal(future.log, 0.5, 0.7)
    event = split.validation[:1]
    before = scores_of(past, split, event, name)
    assert before.any()
    assert np.array_equal(before, scores_of(future, again, event, name))


@pytest.mark.parametrize("name", FITTED)
def test_one_fit_sees_training_events_only(build, name):
    user, item, time_s = random_columns(5)
    past = build(user, item, time_s)
    train = temporal(past.log, 0.5, 0.7).train
    later = slice(train.size, None)
    user[later], item[later] = user[later][::-1].copy(), (item[later] + 7) % NUM_ITEMS
    future = build(user, item, time_s)
    before, after = (
        next(registry._CHOSEN[name](log, train))[1].score(
            make_requests(log, build_sequences(log), train[-1:], "strict")
        )
        for log in (past.log, future.log)
    )
    assert before.any()
    assert np.array_equal(before, after)
