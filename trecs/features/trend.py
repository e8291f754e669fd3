"""The crowd, as of the request: how often each item was taken in the last days.

A table of cumulative counts by day. A request may read the rows up to its own day only, and a row
counts the events strictly before its day, so nothing at or after the request is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.spec import SECONDS_PER_DAY

WINDOWS_DAYS = (1, 7, 30)
NUM_TREND_FEATURES = len(WINDOWS_DAYS) + 3
# A table beyond this is kept by several days instead of one.
_MAX_TABLE_BYTES = 512 * 2**20


@dataclass(frozen=True)
class TrendTable:
    """Cumulative event counts of candidates by day.

    Attributes:
      counts: int32 [num_steps + 1, N]; row `d` counts events before day `first_day + d *
        step_days`.
      first_row: int32 [N], first row in which the candidate has a count; num_steps + 1 if none.
      first_day: of row 0, in days from `origin_s`.
      step_days: days from a row to the next; 1 unless the table would be too large.
      origin_s: UTC epoch seconds at which a day begins; 0 for the days of the calendar.
    """

    counts: NDArray[np.int32]
    first_row: NDArray[np.int32]
    first_day: int
    step_days: int
    origin_s: int = 0


def trend_step_days(timestamp_s: NDArray[np.int64], num_candidates: int) -> int:
    """Days from a row of a table to the next, so that it is no larger than half a GiB."""
    first, last = timestamp_s.min() // SECONDS_PER_DAY, timestamp_s.max() // SECONDS_PER_DAY
    num_days = int(last - first) + 1
    return max(1, -(-num_days * num_candidates * 4 // _MAX_TABLE_BYTES))


def build_trend_table(
    candidate: NDArray[np.int64],
    timestamp_s: NDArray[np.int64],
    num_candidates: int,
    step_days: int = 1,
    end_s: int | None = None,
) -> TrendTable:
    """Count events by candidate and day.

    Args:
      candidate: int64 [E], candidate of each event, 0 to num_candidates - 1.
      timestamp_s: int64 [E], UTC epoch seconds.
      num_candidates: N.
      step_days: as of `trend_step_days`, of the training events: the model learned with it.
      end_s: UTC epoch seconds, after all events, at which a step ends: what is asked as of then
        sees whole windows up to then. None: steps end at midnight, UTC.

    Raises:
      ValueError: no events.
    """
    if not len(timestamp_s):
        raise ValueError(f"a trend table needs events, got {len(timestamp_s)}")
    origin_s = 0 if end_s is None else end_s
    day = (timestamp_s - origin_s) // SECONDS_PER_DAY
    first_day = int(day.min())
    last_day = int(day.max()) + 1 if end_s is None else 0
    num_steps = -(-(last_day - first_day) // step_days)
    if end_s is not None:
        first_day = -num_steps * step_days
    counts = np.zeros((num_steps + 1, num_candidates), np.int32)
    # An event of step d is first seen by row d + 1.
    np.add.at(counts, ((day - first_day) // step_days + 1, candidate), 1)
    np.cumsum(counts, axis=0, out=counts)
    first_row = np.where(counts[-1] > 0, (counts > 0).argmax(axis=0), num_steps + 1)
    return TrendTable(counts, first_row.astype(np.int32), first_day, step_days, origin_s)


class Trend:
    """A trend table as tensors, and the features read from it.

    A plain object, so that Keras neither tracks nor saves the counts: they are data, not weights.

    Args:
      table: the counts.
    """

    def __init__(self, table: TrendTable) -> None:
        self._counts = tf.constant(table.counts)
        self._first_row = tf.constant(table.first_row)
        self._first_day, self._origin_s = table.first_day, table.origin_s
        self._step_days = table.step_days
        self._num_steps = table.counts.shape[0] - 1

    def row(self, request_time_s: tf.Tensor) -> tf.Tensor:
        """Row of the table that a request reads: int32, the shape of `request_time_s` (int64)."""
        day = (request_time_s - self._origin_s) // SECONDS_PER_DAY - self._first_day
        return tf.cast(tf.maximum(day // self._step_days, 0), tf.int32)

    def features(self, row: tf.Tensor, candidates: tf.Tensor | None = None) -> tf.Tensor:
        """Trend features of candidates as seen from rows of the table.

        Args:
          row: int32 [R] from `row`. May lie past the table: the crowd has then been silent since.
          candidates: int32 [M], or None for all.

        Returns:
          float32 [R, 6, M]: log(1 + count) of the last 1, 7 and 30 days and of all time, log(1 +
          days since the candidate appeared), and 1 where it has not appeared yet.
        """
        first = self._first_row if candidates is None else tf.gather(self._first_row, candidates)
        age = row[:, None] - first[None]
        return tf.stack(self._columns(lambda at: self._read(at, candidates), row, age), axis=1)

    def pair_features(self, row: tf.Tensor, candidate: tf.Tensor) -> tf.Tensor:
        """Trend features of one candidate a row: float32 [R, 6] for int32 [R] and [R]."""
        flat, size = tf.reshape(self._counts, [-1]), self._counts.shape[1]

        def read(at: tf.Tensor) -> tf.Tensor:
            return tf.gather(flat, tf.clip_by_value(at, 0, self._num_steps) * size + candidate)

        age = row - tf.gather(self._first_row, candidate)
        return tf.stack(self._columns(read, row, age), axis=1)

    def _columns(
        self, read: Callable[[tf.Tensor], tf.Tensor], row: tf.Tensor, age: tf.Tensor
    ) -> list[tf.Tensor]:
        """The features, from a function that reads counts at rows and from ages in steps."""
        seen = read(row)
        columns = []
        for days in WINDOWS_DAYS:
            before = read(row - max(1, round(days / self._step_days)))
            columns.append(tf.math.log1p(tf.cast(seen - before, tf.float32)))
        columns.append(tf.math.log1p(tf.cast(seen, tf.float32)))
        age_days = tf.maximum(age, 0) * self._step_days
        columns.append(tf.math.log1p(tf.cast(age_days, tf.float32)))
        columns.append(tf.cast(seen == 0, tf.float32))
        return columns

    def _read(self, row: tf.Tensor, candidates: tf.Tensor | None) -> tf.Tensor:
        row = tf.clip_by_value(row, 0, self._num_steps)
        if candidates is None:
            return tf.gather(self._counts, row)
        flat = row[:, None] * self._counts.shape[1] + candidates[None]
        return tf.gather(tf.reshape(self._counts, [-1]), flat)
