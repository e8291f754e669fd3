"""Metrics of what is recommended, whether right or not: how much of the catalogue, how popular.

All read the first `k` places of the lists; empty places (-1) count for nothing, and lists without
any item give 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def list_metrics(
    top_items: NDArray[np.int32], num_candidates: int, train_counts: NDArray[np.int64], k: int
) -> dict[str, float]:
    """Coverage, Gini index, novelty and average popularity at one cut-off.

    Args:
        top_items: int32 [n, at least k] item rows, best first, -1 for an empty place.
        num_candidates: items that could have been recommended to somebody.
        train_counts: int64 [num_items], training events of each item.
        k: cut-off, at least 1.

    Returns:
        `{"coverage@k": ..., "gini@k": ..., "novelty@k": ..., "popularity@k": ...}`.

    Raises:
        ValueError: the lists are shorter than k, or there are no candidates.
    """
    if not 1 <= k <= top_items.shape[1]:
        raise ValueError(
            f"list metrics need 1 <= k <= the length of the lists, {top_items.shape[1]}, "
            f"but k is {k}: evaluate with a larger top_k"
        )
    if num_candidates < 1:
        raise ValueError(
            f"list metrics need at least one candidate, but num_candidates is {num_candidates}"
        )
    shown = top_items[:, :k]
    exposure = np.bincount(shown[shown >= 0], minlength=train_counts.size)
    return {
        f"coverage@{k}": int((exposure > 0).sum()) / num_candidates,
        f"gini@{k}": gini(exposure, num_candidates),
        f"novelty@{k}": novelty(exposure, train_counts),
        f"popularity@{k}": _mean(train_counts.astype(np.float64), exposure),
    }


def gini(exposure: NDArray[np.int64], num_candidates: int) -> float:
    """Gini index of how often the candidates are shown: 0 all alike, near 1 a few alone.

    `sum_i (2 i - N - 1) x_i / (N sum_i x_i)` with the N counts x in ascending order, i from 1.

    Args:
        exposure: int64 [num_items], how often each item is shown.
        num_candidates: N; candidates that are never shown count as 0.

    Example:
        >>> gini(np.array([0, 4, 0, 0]), 4), gini(np.array([2, 2, 2]), 3)
        (0.75, 0.0)
    """
    counts = np.sort(exposure[exposure > 0])
    if not counts.size:
        return 0.0
    place = np.arange(num_candidates - counts.size, num_candidates) + 1
    weighted = ((2 * place - num_candidates - 1) * counts).sum()
    return float(weighted / (num_candidates * counts.sum()))


def novelty(exposure: NDArray[np.int64], train_counts: NDArray[np.int64]) -> float:
    """Mean self-information of what is shown, in bits: `-log2` of an item's share of training.

    An item without training events counts as one with a single event, since its information has no
    bound (Zhou et al., 2010, who take shares of users).

    Args:
        exposure: int64 [num_items], how often each item is shown.
        train_counts: int64 [num_items], training events of each item.
    """
    share = np.maximum(train_counts, 1) / max(int(train_counts.sum()), 1)
    return _mean(-np.log2(share), exposure)


def _mean(value: NDArray[np.float64], weight: NDArray[np.int64]) -> float:
    total = weight.sum()
    return float((value * weight).sum() / total) if total else 0.0
