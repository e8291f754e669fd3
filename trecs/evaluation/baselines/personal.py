"""What the user had before: where people repeat, it is hard to beat (arXiv 2006.00556).

Items that are not in the history score 0, all alike. With the seen filter on nothing else is left,
and every target stands in the middle of the candidates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.evaluation.baselines.history import HistoryEvents, HistoryReader
from trecs.evaluation.requests import Requests


class UserMostRecent:
    """Orders the history's items by their newest event: the newest item scores highest.

    Example: after the items 4, 7, 4 the scores are 3 for item 4, 2 for item 7, 0 for all others.
    """

    def __init__(self, log: EventLog) -> None:
        """Take the log whose events the histories are of."""
        self._reader = HistoryReader(log)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return 1 + the place of an item's newest event, oldest first; float32 [n, num_items]."""
        return self._reader.score(requests, _newest_place)


class UserMostFrequent:
    """Orders the history's items by their number of events, equal numbers by the newest event.

    Example: after the items 4, 4, 7, 5 the scores are 3, 2, 1 for the items 4, 5, 7.
    """

    def __init__(self, log: EventLog) -> None:
        """Take the log whose events the histories are of."""
        self._reader = HistoryReader(log)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return an item's place in that order, the best highest; float32 [n, num_items]."""
        return self._reader.score(requests, _frequency_place)


def _newest_place(events: HistoryEvents) -> NDArray[np.float32]:
    length = np.bincount(events.row, minlength=events.shape[0])
    newest = events.newest()
    scores = np.zeros(events.shape, np.float32)
    scores[newest.row, newest.item] = length[newest.row] - newest.age
    return scores


def _frequency_place(events: HistoryEvents) -> NDArray[np.float32]:
    newest = events.newest()
    counts = events.matrix(np.ones(events.row.size))
    counts.sum_duplicates()
    # Both are ordered by row and item, one entry for each.
    order = np.lexsort((-newest.age, counts.data, newest.row))
    start = np.searchsorted(newest.row, newest.row)
    scores = np.zeros(events.shape, np.float32)
    # Places, and not counts with a fraction for the age: float32 has no room for both.
    scores[newest.row[order], newest.item[order]] = np.arange(order.size) - start + 1
    return scores
