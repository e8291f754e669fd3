"""EASE, a linear item-to-item model in closed form (Steck, 2019, arXiv 1905.03375)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from trecs.data.cooccurrences import cooccurrences, training_matrix
from trecs.data.log import EventLog
from trecs.errors import DataError

_MAX_ITEMS = 10_000
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class EaseWeights:
    """What `fit_ease` learnt.

    Attributes:
        items: int64 [k], ascending item rows that have a weight.
        weights: float32 [k, k]; row a is what having item `items[a]` says of every other.
        num_items: items of the log.
    """

    items: NDArray[np.int64]
    weights: NDArray[np.float32]
    num_items: int


def fit_ease(
    log: EventLog, train: NDArray[np.int64], regularization: float, max_items: int = _MAX_ITEMS
) -> EaseWeights:
    """Solve EASE on the training part: `P = (X'X + r I)^-1`, `B = -P / diag(P)` by column.

    X is the binary matrix of users and items, and the diagonal of B is zero. Only the `max_items`
    items with the most training users have weights, since memory grows with their square (two
    float32 matrices while it is solved, 0.8 GB for 10,000) and time with their cube.

    Args:
        log: the event log.
        train: int64 [n], positions of the training events.
        regularization: r, above 0.
        max_items: see above; among items with equally many users, those of the lower rows.

    Raises:
        ValueError: r is not above 0, or max_items below 1.
        DataError: the matrix cannot be solved in float32.
    """
    if not regularization > 0 or max_items < 1:
        raise ValueError(
            f"EASE needs a regularization above 0 and max_items of 1 at least, but "
            f"{regularization} and {max_items} came"
        )
    users = training_matrix(log, train)
    count = users.sum(axis=0)
    items = np.sort(np.argsort(-count, kind="stable")[: min(max_items, (count > 0).sum())])
    gram = np.empty((items.size, items.size), np.float32, order="F")
    for part, both in cooccurrences(users[:, items]):
        gram[part] = both.toarray()
    gram[np.diag_indices(items.size)] += np.float32(regularization)
    return EaseWeights(items, _weights(_inverse(gram)), log.num_items)


def _inverse(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Invert a symmetric positive definite matrix in its own memory, by Cholesky's method."""
    if not matrix.size:
        return matrix
    factor, failed = lapack.spotrf(matrix, lower=1, overwrite_a=1)
    if not failed:
        inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise DataError(
            f"EASE over {len(matrix)} items cannot be solved in float32 (LAPACK says {failed}); a "
            "larger regularization makes it solvable"
        )
    # LAPACK fills the lower triangle; the upper one is mirrored a block at a time.
    for start in range(0, len(inverse), _BLOCK_ROWS):
        stop = start + _BLOCK_ROWS
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        block = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = block + np.tril(block, -1).T
    result: NDArray[np.float32] = inverse
    return result


def _weights(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return B of `fit_ease` by rows, in the memory of the inverse as far as it can be."""
    diagonal = inverse.diagonal().copy()
    inverse /= -diagonal
    np.fill_diagonal(inverse, 0)
    return np.ascontiguousarray(inverse)
