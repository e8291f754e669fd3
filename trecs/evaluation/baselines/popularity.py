"""What everybody likes: counts of the training part, and of the days before the request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.evaluation.requests import Requests

_DAY_S = 86_400


class MostPopular:
    """Score of an item: its number of training events, the same for every request."""

    def __init__(self, log: EventLog, train: NDArray[np.int64]) -> None:
        """Count the events of `train`, int64 [n] positions into `log`."""
        self._counts = np.bincount(log.item[train], minlength=log.num_items).astype(np.float32)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the counts for each of n requests, float32 [n, num_items]."""
        return np.tile(self._counts, (len(requests), 1))


class PopularAsOf:
    """Score of an item: its number of events, by anybody, in the days before the request.

    The window of a request at `t` is `[t - days, t)`: events at `t` or later never count. It goes
    on after the training part, as a counter in production does.
    """

    def __init__(self, log: EventLog, days: float = 7) -> None:
        """Take the events to count and the window's length in days, above 0 or ValueError."""
        if not days > 0:
            raise ValueError(
                f"a popularity window needs a positive number of days, but {days} came"
            )
        self._log = log
        self._window_s = round(days * _DAY_S)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the counts as of each of n requests, float32 [n, num_items]."""
        item = self._log.item
        scores = np.empty((len(requests), self._log.num_items), np.float32)
        if not len(requests):
            return scores
        by_time = np.argsort(requests.request_time_s, kind="stable")
        time_s = requests.request_time_s[by_time]
        stop = np.searchsorted(self._log.timestamp_s, time_s, side="left")
        start = np.searchsorted(self._log.timestamp_s, time_s - self._window_s, side="left")
        # From one request to the next only the window's two ends move.
        counts = np.bincount(item[start[0] : stop[0]], minlength=scores.shape[1])
        scores[by_time[0]] = counts
        for k in range(1, by_time.size):
            np.add.at(counts, item[stop[k - 1] : stop[k]], 1)
            np.subtract.at(counts, item[start[k - 1] : start[k]], 1)
            scores[by_time[k]] = counts
        return scores
