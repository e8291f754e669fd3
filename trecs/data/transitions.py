"""Counts of what follows what in the users' sequences."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences


def count_transitions(log: EventLog, train: NDArray[np.int64], window: int) -> sp.csr_array:
    """Count which items follow which within a user's training events.

    Every pair of events that stand d = 1 ... window places apart adds 1/d to the entry of its two
    items, earlier one first.

    Args:
        log: the event log; events of one second stand in its order.
        train: int64 [n], positions of the training events.
        window: largest distance, at least 1.

    Returns:
        float32 [num_items, num_items]. Built one distance at a time: at most `window * n` entries.

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
    return counts
