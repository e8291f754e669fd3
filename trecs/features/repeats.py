"""Which items a user has had before, as the repeat term reads them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trecs.features.spec import SECONDS_PER_DAY

NEVER = np.iinfo(np.int32).max
"""Where an event's item does not come again."""

DECAY_DAYS = (14.0, 60.0, 365.0)
"""An occurrence so many days before another counts 1/e in its sum."""
DECAY_EVENTS = (50.0, 400.0)
"""Likewise, so many of the user's events before it."""
HOUR_DAYS = 60.0
"""Decay of the sums that know the time of the day."""
HOUR_WEIGHTS = (70 / 256, 112 / 256, 56 / 256, 16 / 256, 2 / 256)
"""cos^8(x / 2), the nearness of two times of the day x apart, as a sum of cos(k x), k = 0 to 4."""
NUM_SUMS = len(DECAY_DAYS) + len(DECAY_EVENTS) + 2 * (len(HOUR_WEIGHTS) - 1)
NUM_HABITS = 3
"""Numbers that `item_habits` gives an item."""

# Repeats, and events, of the log's average that count beside an item's own.
_PRIOR_INTERVALS = 100.0
_PRIOR_EVENTS = 200.0


@dataclass(frozen=True)
class Occurrences:
    """Each event as one of its user's occurrences of its item; E events by user and time.

    Attributes:
      count: int32 [E], the how-manieth occurrence it is, from 1.
      next_index: int64 [E], the event of the next occurrence; E where there is none.
      interval_s: float32 [E], mean seconds between the occurrences so far; 0 at the first.
      sums: float32 [E, NUM_SUMS], the occurrences so far, each fading with its distance d from this
        one: exp(-d) by `DECAY_DAYS` and by `DECAY_EVENTS`; then, for k = 1 to 4, exp(-d) by
        `HOUR_DAYS` times cos(k x), and then times sin(k x), x being d as an angle of the day.
    """

    count: NDArray[np.int32]
    next_index: NDArray[np.int64]
    interval_s: NDArray[np.float32]
    sums: NDArray[np.float32]


def find_occurrences(
    item_row: NDArray[np.int32], time_s: NDArray[np.int64], start: NDArray[np.int64]
) -> Occurrences:
    """Link the occurrences of each user's items.

    Args:
      item_row: int32 [E], by user and time.
      time_s: int64 [E], UTC epoch seconds, likewise.
      start: int64 [U + 1] offsets of the users.
    """
    size = len(item_row)
    user = np.repeat(np.arange(len(start) - 1), np.diff(start))
    order = np.lexsort((np.arange(size), item_row, user))
    opens = np.ones(size, bool)
    opens[1:] = (user[order[1:]] != user[order[:-1]]) | (
        item_row[order[1:]] != item_row[order[:-1]]
    )
    place = np.arange(size)
    first = np.maximum.accumulate(np.where(opens, place, 0))
    count = np.empty(size, np.int32)
    count[order] = place - first + 1
    next_index = np.full(size, size, np.int64)
    goes_on = ~opens[1:]
    next_index[order[:-1][goes_on]] = order[1:][goes_on]
    interval_s = np.empty(size, np.float32)
    interval_s[order] = (time_s[order] - time_s[order[first]]) / np.maximum(place - first, 1)
    sums = np.empty((size, NUM_SUMS), np.float32)
    sums[order] = _fading_sums(time_s[order], order, place - first)
    return Occurrences(count, next_index, interval_s, sums)


def _fading_sums(
    time_s: NDArray[np.int64], event: NDArray[np.int64], before: NDArray[np.int64]
) -> NDArray[np.float32]:
    """`Occurrences.sums` of occurrences that lie by user and item, in their order.

    Args:
      time_s, event: int64 [E], when each is, and the how-manieth event it is.
      before: int64 [E], occurrences of the same user and item before it.
    """
    # Where another item begins, the distance to the one before means nothing, and is not used.
    gap_s = np.maximum(np.diff(time_s, prepend=0), 0)
    days, events = gap_s / SECONDS_PER_DAY, np.maximum(np.diff(event, prepend=0), 0)
    turn = 2j * np.pi * (gap_s % SECONDS_PER_DAY) / SECONDS_PER_DAY
    # One column a sum; of those with the time of the day, the complex exp(i k x).
    fade = [np.exp(-days / scale) for scale in DECAY_DAYS]
    fade += [np.exp(-events / scale) for scale in DECAY_EVENTS]
    fade += [np.exp(k * turn - days / HOUR_DAYS) for k in range(1, len(HOUR_WEIGHTS))]
    step = np.stack(fade, axis=1)
    total = np.ones_like(step)
    # All second occurrences from the first, all third from the second, and so on.
    by_number = np.argsort(before, kind="stable")
    ends = np.cumsum(np.bincount(before)) if len(before) else np.zeros(1, np.int64)
    for begin, end in pairwise(ends):
        at = by_number[begin:end]
        total[at] += step[at] * total[at - 1]
    plain, hours = np.split(total, [len(DECAY_DAYS) + len(DECAY_EVENTS)], axis=1)
    return np.concatenate([plain.real, hours.real, hours.imag], axis=1).astype(np.float32)


def item_habits(
    item_row: NDArray[np.int32],
    time_s: NDArray[np.int64],
    occurrences: Occurrences,
    num_rows: int,
) -> NDArray[np.float32]:
    """When, and how often, each item is taken again by those who had it.

    Both are drawn towards the average of the events, strongly: training reads them for the events
    that they are made of, and would trust those of a rare item more than they deserve.

    Args:
      item_row, time_s: int [E], by user and time, as of `occurrences`.
      occurrences: of the training events.
      num_rows: R, more than the largest row.

    Returns:
      float32 [R, NUM_HABITS]: the mean of log(days + 1/2) from one occurrence to the next of the
      same user; by how much the log-odds that an event repeats an item are above the average; and
      a quarter of log(1 + events), less that of the average item. A row without events has the
      average interval and odds.
    """
    earlier = np.flatnonzero(occurrences.next_index < len(item_row))
    days = (time_s[occurrences.next_index[earlier]] - time_s[earlier]) / SECONDS_PER_DAY
    intervals = np.log(days + 0.5)
    average = intervals.mean() if len(intervals) else 0.0
    num_repeats = np.bincount(item_row[earlier], minlength=num_rows)
    interval = np.bincount(item_row[earlier], intervals, num_rows) + _PRIOR_INTERVALS * average
    interval /= num_repeats + _PRIOR_INTERVALS
    num_events = np.bincount(item_row, minlength=num_rows)
    overall = (len(earlier) + 1) / (len(item_row) + 2)
    share = (num_repeats + _PRIOR_EVENTS * overall) / (num_events + _PRIOR_EVENTS)
    odds = np.log(share / (1 - share)) - np.log(overall / (1 - overall))
    taken = np.log1p(num_events)
    taken = (taken - taken[num_events > 0].mean()) / 4
    return np.stack([interval, odds, taken], axis=1).astype(np.float32)


def own_entries(
    occurrences: Occurrences, lo: NDArray[np.int64], hi: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The newest occurrence of every item of each history.

    Args:
      occurrences: of all events.
      lo, hi: int64 [n]; history `k` is events [lo[k], hi[k]).

    Returns:
      (query, event), int32 and int64 [m]: history `query[j]` has the item of `event[j]`, and no
      later occurrence of it.
    """
    length = hi - lo
    query = np.repeat(np.arange(len(lo), dtype=np.int32), length)
    event = np.arange(length.sum()) + np.repeat(lo - (np.cumsum(length) - length), length)
    newest = occurrences.next_index[event] >= hi[query]
    return query[newest], event[newest]
