"""The crowd as of the request, from counts made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features import trend as trend_module
from trecs.features.trend import (
    NUM_TREND_FEATURES,
    WINDOWS_DAYS,
    Trend,
    build_trend_table,
    trend_step_days,
)

DAY_S = 86_400
FIRST_DAY = 10_000

# (day after the first, candidate): item 0 on days 0, 0, 3, 40; item 1 on day 2; item 2 never.
EVENTS = [(0, 0), (0, 0), (2, 1), (3, 0), (40, 0)]


def build(events: list[tuple[int, int]], num_candidates: int = 3) -> Trend:
    days, candidates = np.array(events).T
    # Noon, so that nothing hangs on the second of the day.
    time_s = (FIRST_DAY + days) * DAY_S + DAY_S // 2
    step_days = trend_step_days(time_s, num_candidates)
    return Trend(build_trend_table(candidates, time_s, num_candidates, step_days))


def as_of(trend: Trend, day: float, candidates: list[int] | None = None) -> NDArray[np.float32]:
    """Features [6, M] as of a day after the first, fractions allowed."""
    time_s = tf.constant([round((FIRST_DAY + day) * DAY_S)], tf.int64)
    chosen = None if candidates is None else tf.constant(candidates, tf.int32)
    return trend.features(trend.row(time_s), chosen)[0].numpy()


def expected(
    one: int, week: int, month: int, total: int, age_days: int, unseen: int
) -> list[float]:
    return [*(math.log(1 + n) for n in (one, week, month, total, age_days)), unseen]


@pytest.mark.parametrize(
    ("day", "item_0", "item_1"),
    [
        (0.99, expected(0, 0, 0, 0, 0, 1), expected(0, 0, 0, 0, 0, 1)),
        (1, expected(2, 2, 2, 2, 0, 0), expected(0, 0, 0, 0, 0, 1)),
        (3, expected(0, 2, 2, 2, 2, 0), expected(1, 1, 1, 1, 0, 0)),
        (4, expected(1, 3, 3, 3, 3, 0), expected(0, 1, 1, 1, 1, 0)),
        (8, expected(0, 1, 3, 3, 7, 0), expected(0, 1, 1, 1, 5, 0)),
        (31, expected(0, 0, 1, 3, 30, 0), expected(0, 0, 1, 1, 28, 0)),
        (40.5, expected(0, 0, 0, 3, 39, 0), expected(0, 0, 0, 1, 37, 0)),
        (41, expected(1, 1, 1, 4, 40, 0), expected(0, 0, 0, 1, 38, 0)),
    ],
)
def test_counts_are_of_the_days_before_the_request(
    day: float, item_0: list[float], item_1: list[float]
) -> None:
    found = as_of(build(EVENTS), day)
    np.testing.assert_allclose(found[:, 0], item_0, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], item_1, atol=1e-6)
    np.testing.assert_allclose(found[:, 2], expected(0, 0, 0, 0, 0, 1), atol=1e-6)


def test_before_the_first_day_nothing_is_seen() -> None:
    found = as_of(build(EVENTS), -5)
    assert found.shape == (NUM_TREND_FEATURES, 3)
    np.testing.assert_array_equal(found[:5], 0)
    np.testing.assert_array_equal(found[5], 1)


def test_past_the_table_the_crowd_has_been_silent_since() -> None:
    found = as_of(build(EVENTS), 1_000)
    np.testing.assert_allclose(found[:, 0], expected(0, 0, 0, 4, 999, 0), rtol=1e-6)
    np.testing.assert_allclose(as_of(build(EVENTS), 44)[:, 0], expected(0, 1, 1, 4, 43, 0), 1e-6)


def test_chosen_candidates_are_columns_of_the_whole() -> None:
    trend = build(EVENTS)
    np.testing.assert_array_equal(as_of(trend, 8, [1, 0, 1]), as_of(trend, 8)[:, [1, 0, 1]])


@pytest.mark.parametrize("day", [0, 2, 3.25, 20, 40])
@pytest.mark.parametrize("step_bytes", [512 * 2**20, 200])
def test_events_at_or_after_the_request_change_nothing(
    day: float, step_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trend_module, "_MAX_TABLE_BYTES", step_bytes)
    past = [(d, c) for d, c in EVENTS if d < math.floor(day)] or [(0, 2)]
    future = [(d, 1) for d in range(math.floor(day), 42)]
    # One event on the last day in both, so that the two tables have the same steps.
    np.testing.assert_array_equal(
        as_of(build([*past, (42, 0)]), day)[:, :2],
        as_of(build([*past, *future, (42, 1)]), day)[:, :2],
    )


def test_a_table_that_would_be_too_large_is_kept_by_several_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 41 days of 3 items are 492 bytes: steps of 5 days make 9 of them.
    monkeypatch.setattr(trend_module, "_MAX_TABLE_BYTES", 100)
    days, candidates = np.array(EVENTS).T
    time_s = (FIRST_DAY + days) * DAY_S
    assert trend_step_days(time_s, 3) == 5
    table = build_trend_table(candidates, time_s, 3, 5)
    np.testing.assert_array_equal(table.counts[:, 0], [0, 3, 3, 3, 3, 3, 3, 3, 3, 4])
    trend = build(EVENTS)
    # On day 4 the step is not over, so nothing of it is seen; on day 5 all of it.
    np.testing.assert_array_equal(as_of(trend, 4.9)[5], 1)
    np.testing.assert_allclose(as_of(trend, 5)[:, 0], expected(3, 3, 3, 3, 0, 0), atol=1e-6)
    np.testing.assert_allclose(as_of(trend, 10)[:, 0], expected(0, 0, 3, 3, 5, 0), atol=1e-6)


@pytest.mark.parametrize("step_days", [1, 5])
def test_steps_may_end_at_a_moment_of_the_day(step_days: int) -> None:
    days, candidates = np.array(EVENTS).T
    end = 41.3
    time_s = ((FIRST_DAY + days) * DAY_S).astype(np.int64)
    end_s = int((FIRST_DAY + end) * DAY_S)
    trend = Trend(build_trend_table(candidates, time_s, 3, step_days, end_s))
    found = trend.features(trend.row(tf.constant([end_s], tf.int64)))[0].numpy()
    for column, window in enumerate(WINDOWS_DAYS):
        window = max(1, round(window / step_days)) * step_days
        for item in range(3):
            count = sum(c == item and end - window <= d < end for d, c in EVENTS)
            assert found[column, item] == pytest.approx(np.log1p(count), rel=1e-6)


def test_no_events_make_no_table() -> None:
    nothing = np.array([], np.int64)
    with pytest.raises(ValueError, match="a trend table needs events, got 0"):
        build_trend_table(nothing, nothing, 3)
