"""Means of ratings by hand."""

import numpy as np
import pandas as pd
import pytest

from trecs.data.cross_validation import rating_folds
from trecs.data.log import events_frame, log_from_frame
from trecs.errors import ConfigError, DataError
from trecs.evaluation.rating_baselines import (
    predict_biases,
    predict_biases_as_of,
    predict_global_mean,
)


def make_log(ratings=(5.0, 1.0, 3.0, 3.0)):
    frame = pd.DataFrame(
        {
            "user_id": ["u", "v", "u", "w"],
            "item_id": ["a", "a", "b", "a"],
            "timestamp": [10, 20, 30, 40],
            "rating": ratings,
        }
    )
    return log_from_frame(frame, timestamp_unit="s")[0]


TRAIN, TARGETS = np.array([0, 1]), np.array([2, 3])


def test_global_mean_is_of_the_training_ratings():
    assert predict_global_mean(make_log(), TRAIN, TARGETS).tolist() == [3.0, 3.0]


def test_biases_are_shrunk_means():
    # Item a: (2 - 2) / 27 = 0. User u: 2 / 11. User w and item b are unknown.
    found = predict_biases(make_log(), TRAIN, TARGETS)
    np.testing.assert_allclose(found, [3 + 2 / 11, 3.0])


def test_biases_as_of_read_all_that_is_earlier():
    # At 40 s: item a has 5 and 1 around the mean of 3; w has nothing. At 30 s: u has a 5, whose
    # item had no rating before it.
    found = predict_biases_as_of(make_log(), TRAIN, TARGETS)
    np.testing.assert_allclose(found, [3 + 2 / 11, 3.0])
    np.testing.assert_allclose(predict_biases_as_of(make_log(), TRAIN, np.array([1])), 3 + 2 / 26)


@pytest.mark.parametrize("predict", [predict_global_mean, predict_biases, predict_biases_as_of])
def test_ratings_at_and_after_the_target_move_nothing(predict):
    changed = make_log((5.0, 1.0, 1.0, 5.0))
    np.testing.assert_array_equal(
        predict(make_log(), TRAIN, TARGETS[:1]), predict(changed, TRAIN, TARGETS[:1])
    )


@pytest.mark.parametrize("predict", [predict_global_mean, predict_biases, predict_biases_as_of])
def test_events_without_a_rating_change_nothing(predict):
    found = predict(make_log((5.0, np.nan, 4.0, 3.0)), np.array([0, 1]), np.array([2, 3]))
    frame = events_frame(make_log()).drop(index=1)
    without = log_from_frame(frame, timestamp_unit="s")[0]
    np.testing.assert_array_equal(found, predict(without, np.array([0]), np.array([1, 2])))


def test_a_log_without_ratings_is_an_error():
    frame = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [1]})
    log = log_from_frame(frame, timestamp_unit="s")[0]
    with pytest.raises(DataError, match="none has one"):
        predict_global_mean(log, np.array([0]), np.array([0]))


def test_rating_folds_test_every_event_once():
    folds = list(rating_folds(make_log(), 3, seed=1))
    assert sorted(np.concatenate([test for _, test in folds])) == [0, 1, 2, 3]
    for train, test in folds:
        assert sorted([*train, *test]) == [0, 1, 2, 3]


def test_rating_folds_need_two_folds_and_as_many_events():
    with pytest.raises(ConfigError, match="but 1 came"):
        rating_folds(make_log(), 1)
    with pytest.raises(DataError, match="the log has 4"):
        rating_folds(make_log(), 5)
