"""Metrics of a ranked list with one target, from ranks.

Each metric is a value a target, so that means, slices and intervals come from one place. With one
relevant item some of the field's names are the same number: hit rate is recall, mean average
precision is the mean reciprocal rank, and precision is recall divided by k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trecs.evaluation.list_metrics import list_metrics

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
    """Recall at `k` of each target, with one relevant item also the hit rate.

    Args and errors as in `ndcg`.

    Returns:
        float64 [n], 1.0 for ranks 1 to `k`.
    """
    return _hits(ranks, k).astype(np.float64)


def mrr(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Reciprocal rank of each target, 0 beyond `k`, with one relevant item also average precision.

    Args and errors as in `ndcg`.

    Returns:
        float64 [n].
    """
    return np.where(_hits(ranks, k), 1.0 / np.maximum(ranks, 1), 0.0)


def precision(ranks: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Precision at `k` of each target: `1 / k` for ranks 1 to `k`, also where a list is shorter.

    Args and errors as in `ndcg`.

    Returns:
        float64 [n].
    """
    return _hits(ranks, k) / k


RANK_METRICS: dict[str, Callable[[NDArray[np.int64], int], NDArray[np.float64]]] = {
    "ndcg": ndcg,
    "recall": recall,
    "hit_rate": recall,
    "precision": precision,
    "mrr": mrr,
    "map": mrr,
}
"""Every metric of a target's rank, by name."""

DISTINCT = ("ndcg", "recall", "mrr")
"""Those of `RANK_METRICS` that say something of their own."""


def target_values(
    ranks: NDArray[np.int64],
    ks: Sequence[int] = DEFAULT_KS,
    names: Sequence[str] = DISTINCT,
) -> dict[str, NDArray[np.float64]]:
    """Return the values of all targets, float64 [n], by `name@k`, all names at one k first."""
    return {f"{name}@{k}": RANK_METRICS[name](ranks, k) for k in ks for name in names}


def metrics_table(
    ranks: NDArray[np.int64],
    top_items: NDArray[np.int32],
    num_candidates: int,
    train_counts: NDArray[np.int64],
    ks: Sequence[int] = DEFAULT_KS,
) -> dict[str, float]:
    """Mean of every metric at every cut-off.

    Args:
        ranks: int64 [n], n at least 1, from 1; 0 for a miss.
        top_items: int32 [n, at least max(ks)], see `trecs.evaluation.list_metrics`; with no column
            (lists not asked for) the metrics of lists are left out.
        num_candidates: items that could have been recommended to somebody.
        train_counts: int64 [num_items], training events of each item.
        ks: cut-offs.

    Returns:
        `{"ndcg@5": ..., "recall@5": ..., ..., "coverage@5": ..., "ndcg@10": ...}`.

    Raises:
        ValueError: no targets, a cut-off below 1, or lists shorter than the largest cut-off.
    """
    if not ranks.size:
        raise ValueError("metrics need at least one target, but ranks is empty")
    table: dict[str, float] = {}
    for k in ks:
        values = target_values(ranks, (k,), tuple(RANK_METRICS))
        table.update((name, float(value.mean())) for name, value in values.items())
        if top_items.shape[1]:
            table.update(list_metrics(top_items, num_candidates, train_counts, k))
    return table


def _hits(ranks: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Which targets stand in the first `k` places."""
    if k < 1:
        raise ValueError(f"a cut-off k must be at least 1, but {k} came")
    return (ranks >= 1) & (ranks <= k)
