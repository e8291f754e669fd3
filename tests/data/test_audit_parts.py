"""The parts of an audit on logs small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trecs.data.audit import audit
from trecs.data.audit_change import measure_drift, measure_newcomers
from trecs.data.audit_holdout import measure_leave_last_out, measure_temporal
from trecs.data.audit_summary import bin_width_s, binned_shares, spread
from trecs.data.audit_text import to_text
from trecs.data.audit_time import measure_times
from trecs.data.dataset import align
from trecs.data.durations import duration
from trecs.data.log import EventLog, log_from_frame
from trecs.data.sequences import build_sequences
from trecs.errors import DataError

DAY_S, WEEK_S = 86_400, 604_800
# Monday, 5 January 1970, 00:00 UTC.
MONDAY_S = 4 * DAY_S


def make_log(rows):
    """A log from (user, item, second) rows in any order."""
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return log_from_frame(frame, timestamp_unit="s")[0]


def codes_of(log):
    return {warning.code for warning in audit(align(log, None)).warnings}


def times_of(log):
    return measure_times(log, build_sequences(log))


def test_leak_is_the_mean_share_of_training_events_after_a_target():
    # Ten users one after the other, a day each: 2 train, 1 validates, 1 tests. After the target of
    # user k lie the 2 (9 - k) training events of the users that follow, of 20: mean 4.5 / 10.
    log = make_log([(f"u{k}", f"i{j}", k * DAY_S + 100 * j) for k in range(10) for j in range(4)])
    held = measure_leave_last_out(log, build_sequences(log))
    assert held.later_training_share == pytest.approx(0.45, abs=1e-12)
    assert held.tied_target_share == 0


def test_nothing_leaks_where_all_targets_come_after_all_training_events():
    rows = [(f"u{k}", f"i{j}", j * DAY_S + k) for k in range(10) for j in range(4)]
    held = measure_leave_last_out(make_log(rows), build_sequences(make_log(rows)))
    assert (held.num_targets, held.later_training_share) == (10, 0)


def test_a_training_event_at_the_second_of_a_target_is_not_later():
    # The second user trains at 30 and 31, the first user's target is at 30.
    first = [("a", f"i{t}", t) for t in (10, 20, 30)]
    second = [("b", f"i{t}", t) for t in (30, 31, 40, 50)]
    held = measure_leave_last_out(
        make_log(first + second), build_sequences(make_log(first + second))
    )
    # Training: a at 10; b at 30, 31. Later than 30: one of three; later than 50: none.
    assert held.later_training_share == pytest.approx((1 / 3 + 0) / 2, abs=1e-12)


def test_short_users_leave_no_targets():
    log = make_log([("a", "x", 1), ("a", "y", 2), ("b", "x", 3)])
    assert measure_leave_last_out(log, build_sequences(log)) is None
    assert audit(align(log, None)).size.short_user_share == 1


def test_cold_shares_of_the_temporal_test_window_are_counted_by_event():
    # 80 training, 10 validation, 10 test events, a minute apart; of the test events 3 are on two
    # new items and 4 by one new user; validation has seen the user and one of the items.
    rows = [(f"u{k % 8}", f"i{k % 7}", 60 * k) for k in range(100)]
    rows[85] = ("newcomer", "late", 60 * 85)
    for k, item in ((91, "late"), (94, "late"), (97, "never")):
        rows[k] = (rows[k][0], item, 60 * k)
    for k in (92, 93, 95, 96):
        rows[k] = ("newcomer", rows[k][1], 60 * k)
    split = measure_temporal(make_log(rows), 0.8, 0.9)
    assert (split.num_train, split.num_validation, split.num_test) == (80, 10, 10)
    assert (split.train_end_s, split.test_start_s, split.test_span_s) == (4800, 5400, 540)
    assert (split.cold_item_share, split.cold_user_share) == (0.3, 0.4)


def test_a_log_of_two_moments_has_no_temporal_split():
    rows = [(f"u{k}", f"i{k % 3}", k // 5) for k in range(10)]
    assert measure_temporal(make_log(rows), 0.8, 0.9) is None
    assert "no-temporal-split" in codes_of(make_log(rows))


def test_drift_is_the_overlap_of_weekly_lists():
    # Five whole weeks; week w has the items 10 w to 10 w + 19, each once: half of them stay.
    rows = [
        (f"u{w}-{i}", f"i{i}", w * WEEK_S + 60 * i)
        for w in range(5)
        for i in range(10 * w, 10 * w + 20)
    ]
    rows.append(("last", "i59", 5 * WEEK_S - 1))
    drift = measure_drift(make_log(rows))
    assert drift.period_s == WEEK_S
    assert drift.overlap == (0.5,) * 4
    assert drift.start_s == tuple(w * WEEK_S for w in range(1, 5))
    assert drift.mean_overlap == 0.5


def test_only_the_most_frequent_items_are_in_a_list():
    # Each day the top 2 are A (3 events) and B or C (2 events); the others have one.
    rows = []
    for day, second in enumerate("BCCB"):
        items = ["A", "A", "A", second, second, "D", "E", "F"]
        rows += [(f"u{k}", item, day * DAY_S + k) for k, item in enumerate(items)]
    rows.append(("u0", "F", 4 * DAY_S - 1))
    assert measure_drift(make_log(rows), top=2).overlap == (0.5, 1.0, 0.5)


def test_the_unfinished_last_period_and_empty_ones_are_left_out():
    rows = [("a", "x", 0), ("a", "y", 5), ("b", "x", DAY_S), ("b", "z", 3 * DAY_S)]
    # Days 0 and 1 share the shorter list, day 2 is empty, day 3 has one second.
    drift = measure_drift(make_log(rows))
    assert (drift.period_s, drift.overlap, drift.mean_overlap) == (DAY_S, (1.0, None), 1.0)


def test_newcomers_are_new_in_their_own_bin():
    rows = [("a", "x", 0), ("a", "y", 20), ("b", "x", 70), ("b", "z", 80), ("a", "z", 90)]
    rows.append(("a", "x", 200))
    newcomers = measure_newcomers(make_log(rows))
    assert newcomers.width_s == 60
    assert newcomers.num_events == (2, 3, 0, 1)
    # z is new in the second bin for both of its events there.
    assert newcomers.new_item_share == (1.0, pytest.approx(2 / 3), None, 0.0)
    assert newcomers.new_user_share == (1.0, pytest.approx(2 / 3), None, 0.0)


@pytest.mark.parametrize(
    ("step_s", "resolution_s"), [(DAY_S, DAY_S), (3_600, 3_600), (1_800, 60), (90, 1)]
)
def test_resolution_is_the_coarsest_unit_that_all_distances_have(step_s, resolution_s):
    # An offset of 5 hours and a second: midnight of another zone is day resolution as well.
    log = make_log([("a", f"i{k}", 18_001 + k * step_s) for k in range(5)])
    assert times_of(log).resolution_s == resolution_s
    assert ("coarse-time" in codes_of(log)) == (resolution_s >= 60)


def test_gaps_and_lifetimes_stay_inside_a_user():
    log = make_log([("a", "x", 0), ("b", "x", 5), ("a", "y", 10), ("b", "y", 5), ("c", "x", 900)])
    times = times_of(log)
    assert times.gap_s.mean == 5
    assert (times.gap_s.min, times.gap_s.max) == (0, 10)
    assert times.gap_shares == (0.5, 0.5, 0, 0, 0, 0, 0)
    assert (times.lifetime_s.min, times.lifetime_s.max) == (0, 10)
    assert times.single_moment_share == pytest.approx(2 / 3)
    assert (times.tie_share, times.largest_tie) == (1 / 5, 2)


@pytest.mark.parametrize(("ids", "ascent"), [("2 10 30", 1), ("30 10 2", 0), ("2 30 10", 0.5)])
def test_ties_that_stand_by_item_id_are_found_and_warned_of(ids, ascent):
    # Neither users of one second nor the single events between a user's ties are neighbours.
    rows = [(f"u{n}", item, DAY_S * (n // 4)) for n in range(20) for item in ids.split()]
    log = make_log([*rows, *((f"u{n}", "1", DAY_S * (n // 4) + 9) for n in range(20))])
    assert times_of(log).tie_ascent == ascent
    assert ("sorted-ties" in codes_of(log)) == (ascent != 0.5)


def test_without_ties_nothing_ascends_inside_them():
    assert times_of(make_log([("a", "x", 7), ("a", "y", 8)])).tie_ascent is None


def test_two_users_at_one_second_are_no_tie():
    log = make_log([("a", "x", 7), ("b", "y", 7), ("a", "z", 9)])
    assert (times_of(log).tie_share, times_of(log).largest_tie) == (0, 1)
    assert times_of(log).busiest_second_share == pytest.approx(2 / 3)


def test_rhythm_counts_hours_and_weekdays_in_utc():
    log = make_log([("a", f"i{k}", MONDAY_S + 3_600 * 13 + k) for k in range(3)])
    times = times_of(log)
    assert times.hour_shares == tuple(float(hour == 13) for hour in range(24))
    assert times.weekday_shares == (1, 0, 0, 0, 0, 0, 0)
    assert times.hour_contrast == pytest.approx(23 / 24)


def test_an_even_day_has_no_contrast():
    log = make_log([("a", f"i{k}", 3_600 * k + 1) for k in range(48)])
    assert times_of(log).hour_contrast == pytest.approx(0, abs=1e-12)
    assert "daily-rhythm" not in codes_of(log)


def test_a_second_with_many_events_looks_like_an_import():
    rows = [(f"u{k}", "x", 1_000) for k in range(5)] + [
        ("u1", f"y{k}", 2_001 + k) for k in range(95)
    ]
    log = make_log(rows)
    assert times_of(log).busiest_second_share == 0.05
    assert "import-time" in codes_of(log)


def test_a_quiet_log_has_no_warnings():
    # Four users take turns through four items, 4,001 s apart: nobody is new, nothing ties. Each
    # event is its user's last on an item at most four times, so repeats are what is left.
    rows = [(f"u{k % 4}", f"i{k % 5}", 4_001 * k) for k in range(240)]
    codes = codes_of(make_log(rows))
    assert codes == {"repeats", "long-histories"}


def test_an_empty_log_is_an_error_that_says_why():
    nothing = np.array([], np.int64)
    none = np.array([], object)
    log = EventLog(nothing.astype(np.int32), nothing.astype(np.int32), nothing, None, none, none)
    with pytest.raises(DataError, match="an audit needs events, but the log has none"):
        audit(align(log, None))


def test_the_smallest_log_has_an_audit_and_a_text():
    text = to_text(audit(align(make_log([("a", "x", 5)]), None)))
    assert "gap to the user's next event" in text
    assert "\nLeave-last-out\n" not in text


def test_bins_are_half_open_and_the_last_is_open():
    assert binned_shares(np.array([0, 4, 5, 99]), (0, 5, 10)) == (0.5, 0.25, 0.25)


def test_a_spread_of_nothing_is_none():
    assert spread(np.array([], np.int64)) is None
    assert spread(np.array([3])).median == 3


@pytest.mark.parametrize(
    ("span_s", "width_s"),
    [(0, 60), (3_599, 60), (3_600, 3_600), (86_400 * 59, DAY_S), (86_400 * 60, WEEK_S)],
)
def test_bins_of_time_are_sixty_at_most(span_s, width_s):
    assert bin_width_s(span_s) == width_s
    assert span_s // width_s + 1 <= 60


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (90, "1.5 minutes"), (86_400, "1 day"), (7e6, "81 days")],
)
def test_durations_take_their_largest_unit(seconds, words):
    assert duration(seconds) == words
