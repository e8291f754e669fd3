"""From the histories of requests to scores: what all baselines that read a history share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences
from trecs.evaluation.histories import history_blocks
from trecs.evaluation.requests import Requests


@dataclass(frozen=True, eq=False)
class HistoryEvents:
    """The m events of n histories, by history, oldest first.

    Attributes:
        row: int64 [m], which history.
        item: int32 [m], item rows.
        age: int64 [m], events after this one in its history; 0 is the newest.
        shape: (n, num_items).
    """

    row: NDArray[np.int64]
    item: NDArray[np.int32]
    age: NDArray[np.int64]
    shape: tuple[int, int]

    def newest(self) -> HistoryEvents:
        """Return only the newest event of each item in each history, by history and item."""
        key = self.row * self.shape[1] + self.item
        # From the end, so that the first of a key is its newest.
        from_end = np.unique(key[::-1], return_index=True)[1]
        kept = key.size - 1 - from_end
        return HistoryEvents(self.row[kept], self.item[kept], self.age[kept], self.shape)

    def matrix(self, weight: NDArray[Any]) -> sp.csr_array:
        """Return float32 [n, num_items]: the summed weights [m] of an item's events in a row."""
        entries = (weight.astype(np.float32), (self.row, self.item))
        return sp.csr_array(entries, shape=self.shape)


class HistoryReader:
    """Hands the histories of requests, block by block, to a function that scores them."""

    def __init__(self, log: EventLog, last: int | None = None) -> None:
        """Read the log's events by user; with `last`, the newest `last` of a history alone."""
        self._item = log.item[build_sequences(log).order]
        self._num_items = log.num_items
        self._last = last

    def score(
        self, requests: Requests, of: Callable[[HistoryEvents], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Return float32 [n, num_items], what `of` gives for each block of the n histories."""
        scores = np.empty((len(requests), self._num_items), np.float32)
        lo, hi = requests.history_lo, requests.history_hi
        if self._last is not None:
            lo = np.maximum(lo, hi - self._last)
        for part, row, place in history_blocks(lo, hi):
            shape = (part.stop - part.start, self._num_items)
            age = hi[part][row] - 1 - place
            scores[part] = of(HistoryEvents(row, self._item[place], age, shape))
        return scores
