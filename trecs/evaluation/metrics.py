"""Metrics of a ranked list with one target, from ranks.

Each metric is a value a target, so that means, slices and intervals come from one place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DEFAULT_KS = (5, 10, 50)


def ndcg(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain at `k` of each target.

    With one relevant item the ideal gain is 1, so the value is `1 / log2(1 + rank)` for ranks up to
    `k` and 0 elsewhere (Järvelin and Kekäläinen, 2002).

    Args:
        ranks: int64 [n], from 1; 0 for a miss at any k.
        k: cut-off, at least 1.

    Returns:
        float64 [n].

    Raises:
        ValueError: k is below 1.

    Example:
        >>> ndcg(np.array([1, 3, 11, 0]), k=10)
        array([1. , 0.5, 0. , 0. ])
    """
    return np.where(_hits(ranks, k), 1.0 / np.log2(1.0 + np.maximum(ranks, 1)), 0.0)


def recall(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Recall at `k` of each target; with one relevant item it is also the hit rate.

    Args and errors as in `ndcg`.

    Returns:
        float64 [n], 1.0 for ranks 1 to `k`.
    """
    return _hits(ranks, k).astype(np.float64)


def mrr(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Reciprocal rank of each target, 0 beyond `k`. Its mean is the MRR.

    Args and errors as in `ndcg`.

    Returns:
        float64 [n].
    """
    return np.where(_hits(ranks, k), 1.0 / np.maximum(ranks, 1), 0.0)


def coverage(top_items: NDArray[np.int32], num_candidates: int, k: int) -> float:
    """Share of the candidates that stand in the first `k` places of at least one list.

    Args:
        top_items: int32 [n, at least k] item rows, best first, -1 for an empty place.
        num_candidates: items that could have been recommended to somebody.
        k: cut-off, at least 1.

    Raises:
        ValueError: the lists are shorter than k, or there are no candidates.
    """
    if not 1 <= k <= top_items.shape[1]:
        raise ValueError(
            f"coverage needs 1 <= k <= the length of the lists, {top_items.shape[1]}, "
            f"but k is {k}: evaluate with a larger top_k"
        )
    if num_candidates < 1:
        raise ValueError(
            f"coverage needs at least one candidate, but num_candidates is {num_candidates}"
        )
    shown = top_items[:, :k]
    return np.unique(shown[shown >= 0]).size / num_candidates


def metrics_table(
    ranks: NDArray[np.int64],
    top_items: NDArray[np.int32],
    num_candidates: int,
    ks: Sequence[int] = DEFAULT_KS,
) -> dict[str, float]:
    """Mean of every metric at every cut-off.

    Args:
        ranks: int64 [n], n at least 1, from 1; 0 for a miss.
        top_items: int32 [n, at least max(ks)], see `coverage`; with no column (lists not asked for)
            coverage is left out.
        num_candidates: see `coverage`.
        ks: cut-offs.

    Returns:
        `{"ndcg@5": ..., "recall@5": ..., "mrr@5": ..., "coverage@5": ..., "ndcg@10": ...}`.

    Raises:
        ValueError: no targets, a cut-off below 1, or lists shorter than the largest cut-off.
    """
    if not ranks.size:
        raise ValueError("metrics need at least one target, but ranks is empty")
    table: dict[str, float] = {}
    for k in ks:
        table[f"ndcg@{k}"] = float(ndcg(ranks, k).mean())
        table[f"recall@{k}"] = float(recall(ranks, k).mean())
        table[f"mrr@{k}"] = float(mrr(ranks, k).mean())
        if top_items.shape[1]:
            table[f"coverage@{k}"] = coverage(top_items, num_candidates, k)
    return table


def _hits(ranks: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Which targets stand in the first `k` places."""
    if k < 1:
        raise ValueError(f"a cut-off k must be at least 1, but {k} came")
    return (ranks >= 1) & (ranks <= k)
