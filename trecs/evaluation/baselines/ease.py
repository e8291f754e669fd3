"""Scores by EASE, with histories that may fade."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.ease import EaseWeights
from trecs.data.log import EventLog
from trecs.evaluation.baselines.history import HistoryEvents, HistoryReader
from trecs.evaluation.requests import Requests


class Ease:
    """Scores an item by the sum of its weights from the history's items.

    An item counts once, with the weight `decay ** age` of its newest event, which has `age` events
    after it; plain EASE is a decay of 1. Items without weights score 0, between evidence for and
    against.
    """

    def __init__(self, log: EventLog, ease: EaseWeights, decay: float = 1.0) -> None:
        """Take the log of the histories and the weights; ValueError unless 0 < decay <= 1."""
        if not 0 < decay <= 1:
            raise ValueError(f"the decay of a history must be in (0, 1], but {decay} came")
        self._reader = HistoryReader(log)
        self._ease = ease
        self._decay = decay

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the weighted sums, float32 [n, num_items]."""
        return self._reader.score(requests, self._score)

    def _score(self, events: HistoryEvents) -> NDArray[np.float32]:
        newest = events.newest()
        history = newest.matrix(self._decay**newest.age)
        scores = np.zeros(events.shape, np.float32)
        scores[:, self._ease.items] = history[:, self._ease.items] @ self._ease.weights
        return scores
