"""Which items speak for which: each item's nearest others, as two tables of numbers.

Both are closed forms over the training events: what followed what (a Markov chain), and EASE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.ease import fit_ease
from trecs.data.log import EventLog
from trecs.data.transitions import count_transitions

# Places apart, at most, at which one event follows another.
_WINDOW = 10
# Pairs of evidence that a rare item lacks: its followers' shares are that much smaller.
_SHRINKAGE = 5.0
_MAX_FOLLOWERS = 64
_EASE_REGULARIZATION = 200.0
# Solving EASE takes time with the cube of the items; for so many, ten seconds and 0.8 GB.
_EASE_MAX_ITEMS = 10_000
_MAX_SIMILAR = 128


@dataclass(frozen=True)
class NeighbourTable:
    """The neighbours of N candidates.

    Attributes:
      neighbour: int32 [N, K] candidates, strongest first; 0 where there is none.
      weight: float32 [N, K], what having the candidate says for each neighbour; 0 likewise.
    """

    neighbour: NDArray[np.int32]
    weight: NDArray[np.float32]


def transition_table(
    log: EventLog, train: NDArray[np.int64], candidate_of_code: NDArray[np.int64]
) -> NeighbourTable:
    """Each item's 64 most frequent followers, and their shares of what follows it.

    Args:
      log: the event log.
      train: int64 [n], positions of the training events.
      candidate_of_code: int64 [N].
    """
    counts = count_transitions(log, train, _WINDOW)
    total = np.asarray(counts.sum(axis=1)) + _SHRINKAGE
    counts.data /= total[np.repeat(np.arange(log.num_items), np.diff(counts.indptr))]
    return _strongest(counts, candidate_of_code, _MAX_FOLLOWERS)


def ease_table(
    log: EventLog, train: NDArray[np.int64], candidate_of_code: NDArray[np.int64]
) -> NeighbourTable:
    """Each item's 128 largest weights of EASE, by size; arguments as for `transition_table`.

    Only the 10,000 items with the most training users have weights.
    """
    ease = fit_ease(log, train, _EASE_REGULARIZATION, _EASE_MAX_ITEMS)
    width = min(_MAX_SIMILAR, ease.items.size)
    column = np.argpartition(-np.abs(ease.weights), width - 1, axis=1)[:, :width]
    data = np.take_along_axis(ease.weights, column, axis=1)
    row = np.repeat(ease.items, width)
    shape = (log.num_items, log.num_items)
    weights = sp.csr_array((data.ravel(), (row, ease.items[column].ravel())), shape=shape)
    return _strongest(weights, candidate_of_code, width)


def _strongest(
    matrix: sp.csr_array, candidate_of_code: NDArray[np.int64], limit: int
) -> NeighbourTable:
    """Keep the `limit` largest entries of each row, by size; of equals, the first candidates."""
    size = matrix.shape[0]
    row = np.repeat(np.arange(size), np.diff(matrix.indptr))
    column = candidate_of_code[matrix.indices]
    order = np.lexsort((column, -np.abs(matrix.data), row))
    place = np.arange(row.size) - matrix.indptr[row]
    kept = place < limit
    width = int(place[kept].max(initial=0)) + 1
    neighbour = np.zeros((size, width), np.int32)
    weight = np.zeros((size, width), np.float32)
    at = (candidate_of_code[row[kept]], place[kept])
    neighbour[at] = column[order][kept]
    weight[at] = matrix.data[order][kept]
    return NeighbourTable(neighbour, weight)
