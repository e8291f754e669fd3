"""Item-based nearest neighbours (Deshpande and Karypis, 2004)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.cooccurrences import cooccurrences, training_matrix
from trecs.data.log import EventLog
from trecs.evaluation.baselines.history import HistoryEvents, HistoryReader
from trecs.evaluation.requests import Requests


class ItemKnn:
    """Scores an item by its similarity to each of the history's items, summed.

    An item counts once, however often the history has it. An item that is a neighbour of none of
    them scores 0.
    """

    def __init__(self, log: EventLog, neighbours: sp.csr_array) -> None:
        """Take what `nearest_items` found in the training part of the log."""
        self._reader = HistoryReader(log)
        self._neighbours = neighbours

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the summed similarities, float32 [n, num_items]."""
        return self._reader.score(requests, self._score)

    def _score(self, events: HistoryEvents) -> NDArray[np.float32]:
        newest = events.newest()
        weights = newest.matrix(np.ones(newest.row.size))
        product: NDArray[np.float32] = (weights @ self._neighbours).toarray()
        return product


def nearest_items(
    log: EventLog, train: NDArray[np.int64], num_neighbours: int, shrinkage: float
) -> sp.csr_array:
    """Find the items most similar to each item.

    With `n_i` users of item i and `n_ij` of both, the similarity is the shrunk cosine
    `n_ij / (sqrt(n_i n_j) + shrinkage)`, 0 for an item with itself. Repeated events count once.

    Args:
        log: the event log.
        train: int64 [n], positions of the training events.
        num_neighbours: similarities kept for each item, the largest ones; among equal ones those of
            the lower item rows.
        shrinkage: takes from similarities that rest on few users; 0 for none.

    Returns:
        float32 [num_items, num_items]; row i holds the neighbours of item i. Memory grows with
        num_items times num_neighbours, and never with num_items squared.

    Raises:
        ValueError: num_neighbours is below 1, or shrinkage below 0.
    """
    if num_neighbours < 1 or not shrinkage >= 0:
        raise ValueError(
            "item neighbours need num_neighbours >= 1 and shrinkage >= 0, but "
            f"{num_neighbours} and {shrinkage} came"
        )
    users = training_matrix(log, train)
    norm = np.sqrt(users.sum(axis=0)).astype(np.float32)
    kept = []
    for part, both in cooccurrences(users):
        both.setdiag(0, k=part.start)
        both.eliminate_zeros()
        row = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
        both.data /= norm[part][row] * norm[both.indices] + np.float32(shrinkage)
        kept.append(largest(both, num_neighbours))
    return sp.csr_array(sp.vstack(kept, format="csr"))


def largest(matrix: sp.csr_array, count: int) -> sp.csr_array:
    """Keep the `count` largest entries of each row; among equal ones, those of lower columns.

    Args:
        matrix: float32 [n, m] of positive entries.
        count: entries kept in a row, at least 1.
    """
    step = max(2**32 // matrix.shape[1], 1)
    starts = range(0, matrix.shape[0], step)
    parts = [_largest(matrix[start : start + step], count) for start in starts]
    return sp.csr_array(sp.vstack(parts, format="csr"))


def _largest(matrix: sp.csr_array, count: int) -> sp.csr_array:
    """`largest` where n times m is at most 2**32, so that 63 bits hold row, value and column."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    # One integer an entry orders as (row, larger entry first, column): sorting these is many times
    # as fast as an indirect sort by three keys. Bits of positive floats order as the floats do.
    key = (row << 31) | (0x7FFFFFFF - matrix.data.view(np.int32).astype(np.int64))
    key = key * matrix.shape[1] + matrix.indices
    key.sort()
    kept = key[np.arange(key.size) - matrix.indptr[row] < count]
    row_value, column = np.divmod(kept, matrix.shape[1])
    value = (0x7FFFFFFF - (row_value & 0x7FFFFFFF)).astype(np.int32).view(np.float32)
    return sp.csr_array((value, (row_value >> 31, column)), shape=matrix.shape)
