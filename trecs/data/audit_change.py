"""How fast a log's population changes: new items and users, and the drift of what is popular."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trecs.data.audit_summary import DAY_S, WEEK_S, bin_width_s
from trecs.data.log import EventLog

TOP = 100
"""Length of the lists of popular items that drift compares."""

_MIN_WEEKS = 4


@dataclass(frozen=True)
class Newcomers:
    """Bins of time from the first event on, and what was new in each of them.

    Attributes:
        width_s: width of a bin in seconds.
        start_s: UTC epoch seconds at which each bin starts.
        num_events: events of each bin.
        new_item_share: share of a bin's events on items without an event before the bin; these are
            cold for whatever was fitted up to the bin. None where the bin is empty.
        new_user_share: likewise for users.
    """

    width_s: int
    start_s: tuple[int, ...]
    num_events: tuple[int, ...]
    new_item_share: tuple[float | None, ...]
    new_user_share: tuple[float | None, ...]


@dataclass(frozen=True)
class Drift:
    """How much of the top 100 one period shares with the next.

    Attributes:
        period_s: a week in seconds; a day where the log is shorter than four weeks.
        start_s: UTC epoch seconds at which the later period of each pair starts.
        overlap: items in the top `TOP` of both periods, divided by the length of the shorter list.
            Equal counts are ordered by the items' first event. None where a period is empty.
        mean_overlap: mean of the pairs; None where there is none. A part of a period at the end of
            the log is left out.
    """

    period_s: int
    start_s: tuple[int, ...]
    overlap: tuple[float | None, ...]
    mean_overlap: float | None

    @property
    def period_name(self) -> str:
        """The period in a word, "week" or "day"."""
        return "week" if self.period_s == WEEK_S else "day"


def measure_newcomers(log: EventLog) -> Newcomers:
    """Find which share of each bin's events is on items, or by users, that are new in it."""
    time_s = log.timestamp_s
    width = bin_width_s(int(time_s[-1] - time_s[0]))
    place = (time_s - time_s[0]) // width
    num_events = np.bincount(place)
    return Newcomers(
        width_s=width,
        start_s=tuple((time_s[0] + width * np.arange(num_events.size)).tolist()),
        num_events=tuple(num_events.tolist()),
        new_item_share=_new_share(log.item, place, num_events),
        new_user_share=_new_share(log.user, place, num_events),
    )


def measure_drift(log: EventLog, top: int = TOP) -> Drift:
    """Compare the most popular items of each whole period with those of the one before."""
    offset = log.timestamp_s - log.timestamp_s[0]
    # The log's last second is inside it, so a span of 7 days less a second is a whole week.
    span_s = int(offset[-1]) + 1
    period_s = WEEK_S if span_s >= _MIN_WEEKS * WEEK_S else DAY_S
    num_periods = span_s // period_s
    inside = offset < num_periods * period_s
    # (period, item) pairs as one number: the same item a period before is one stride lower.
    stride = np.int64(log.num_items)
    listed = _top_lists(offset[inside] // period_s * stride + log.item[inside], stride, top)
    common = np.isin(listed - stride, listed)
    num_common = np.bincount(listed[common] // stride, minlength=num_periods)[1:]
    length = np.bincount(listed // stride, minlength=num_periods)
    shorter = np.minimum(length[1:], length[:-1])
    overlap = np.where(shorter > 0, num_common / np.maximum(shorter, 1), np.nan)
    known = overlap[~np.isnan(overlap)]
    starts = log.timestamp_s[0] + period_s * np.arange(1, num_periods)
    return Drift(
        period_s=period_s,
        start_s=tuple(starts.tolist()),
        overlap=_optional(overlap),
        mean_overlap=float(known.mean()) if known.size else None,
    )


def _top_lists(packed: NDArray[np.int64], stride: np.int64, top: int) -> NDArray[np.int64]:
    """The `top` most frequent items of each period, from and to `period * stride + item`."""
    pairs, counts = np.unique(packed, return_counts=True)
    period = pairs // stride
    by_rank = np.lexsort((pairs, -counts, period))
    rank = np.arange(pairs.size) - np.searchsorted(period, period)
    return pairs[by_rank[rank < top]]


def _new_share(
    code: NDArray[np.int32], place: NDArray[np.int64], num_events: NDArray[np.int64]
) -> tuple[float | None, ...]:
    """By bin, the share of events whose code has its first event in the same bin."""
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    is_new = place[first][inverse] == place
    new = np.bincount(place[is_new], minlength=num_events.size)
    return _optional(np.where(num_events > 0, new / np.maximum(num_events, 1), np.nan))


def _optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else value for value in values.tolist())
