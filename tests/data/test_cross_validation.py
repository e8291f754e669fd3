"""Rolling origins and folds of users."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.cross_validation import rolling_origins, user_folds
from trecs.data.log import EventLog
from trecs.errors import ConfigError, DataError


def make_log(time_s, user=None):
    time_s = np.asarray(time_s, np.int64)
    user = np.zeros(time_s.size, np.int32) if user is None else np.asarray(user, np.int32)
    names = np.array([f"u{k}" for k in range(user.max() + 2)], object)
    item = np.zeros(time_s.size, np.int32)
    return EventLog(user, item, time_s, None, names, np.array(["i"], object))


def test_each_origin_trains_on_all_before_and_tests_on_the_window_after_the_next():
    splits = rolling_origins(make_log(range(10, 110)), num_origins=4, first_quantile=0.5)
    spans = [[(p[0], p[-1] + 1) for p in (s.train, s.validation, s.test)] for s in splits]
    assert spans == [
        [(0, 50), (50, 60), (60, 70)],
        [(0, 60), (60, 70), (70, 80)],
        [(0, 70), (70, 80), (80, 90)],
        [(0, 80), (80, 90), (90, 100)],
    ]
    assert [s.name for s in splits] == [f"rolling {k} of 4" for k in (1, 2, 3, 4)]
    assert (splits[0].train_end_s, splits[0].validation_end_s) == (60, 70)
    assert {s.ties for s in splits} == {"strict"}


@pytest.mark.parametrize("seed", range(5))
def test_no_second_is_in_two_parts_and_test_windows_are_disjoint(seed):
    time_s = np.sort(np.random.default_rng(seed).integers(0, 60, 400))
    splits = rolling_origins(make_log(time_s), num_origins=3)
    for split in splits:
        parts = [set(time_s[p].tolist()) for p in (split.train, split.validation, split.test)]
        assert max(parts[0]) < min(parts[1]) <= max(parts[1]) < min(parts[2])
        assert min(parts[1]) == split.train_end_s
        assert min(parts[2]) == split.validation_end_s
    tested = np.concatenate([split.test for split in splits])
    assert np.unique(tested).size == tested.size
    assert tested[-1] == 399


def test_a_log_with_too_few_times_or_no_origin_is_refused():
    with pytest.raises(DataError, match=r"4 rolling origins need events at 6 different times"):
        rolling_origins(make_log([1, 1, 1, 2, 2, 3, 3, 3]))
    with pytest.raises(ConfigError, match=r"num_origins >= 1.*but 0 and 0.5"):
        rolling_origins(make_log([1, 2]), num_origins=0)


def test_each_event_is_tested_once_and_no_user_is_on_both_sides():
    user = np.random.default_rng(0).integers(0, 23, 300)
    log = make_log(np.arange(300), user)
    folds = list(user_folds(log, 4, seed=3))
    for train, test in folds:
        assert not set(user[train]) & set(user[test])
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(300))
        assert np.unique(user[test]).size in (5, 6)
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(300))


def test_the_seed_chooses_the_folds():
    log = make_log(np.arange(60), np.arange(60) % 20)
    same, again, other = ([t.tolist() for _, t in user_folds(log, 3, s)] for s in (1, 1, 2))
    assert same == again != other


@pytest.mark.parametrize(
    ("num_folds", "error", "match"),
    [(1, ConfigError, "2 folds at least, but 1"), (3, DataError, "3 folds need.*the log has 2")],
)
def test_too_few_folds_or_users_are_refused(num_folds, error, match):
    with pytest.raises(error, match=match):
        user_folds(make_log([1, 2], [0, 1]), num_folds)
