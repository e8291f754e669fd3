"""Cells of an inverted file: mini-batch k-means, then cells of one size.

Mini-batch k-means: D. Sculley, Web-scale k-means clustering, WWW 2010; here a batch's means join
the centroids' running means at once, not a point at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SAMPLES_A_CELL = 48
_STEPS = 24
_BLOCK = 16_384
_PASSES = 16

Vectors = NDArray[np.float32]


def score_metric(queries: Vectors) -> Vectors:
    """The map L, [W, W], after which distance is the error that a score suffers.

    For queries q the mean square of <q, v> - <q, c> is |(v - c) L|^2 with L L' the mean of q q'.
    Directions that queries weigh little then count little. A small part of the identity is added,
    for queries unlike those seen.

    Args:
      queries: [Q, W].
    """
    second_moment = queries.T.astype(np.float64) @ queries / len(queries)
    values, directions = np.linalg.eigh(second_moment)
    floor = 1e-3 * values.mean()
    return np.asarray(directions * np.sqrt(np.maximum(values, 0) + floor), np.float32)


def fit_centroids(vectors: Vectors, num_cells: int, seed: int = 0) -> Vectors:
    """Centroids [num_cells, W] by mini-batch k-means over a sample of the vectors [N, W]."""
    random = np.random.default_rng(seed)
    size = min(len(vectors), num_cells * _SAMPLES_A_CELL)
    sample = vectors[random.choice(len(vectors), size, replace=False)]
    centroids = sample[:num_cells].copy()
    seen = np.ones(num_cells)
    # A batch of a third of the sample lets most centroids move in each step.
    batch_size = max(len(sample) // 3, num_cells)
    for _ in range(_STEPS):
        batch = sample[random.choice(len(sample), min(batch_size, len(sample)), replace=False)]
        cell = _nearest(batch, centroids, np.zeros(num_cells, bool))[0]
        count = np.bincount(cell, minlength=num_cells)
        total = _sums(batch, cell, count)
        # Older batches count half, since the centroids were elsewhere then.
        seen = seen / 2 + count
        moved = (total - count[:, None] * centroids) / np.maximum(seen, 1)[:, None]
        centroids += moved.astype(np.float32)
        # A centroid without points starts again at one of the batch.
        empty = np.flatnonzero(seen < 0.1)
        centroids[empty] = batch[random.choice(len(batch), len(empty))]
        seen[empty] = 1
    return centroids


def balanced_cells(vectors: Vectors, centroids: Vectors, capacity: int) -> NDArray[np.int32]:
    """The cell of each vector, int32 [N], none with more than `capacity`.

    Vectors go to their nearest centroid; where it is asked by more than it holds the nearest stay,
    and the others go to the nearest that has room; those still without a cell after 16 rounds go to
    any that has room.

    Args:
      vectors: [N, W].
      centroids: [C, W], C times capacity at least N.
      capacity: of a cell.
    """
    cell = np.full(len(vectors), -1, np.int32)
    room = np.full(len(centroids), capacity, np.int64)
    left = np.arange(len(vectors))
    for _ in range(_PASSES):
        wanted, distance = _nearest(vectors[left], centroids, room == 0)
        order = np.lexsort((distance, wanted))
        asked = wanted[order]
        count = np.bincount(asked, minlength=len(room))
        place = np.arange(len(order)) - (np.cumsum(count) - count)[asked]
        stays = order[place < room[asked]]
        cell[left[stays]] = wanted[stays]
        room -= np.minimum(count, room)
        left = left[cell[left] < 0]
        if not left.size:
            return cell
    # Many equal vectors, as of items without text, would fill one cell after the other.
    wanted, _ = _nearest(vectors[left], centroids, room == 0)
    by_wish = left[np.argsort(wanted, kind="stable")]
    cell[by_wish] = np.repeat(np.arange(len(room)), room)[: left.size]
    return cell


def means(vectors: Vectors, cell: NDArray[np.int32], num_cells: int) -> Vectors:
    """The mean of each cell's vectors, [num_cells, W]; zero for an empty one."""
    count = np.bincount(cell, minlength=num_cells)
    return np.asarray(_sums(vectors, cell, count) / np.maximum(count, 1)[:, None], np.float32)


def _nearest(
    vectors: Vectors, centroids: Vectors, closed: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], Vectors]:
    """The nearest open centroid of each vector, and half the squared distance less |v|^2 / 2."""
    half_square = (centroids**2).sum(axis=1) / 2
    half_square[closed] = np.inf
    cell = np.empty(len(vectors), np.int32)
    distance = np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        score = vectors[part] @ centroids.T
        np.subtract(half_square, score, out=score)
        cell[part] = score.argmin(axis=1)
        distance[part] = score.min(axis=1) + (vectors[part] ** 2).sum(axis=1) / 2
    return cell, distance


def _sums(
    vectors: Vectors, cell: NDArray[np.int32], count: NDArray[np.int64]
) -> NDArray[np.float64]:
    total = np.zeros((len(count), vectors.shape[1]))
    order = np.argsort(cell, kind="stable")
    begin = np.cumsum(count) - count
    filled = count > 0
    if filled.any():
        total[filled] = np.add.reduceat(vectors[order], begin[filled], axis=0)
    return total
