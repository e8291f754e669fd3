"""Splits: which events train, validate and test, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.log import EventLog
from trecs.data.splits import Split, leave_last_out, temporal
from trecs.errors import ConfigError, DataError


def make_log(user: list[int], timestamp_s: list[int]) -> EventLog:
    """A log whose event k is on item k."""
    return EventLog(
        user=np.array(user, np.int32),
        item=np.arange(len(user), dtype=np.int32),
        timestamp_s=np.array(timestamp_s, np.int64),
        rating=None,
        user_ids=np.array([f"u{k}" for k in range(max(user, default=-1) + 1)], object),
        item_ids=np.array([f"i{k}" for k in range(len(user))], object),
    )


def parts(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


def test_temporal_cuts_at_the_quantiles_of_time():
    # Eleven events a second apart: the .8 and .9 quantiles are the events 8 and 9.
    split = temporal(make_log([0] * 11, list(range(100, 111))))
    assert parts(split) == (list(range(8)), [8], [9, 10])
    assert (split.train_end_s, split.validation_end_s) == (108, 109)
    assert (split.name, split.ties) == ("temporal", "strict")


def test_temporal_takes_the_event_above_a_quantile_between_two_events():
    # Six events: .8 * 5 = 4.0 is event 4; .5 * 5 = 2.5 goes up to event 3.
    split = temporal(make_log([0] * 6, [1, 2, 3, 4, 5, 6]), train_quantile=0.5, test_quantile=0.8)
    assert parts(split) == ([0, 1, 2], [3], [4, 5])


def test_temporal_keeps_the_events_of_one_second_together_in_the_later_part():
    # .6 * 10 = 6 and .8 * 10 = 8 fall inside runs of equal times, which start at 5 and 8.
    log = make_log([0] * 11, [1, 2, 3, 4, 5, 9, 9, 9, 12, 12, 12])
    assert parts(temporal(log, 0.6, 0.8)) == ([0, 1, 2, 3, 4], [5, 6, 7], [8, 9, 10])


def test_temporal_moves_the_first_cut_when_both_fall_on_one_second():
    log = make_log([0] * 10, [1, 1, 1, 1, 2, 3, 3, 3, 3, 3])
    split = temporal(log)
    assert parts(split) == ([0, 1, 2, 3], [4], [5, 6, 7, 8, 9])
    assert (split.train_end_s, split.validation_end_s) == (2, 3)


@pytest.mark.parametrize("seed", range(5))
def test_temporal_parts_are_disjoint_complete_and_half_open(seed):
    rng = np.random.default_rng(seed)
    log = make_log(rng.integers(0, 5, 200).tolist(), np.sort(rng.integers(0, 150, 200)).tolist())
    split = temporal(log, 0.7, 0.85)
    assert np.concatenate(parts(split)).astype(int).tolist() == list(range(200))
    time_s = log.timestamp_s
    assert time_s[split.train].max() < split.train_end_s == time_s[split.validation].min()
    assert time_s[split.validation].max() < split.validation_end_s == time_s[split.test].min()
    # The cuts are those of numpy's own quantiles.
    assert split.train_end_s == np.quantile(time_s, 0.7, method="higher")
    assert split.validation_end_s == np.quantile(time_s, 0.85, method="higher")


def test_temporal_does_not_move_when_events_inside_a_window_change():
    log = make_log([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1], list(range(11)))
    other = make_log([2, 2, 1, 1, 0, 0, 0, 2, 1, 1, 2], list(range(11)))
    assert parts(temporal(log)) == parts(temporal(other))


@pytest.mark.parametrize("times", [[5] * 10, [5] * 9 + [6]])
def test_temporal_refuses_a_log_with_too_few_times(times):
    with pytest.raises(DataError, match=r"three different times.*timestamps 5 to [56].*leave-last"):
        temporal(make_log([0] * 10, times))


def test_temporal_refuses_an_empty_log():
    with pytest.raises(DataError, match="a split needs events, but the log has none"):
        temporal(make_log([], []))


@pytest.mark.parametrize("quantiles", [(0.9, 0.8), (0.0, 0.5), (0.5, 1.0), (0.8, 0.8)])
def test_temporal_refuses_quantiles_that_are_no_cuts(quantiles):
    with pytest.raises(ConfigError, match=rf"but {quantiles[0]} and {quantiles[1]} came"):
        temporal(make_log([0] * 3, [1, 2, 3]), *quantiles)


def test_leave_last_out_holds_out_the_last_two_of_each_user():
    #                     0  1  2  3  4  5  6  7
    log = make_log(user=[0, 1, 0, 2, 1, 0, 1, 2], timestamp_s=[1, 2, 3, 4, 5, 6, 7, 8])
    split = leave_last_out(log)
    # User 2 has two events, which train.
    assert parts(split) == ([0, 1, 3, 7], [2, 4], [5, 6])
    assert (split.name, split.ties) == ("leave-last-out", "order")
    assert split.train_end_s is None
    assert split.validation_end_s is None


def test_leave_last_out_takes_the_last_of_a_tie_in_the_order_of_the_log():
    split = leave_last_out(make_log(user=[0, 0, 0, 0], timestamp_s=[1, 5, 5, 5]))
    assert parts(split) == ([0, 1], [2], [3])


def test_leave_last_out_refuses_a_log_without_a_user_of_three_events():
    with pytest.raises(DataError, match=r"the longest of 2 users has 2.*row number"):
        leave_last_out(make_log([0, 1, 0, 1], [1, 2, 3, 4]))


@pytest.mark.parametrize("make", [temporal, leave_last_out])
def test_an_unknown_tie_rule_is_refused(make):
    with pytest.raises(ConfigError, match="one of strict, order, but 'any' came"):
        make(make_log([0] * 4, [1, 2, 3, 4]), ties="any")


def test_targets_are_named():
    split = leave_last_out(make_log([0, 0, 0], [1, 2, 3]))
    assert split.targets("validation").tolist() == [1]
    assert split.targets("test").tolist() == [2]
    with pytest.raises(ConfigError, match="'validation' or 'test', but 'train' came"):
        split.targets("train")
