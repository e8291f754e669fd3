"""Time features, by hand."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.time import (
    NUM_REQUEST_FEATURES,
    NUM_TIME_FEATURES,
    request_features,
    time_features,
)

DAY_S = 86_400
# Thursday 1970-01-01 00:00 UTC is second 0; both circles start there.
EVENTS = [[0, 6 * 3600, 6 * 3600 + 1799]]
NEXT = [[6 * 3600, 6 * 3600 + 1799, 3 * DAY_S + 18 * 3600]]


def features(
    event: list[list[int]], following: list[list[int]], season: bool
) -> NDArray[np.float32]:
    arguments = tf.constant(event, tf.int64), tf.constant(following, tf.int64)
    return time_features(*arguments, season).numpy()


def log_gap(seconds: int) -> float:
    return math.log(1 + seconds) / 10


def circle(share: float) -> tuple[float, float]:
    return math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)


def test_the_own_part_shows_the_gap_before_and_the_clock_of_the_event() -> None:
    own = features(EVENTS, NEXT, season=False)[0, :, :6]
    expected = [
        [0, 0, *circle(0), *circle(0)],
        [log_gap(21_600), 0, 1, 0, *circle(6 / 168)],
        [log_gap(1_799), 1, *circle(23_399 / DAY_S), *circle(23_399 / (7 * DAY_S))],
    ]
    np.testing.assert_allclose(own, expected, atol=1e-6)


def test_the_request_part_shows_the_gap_after_and_the_clock_of_the_next_moment() -> None:
    request = features(EVENTS, NEXT, season=False)[0, :, 6:]
    last_gap = 3 * DAY_S + 18 * 3600 - 23_399
    expected = [
        [log_gap(21_600), 0, 1, 0, *circle(6 / 168), 0, 0],
        [log_gap(1_799), 1, *circle(23_399 / DAY_S), *circle(23_399 / (7 * DAY_S)), 0, 0],
        [log_gap(last_gap), 0, -1, 0, *circle((3 * 24 + 18) / 168), 0, 0],
    ]
    np.testing.assert_allclose(request, expected, atol=1e-6)


def test_a_gap_of_half_an_hour_opens_a_new_session() -> None:
    request = features([[0, 0]], [[1_799, 1_800]], season=False)[0, :, 7]
    np.testing.assert_array_equal(request, [1, 0])


def test_the_season_is_the_share_of_a_year_of_365_2425_days() -> None:
    half_year_s = round(365.2425 * DAY_S / 2)
    season = features([[0]], [[half_year_s]], season=True)[0, 0, -2:]
    np.testing.assert_allclose(season, [0, -1], atol=1e-6)


def test_the_second_of_the_day_is_exact_far_from_the_epoch() -> None:
    late = 4_000_000_000 - 4_000_000_000 % (7 * DAY_S) + 6 * 3600
    row = features([[late]], [[late]], season=False)[0, 0]
    np.testing.assert_allclose(row[2:4], [1, 0], atol=1e-6)
    np.testing.assert_allclose(row[4:6], circle(6 / 168), atol=1e-6)


def test_a_request_before_the_event_has_no_gap() -> None:
    assert features([[500]], [[100]], season=False)[0, 0, 6] == 0


def test_moving_everything_by_whole_weeks_changes_nothing() -> None:
    shift = 1_000 * 7 * DAY_S
    moved = [[second + shift for second in row] for row in EVENTS]
    moved_next = [[second + shift for second in row] for row in NEXT]
    np.testing.assert_array_equal(
        features(EVENTS, NEXT, season=False), features(moved, moved_next, season=False)
    )


def test_shapes_and_types_are_those_that_are_declared() -> None:
    time_s = tf.zeros([2, 5], tf.int64)
    assert time_features(time_s, time_s, True).shape == (2, 5, NUM_TIME_FEATURES)
    request = request_features(time_s, time_s, True)
    assert request.shape == (2, 5, NUM_REQUEST_FEATURES)
    assert request.dtype == tf.float32
