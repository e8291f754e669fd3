"""Counts of what follows what: a Markov chain over items, with a window, and no training."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.transitions import count_transitions
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
        """Take what `transition_shares` found; ValueError unless 0 < decay <= 1 and last >= 1."""
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


def transition_shares(log: EventLog, train: NDArray[np.int64], window: int) -> sp.csr_array:
    """Return what `count_transitions` counts, each row divided by its sum.

    float32 [num_items, num_items]; rows sum to 1, or to 0 for items that nothing follows.
    """
    shares = count_transitions(log, train, window)
    total = shares.sum(axis=1)
    shares.data /= total[np.repeat(np.arange(log.num_items), np.diff(shares.indptr))]
    return shares
