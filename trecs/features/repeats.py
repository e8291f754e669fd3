"""Which items a user has had before, as the repeat term reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int32).max
"""Where an event's item does not come again."""


@dataclass(frozen=True)
class Occurrences:
    """Each event as one of its user's occurrences of its item; E events by user and time.

    Attributes:
      count: int32 [E], the how-manieth occurrence it is, from 1.
      next_index: int64 [E], the event of the next occurrence; E where there is none.
      interval_s: float32 [E], mean seconds between the occurrences so far; 0 at the first.
    """

    count: NDArray[np.int32]
    next_index: NDArray[np.int64]
    interval_s: NDArray[np.float32]


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
    return Occurrences(count, next_index, interval_s)


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
