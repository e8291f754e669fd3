"""Counts of what follows what: a Markov chain over items, with a window, and no training."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences
from trecs.evaluation.baselines.history import HistoryEvents, HistoryReader
from trecs.evaluation.requests import Requests


class Markov:
    """Scores an item by how often it follows the history's newest events.

    The event with `age` events after it weighs `decay ** age`; events older than the `last` ones do
    not count. An item that never followed any of them scores 0.
    """

    def __init__(
        self, log: EventLog, transitions: sp.csr_array, decay: float, last: int = 20
    ) -> None:
        """Take what `count_transitions` found; ValueError unless 0 < decay <= 1 and last >= 1."""
        if not 0 < decay <= 1 or last < 1:
            raise ValueError(
                "a Markov scorer needs a decay in (0, 1] and one last event at least, but "
                f"{decay} and {last} came"
            )
        self._reader = HistoryReader(log, last)
        self._transitions = transitions
        self._decay = decay

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the weighted sums of the transitions' rows, float32 [n, num_items]."""
        return self._reader.score(requests, self._score)

    def _score(self, events: HistoryEvents) -> NDArray[np.float32]:
        history = events.matrix(self._decay**events.age)
        scores: NDArray[np.float32] = (history @ self._transitions).toarray()
        return scores


def count_transitions(log: EventLog, train: NDArray[np.int64], window: int) -> sp.csr_array:
    """Count which items follow which within a user's training events.

    Every pair of events that stand d = 1 ... window places apart adds 1/d to the entry of its two
    items, earlier one first; rows are then divided by their sums.

    Args:
        log: the event log; events of one second stand in its order.
        train: int64 [n], positions of the training events.
        window: largest distance, at least 1.

    Returns:
        float32 [num_items, num_items]; rows sum to 1, or to 0 for items that nothing follows. Built
        one distance at a time: at most `window * n` entries.

    Raises:
        ValueError: window is below 1.
    """
    if window < 1:
        raise ValueError(f"a window of transitions must be at least 1, but {window} came")
    order = build_sequences(log, train).order
    user, item = log.user[order], log.item[order]
    shape = (log.num_items, log.num_items)
    counts = sp.csr_array(shape, dtype=np.float32)
    for distance in range(1, window + 1):
        same = np.flatnonzero(user[distance:] == user[:-distance])
        pairs = (item[same], item[same + distance])
        weight = np.full(same.size, 1 / distance, np.float32)
        counts = counts + sp.csr_array((weight, pairs), shape=shape)
    total = counts.sum(axis=1)
    row = np.repeat(np.arange(log.num_items), np.diff(counts.indptr))
    counts.data /= total[row]
    return counts
