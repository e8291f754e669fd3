"""Times become int64 UTC epoch seconds, once, here: whatever their unit, type or zone was."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trecs.data.ids import arrow_column, is_text, missing
from trecs.data.rows import ROWS_NOTE, Values, first_rows, share
from trecs.data.time_units import DAY_S, UNITS, tell_unit
from trecs.errors import DataError, Problems

# Floats beyond int64 are out of any range; cut off here, they are reported as such.
_LARGEST = 2**62

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE_NUMBER = r"^[+-]?\d+$"
_ZONE = r"\d[T ]\d.*([Zz]|UTC|[+-]\d\d(:?\d\d)?)$"
_EXAMPLE = "epoch numbers or ISO 8601 such as 2024-05-01T12:00:00Z"


@dataclass(frozen=True)
class Times:
    """Times of R rows and how they were read.

    Attributes:
        epoch_s: int64 [R], UTC epoch seconds; meaningless where problems were collected.
        how: for the report, such as "seconds (told by their size)".
    """

    epoch_s: NDArray[np.int64]
    how: str


def to_epoch_s(
    values: pd.Series[Any], unit: str | None = None, *, now_s: int | None = None
) -> NDArray[np.int64]:
    """UTC epoch seconds, int64 [rows], fractions of a second cut off.

    Takes numbers or their text in s, ms, us or ns, ISO 8601 text, datetimes and dates. Times
    without a zone are UTC.

    Args:
        values: the column.
        unit: s, ms, us or ns, the unit of numbers; None tells it by their size.
        now_s: epoch seconds beyond which, plus a day, a time is in the future; None asks the clock.

    Raises:
        DataError: with all problems: missing, unparsable, negative or future times, several units.

    Example:
        >>> to_epoch_s(pd.Series([893286638000, 893286639999])).tolist()
        [893286638, 893286639]
    """
    problems = Problems()
    times = read_times(values, unit, problems, now_s=now_s)
    problems.raise_if_any(DataError, f"the times cannot be used ({ROWS_NOTE})")
    return times.epoch_s


def read_times(
    values: pd.Series[Any],
    unit: str | None,
    problems: Problems,
    *,
    now_s: int | None = None,
    may_be_late: bool = False,
) -> Times:
    """Like `to_epoch_s`, with the problems collected and a word on how the times were read.

    Times of the future are no problem where they `may_be_late`.
    """
    now_s = int(time.time()) if now_s is None else now_s
    if unit and unit not in UNITS:
        problems.add(
            f"the unit of the times must be one of {', '.join(UNITS)}, but '{unit}' came; "
            "set timestamp_unit (--timestamp-unit) to one of them."
        )
        unit = None
    name = str(values.name)
    try:
        column = arrow_column(values)
    except pa.ArrowException:
        column = pa.chunked_array([[str(value) for value in values]])
    absent = missing(column)
    if absent.any():
        problems.add(
            f"{share(absent)} times in '{name}' are missing ({first_rows(absent, column)}); "
            "remove these rows or give them times."
        )
    if absent.all():
        return Times(np.zeros(len(values), np.int64), "unknown")
    return _Reader(name, unit or None, now_s, ~absent, problems, may_be_late).read(column)


def iso(epoch_s: int) -> str:
    """The time in ISO 8601: `iso(893286638)` is "1998-04-22T23:10:38Z"."""
    return f"{np.datetime64(int(epoch_s), 's')}Z"


@dataclass(frozen=True)
class _Reader:
    """Reads one column; `present` [rows] masks the rows that hold a time."""

    name: str
    unit: str | None
    now_s: int
    present: NDArray[np.bool_]
    problems: Problems
    may_be_late: bool

    def read(self, column: pa.ChunkedArray) -> Times:
        kind = column.type
        if is_text(column):
            return self._text(pc.utf8_trim_whitespace(column.cast(pa.large_string())))
        if pa.types.is_timestamp(kind):
            zone = f"with zone {kind.tz}" if kind.tz else "without a zone, taken as UTC"
            ticks = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
            return self._dates(ticks // UNITS[kind.unit], column, f"datetimes {zone}")
        if pa.types.is_date(kind):
            days = pc.fill_null(column.cast(pa.date32()).cast(pa.int32()), 0).to_numpy()
            return self._dates(days.astype(np.int64) * DAY_S, column, "dates, midnight UTC")
        if pa.types.is_integer(kind):
            return self._numbers(pc.fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy())
        if pa.types.is_floating(kind) and kind.bit_width < 64:
            self.problems.add(
                f"the times in '{self.name}' are floats of {kind.bit_width} bits, which are "
                "minutes off; write whole numbers or floats of 64 bits."
            )
            return self._nothing()
        if pa.types.is_floating(kind):
            return self._numbers(column.cast(pa.float64()).to_numpy())
        self.problems.add(f"the times in '{self.name}' are of type {kind}; write {_EXAMPLE}.")
        return self._nothing()

    def _nothing(self) -> Times:
        return Times(np.zeros(len(self.present), np.int64), "unknown")

    def _text(self, column: pa.ChunkedArray) -> Times:
        numeric = _matches(column, _NUMBER) & self.present
        dates = self.present & ~numeric
        if not dates.any():
            kind = pa.int64() if _matches(column, _WHOLE_NUMBER)[numeric].all() else pa.float64()
            column = pc.if_else(pa.array(numeric), column, None)
            try:
                return self._numbers(pc.fill_null(column.cast(kind), 0).to_numpy())
            except pa.ArrowInvalid:  # more digits than int64 holds
                return self._numbers(pc.fill_null(column.cast(pa.float64()), 0).to_numpy())
        epoch_s, parsed = parse_iso(column, dates)
        if (unparsed := dates & ~parsed).any():
            self.problems.add(
                f"{share(unparsed)} times in '{self.name}' cannot be read "
                f"({first_rows(unparsed, column)}); write {_EXAMPLE}."
            )
        if numeric.any() and parsed.any():
            self.problems.add(
                f"the times in '{self.name}' mix {int(numeric.sum()):,} numbers "
                f"({first_rows(numeric, column)}) and {int(parsed.sum()):,} dates "
                f"({first_rows(parsed, column)}); write all of them in one way."
            )
        if numeric.any() or unparsed.any():
            return self._nothing()
        zoneless = int((dates & ~_matches(column, _ZONE)).sum())
        note = f", {zoneless:,} of them without a zone, taken as UTC" if zoneless else ""
        return self._dates(epoch_s, column, f"ISO 8601{note}")

    def _dates(self, epoch_s: NDArray[np.int64], column: pa.ChunkedArray, how: str) -> Times:
        self._check_range(epoch_s, column, "")
        return Times(epoch_s, how)

    def _numbers(self, numbers: NDArray[Any]) -> Times:
        infinite = self.present & ~np.isfinite(numbers)
        if infinite.any():
            self.problems.add(
                f"{share(infinite)} times in '{self.name}' are infinite "
                f"({first_rows(infinite, numbers)}); write {_EXAMPLE}."
            )
        usable = self.present & ~infinite
        numbers = np.where(usable, numbers, 0)
        unit = self.unit or tell_unit(numbers, usable, self.name, self.now_s, self.problems)
        if unit is None:
            return self._nothing()
        ticks = np.clip(numbers, -_LARGEST, _LARGEST)
        epoch_s = np.floor_divide(ticks, UNITS[unit]).astype(np.int64)
        self._check_range(epoch_s, numbers, f" in {unit}")
        return Times(epoch_s, f"epoch {unit}" + ("" if self.unit else ", told by their size"))

    def _check_range(self, epoch_s: NDArray[np.int64], values: Values, unit: str) -> None:
        early = self.present & (epoch_s < 0)
        if early.any():
            self.problems.add(
                f"{share(early)} times in '{self.name}' are before 1970 "
                f"({first_rows(early, values)}); remove these rows or correct them."
            )
        late = self.present & (epoch_s > self.now_s + DAY_S)
        if late.any() and not self.may_be_late:
            latest = iso(int(epoch_s[late].max()))
            self.problems.add(
                f"{share(late)} times in '{self.name}' are in the future "
                f"({first_rows(late, values)}); read{unit} they reach {latest}; "
                "correct them, or set timestamp_unit (--timestamp-unit) if the unit is another."
            )


def _matches(column: pa.ChunkedArray, pattern: str) -> NDArray[np.bool_]:
    found = pc.fill_null(pc.match_substring_regex(column, pattern), False)
    return np.asarray(found.to_numpy(), dtype=bool)


def parse_iso(
    column: pa.ChunkedArray, dates: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Reads ISO 8601 text: epoch seconds, int64 [rows], and which of the `dates` rows were read."""
    # BigQuery and many public logs write "2019-10-01 00:00:00 UTC", which pandas does not read.
    text = pc.replace_substring_regex(column, r" ?UTC$", "Z")
    text = pc.if_else(pa.array(dates), text, None).to_pandas()
    moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    parsed = moments.notna().to_numpy()
    ticks = moments.dt.as_unit("us").astype("int64").to_numpy()
    return np.where(parsed, ticks // UNITS["us"], 0), parsed
