"""Repeat consumption: how often people come back to an item that they had."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog


def repeat_rate(log: EventLog, events: NDArray[np.int64]) -> float:
    """Share of `events` (int64 [n] positions) whose user had the item before, among `events`."""
    pairs = log.user[events].astype(np.int64) * log.num_items + log.item[events]
    return 1 - np.unique(pairs).size / pairs.size if pairs.size else 0.0
