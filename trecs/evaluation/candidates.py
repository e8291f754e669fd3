"""Which items a request may be answered with: known by then, and not seen if those are filtered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.evaluation.histories import history_blocks

_KNOWN = (
    "candidates: items of the training part, rows of the items file, items first seen before the "
    "request; a target that is none of these "
)
COLD_POLICY = {
    "miss": _KNOWN + "counts as a miss",
    "leave-out": _KNOWN + "is left out of the targets",
}

_NEVER_S = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Candidates:
    """Since when each item is known.

    Attributes:
        always: bool [num_items], in the training part or in the items file.
        first_event_s: int64 [num_items], UTC epoch seconds of the item's first event; the largest
            int64 for an item without one.
    """

    always: NDArray[np.bool_]
    first_event_s: NDArray[np.int64]

    def known(self, item: NDArray[np.int32], time_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each item [n] is a candidate at its time [n], UTC epoch seconds; bool [n]."""
        return self.always[item] | (self.first_event_s[item] < time_s)

    def count(self, time_s: int) -> int:
        """Number of candidates at a time, UTC epoch seconds."""
        return int((self.always | (self.first_event_s < time_s)).sum())

    def hide_unknown(self, scores: NDArray[np.float32], request_time_s: NDArray[np.int64]) -> None:
        """Set scores [n, num_items] of items unknown at the request times [n] to -inf, in place."""
        newest = request_time_s.max()
        scores[:, ~self.always & (self.first_event_s >= newest)] = -np.inf
        appears = ~self.always & (self.first_event_s < newest)
        within = np.flatnonzero(appears & (self.first_event_s >= request_time_s.min()))
        row, column = np.nonzero(self.first_event_s[within] >= request_time_s[:, None])
        scores[row, within[column]] = -np.inf


def make_candidates(
    log: EventLog, train: NDArray[np.int64], listed: NDArray[np.bool_]
) -> Candidates:
    """Find since when each item is known.

    Args:
        log: the whole log. An item's first event counts for requests strictly after it.
        train: int64 [n], positions of the training events; their items are always candidates.
        listed: bool [num_items], the items that the items file names; always candidates too.
    """
    always = listed.copy()
    always[log.item[train]] = True
    first_event_s = np.full(log.num_items, _NEVER_S, np.int64)
    item, position = np.unique(log.item, return_index=True)
    first_event_s[item] = log.timestamp_s[position]
    return Candidates(always, first_event_s)


def hide_seen(
    scores: NDArray[np.float32],
    seen_item: NDArray[np.int32],
    lo: NDArray[np.int64],
    hi: NDArray[np.int64],
) -> None:
    """Set the scores of each row's seen items to -inf, in place.

    Args:
        scores: float32 [n, num_items].
        seen_item: int32 [num_events], items of all events, grouped by user.
        lo: int64 [n]; row `k` has seen `seen_item[lo[k]:hi[k]]`.
        hi: int64 [n].
    """
    for part, row, place in history_blocks(lo, hi):
        scores[part][row, seen_item[place]] = -np.inf
