"""Every way to write a time gives the same epoch seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from trecs.data.timestamps import iso, read_times, to_epoch_s
from trecs.errors import DataError, Problems

# 1998-04-22T23:10:38Z, by hand: 10,338 days and 83,438 s after 1970-01-01T00:00:00Z.
SECONDS = 10_338 * 86_400 + 83_438


@pytest.mark.parametrize(
    "value",
    [
        SECONDS,
        SECONDS * 10**3,
        SECONDS * 10**6,
        SECONDS * 10**9,
        float(SECONDS),
        SECONDS + 0.75,
        SECONDS * 10**3 + 999,
        str(SECONDS),
        f" {SECONDS} ",
        str(SECONDS * 10**9),
        f"{SECONDS}.5",
        f"{SECONDS:e}".replace("8.932866e+08", "8.93286638e8"),
        "1998-04-22T23:10:38Z",
        "1998-04-22T23:10:38",
        "1998-04-22 23:10:38.999",
        "1998-04-22 23:10:38 UTC",
        "1998-04-23T01:10:38+02:00",
        "1998-04-22T19:10:38-0400",
        pd.Timestamp("1998-04-22T23:10:38.5"),
        pd.Timestamp("1998-04-23T01:10:38+02:00"),
        datetime(1998, 4, 22, 23, 10, 38, tzinfo=UTC),
        np.datetime64("1998-04-22T23:10:38", "ms"),
    ],
    ids=str,
)
def test_every_form_gives_the_same_second(value: object) -> None:
    epoch_s = to_epoch_s(pd.Series([value, value]))
    assert epoch_s.dtype == np.int64
    assert epoch_s.tolist() == [SECONDS, SECONDS]


def test_dates_are_midnight_utc() -> None:
    midnight = SECONDS - 83_438
    assert to_epoch_s(pd.Series(["1998-04-22"])).tolist() == [midnight]
    assert to_epoch_s(pd.Series([date(1998, 4, 22)])).tolist() == [midnight]


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_a_unit_that_is_said_needs_no_plausible_year(unit: str, ticks: int) -> None:
    times = pd.Series([0, 5 * ticks, 6 * ticks - 1 if ticks > 1 else 5])
    assert to_epoch_s(times, unit).tolist() == [0, 5, 5]


def test_zones_may_differ_from_row_to_row_and_the_missing_ones_are_counted() -> None:
    problems = Problems()
    zoned = pd.Series(["1998-04-22 23:10:38 UTC", "1998-04-23T01:10:38+02:00"])
    assert read_times(zoned, None, problems).how == "ISO 8601"
    texts = pd.Series(["1998-04-22T23:10:38", "1998-04-23T01:10:38+02:00", "1998-04-22"])
    times = read_times(texts, None, problems)
    assert times.epoch_s.tolist() == [SECONDS, SECONDS, SECONDS - 83_438]
    assert times.how == "ISO 8601, 2 of them without a zone, taken as UTC"
    assert len(problems) == 0


def test_the_unit_told_is_reported() -> None:
    assert read_times(pd.Series([SECONDS * 1000]), None, Problems()).how == (
        "epoch ms, told by their size"
    )


def test_a_time_of_tomorrow_is_allowed_and_a_later_one_is_not() -> None:
    assert to_epoch_s(pd.Series([SECONDS + 86_400]), now_s=SECONDS).tolist() == [SECONDS + 86_400]
    with pytest.raises(DataError, match=r"1 of 1 times in 'None' are in the future"):
        to_epoch_s(pd.Series([SECONDS + 86_401]), "s", now_s=SECONDS)


def test_nanoseconds_keep_their_second_exactly() -> None:
    last_ns = SECONDS * 10**9 + 999_999_999
    assert to_epoch_s(pd.Series([str(last_ns)])).tolist() == [SECONDS]


def test_missing_times_are_counted() -> None:
    with pytest.raises(DataError, match=r"2 of 3 times in 't' are missing \(row 2: None, row 3"):
        to_epoch_s(pd.Series([SECONDS, None, None], name="t"))


def test_iso_writes_utc() -> None:
    assert iso(SECONDS) == "1998-04-22T23:10:38Z"
