"""What the times of a log can tell: ties, resolution, gaps, lifetimes, rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trecs.data.audit_summary import DAY_S, HOUR_S, MINUTE_S, WEEK_S, Spread, binned_shares, spread
from trecs.data.ids import id_places
from trecs.data.log import EventLog
from trecs.data.sequences import Sequences

GAP_EDGES_S = (0, 1, MINUTE_S, HOUR_S, DAY_S, WEEK_S, 30 * DAY_S)
"""Lower edges of the bins of gaps: 0 s, under a minute, an hour, a day, a week, 30 days, more."""

# 1970-01-01 was a Thursday; weekdays count from Monday.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True)
class Times:
    """The clock of a log. Times are UTC, lengths of time are seconds.

    Attributes:
        resolution_s: the largest of 86400, 3600, 60 and 1 that divides the distance of every event
            from the first one.
        busiest_second_share: share of events in the one second that has most of them.
        tie_share: share of events with the same user and second as that user's event before.
        largest_tie: most events that one user has in one second.
        tie_ascent: of neighbours inside ties, with different items, the share whose second one has
            the higher item id; 1/2 where their order means nothing, None where there are none.
        gap_s: from an event to the same user's next one; None if nobody has two events.
        gap_shares: share of gaps in the bins of `GAP_EDGES_S`.
        lifetime_s: from a user's first event to the last.
        single_moment_share: share of users whose events all have one second.
        hour_shares: share of events by hour of the day, 24 of them, from 00 UTC.
        weekday_shares: share of events by weekday, 7 of them, from Monday.
    """

    resolution_s: int
    busiest_second_share: float
    tie_share: float
    largest_tie: int
    tie_ascent: float | None
    gap_s: Spread | None
    gap_shares: tuple[float, ...]
    lifetime_s: Spread | None
    single_moment_share: float
    hour_shares: tuple[float, ...]
    weekday_shares: tuple[float, ...]

    @property
    def hour_contrast(self) -> float:
        """Total variation distance of the hours from an even day: 0 even, 23/24 all in one hour."""
        return sum(abs(share - 1 / 24) for share in self.hour_shares) / 2


def measure_times(log: EventLog, sequences: Sequences) -> Times:
    """Read the clock of a log that has at least one event.

    Args:
        log: the events.
        sequences: all of them by user, `build_sequences(log)`.
    """
    time_s = log.timestamp_s
    gaps = gaps_s(log, sequences)
    ends = sequences.start[1:][np.diff(sequences.start) > 0]
    starts = sequences.start[:-1][np.diff(sequences.start) > 0]
    lifetimes = time_s[sequences.order[ends - 1]] - time_s[sequences.order[starts]]
    second_starts = np.flatnonzero(np.diff(time_s, prepend=time_s[0] - 1))
    largest_second = np.diff(second_starts, append=time_s.size).max()
    return Times(
        resolution_s=_resolution_s(time_s),
        busiest_second_share=float(largest_second / time_s.size),
        tie_share=float((gaps == 0).sum() / time_s.size),
        largest_tie=_largest_tie(log, sequences),
        tie_ascent=_tie_ascent(log, sequences),
        gap_s=spread(gaps),
        gap_shares=binned_shares(gaps, GAP_EDGES_S),
        lifetime_s=spread(lifetimes),
        single_moment_share=float((lifetimes == 0).mean()),
        hour_shares=_shares(time_s // HOUR_S % 24, 24),
        weekday_shares=_shares((time_s // DAY_S + _FIRST_WEEKDAY) % 7, 7),
    )


def gaps_s(log: EventLog, sequences: Sequences) -> NDArray[np.int64]:
    """Seconds from each event to its user's next one, int64 [events that have a next one]."""
    time_s, user = log.timestamp_s[sequences.order], log.user[sequences.order]
    gaps: NDArray[np.int64] = np.diff(time_s)[np.diff(user) == 0]
    return gaps


def _resolution_s(time_s: NDArray[np.int64]) -> int:
    offsets = time_s - time_s[0]
    return next(unit for unit in (DAY_S, HOUR_S, MINUTE_S, 1) if not (offsets % unit).any())


def _largest_tie(log: EventLog, sequences: Sequences) -> int:
    time_s, user = log.timestamp_s[sequences.order], log.user[sequences.order]
    starts = np.flatnonzero((np.diff(time_s) != 0) | (np.diff(user) != 0)) + 1
    return int(np.diff(starts, prepend=0, append=time_s.size).max())


def _tie_ascent(log: EventLog, sequences: Sequences) -> float | None:
    time_s, user = log.timestamp_s[sequences.order], log.user[sequences.order]
    step = np.diff(id_places(log.item_ids)[log.item[sequences.order]])
    tied = (np.diff(time_s) == 0) & (np.diff(user) == 0) & (step != 0)
    return float((step[tied] > 0).mean()) if tied.any() else None


def _shares(place: NDArray[np.int64], num_places: int) -> tuple[float, ...]:
    return tuple((np.bincount(place, minlength=num_places) / place.size).tolist())
