"""From a block of scores to exact ranks and top lists, ties included.

One tie rule serves both: a target stands in the middle of the items that score as it does,
`rank = 1 + better + equal // 2`, where `equal` counts the target itself. A scorer that gives every
item the same score therefore gets the middle of the catalogue, and not the first place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TIE_RULE = "rank = 1 + better + equal // 2, the target itself among the equal ones"

_MISSING = np.float32(-np.inf)


def target_ranks(scores: NDArray[np.float32], target_item: NDArray[np.int32]) -> NDArray[np.int64]:
    """Rank each row's target among all items of the row.

    Args:
        scores: float32 [n, num_items], higher is better, -inf for what may not be recommended; no
            NaN.
        target_item: int32 [n], item rows.

    Returns:
        int64 [n], from 1; 0 where the target's own score is -inf.

    Example:
        >>> target_ranks(np.array([[3.0, 1.0, 2.0, 2.0]], np.float32), np.array([2], np.int32))
        array([3])
    """
    own = np.take_along_axis(scores, target_item[:, None].astype(np.int64), axis=1)
    better = _count_by_row(scores > own)
    equal = _count_by_row(scores == own)
    return np.where(own[:, 0] == _MISSING, 0, 1 + better + equal // 2)


def top_lists(
    scores: NDArray[np.float32],
    target_item: NDArray[np.int32],
    ranks: NDArray[np.int64],
    k: int,
) -> NDArray[np.int32]:
    """List the best `k` items of each row.

    Equal scores stand by item row, except the target, which stands at its rank: metrics computed
    from the lists are the metrics computed from the ranks.

    Args:
        scores: float32 [n, num_items], see `target_ranks`.
        target_item: int32 [n].
        ranks: int64 [n], what `target_ranks` gave.
        k: length of the lists.

    Returns:
        int32 [n, k] item rows, best first; -1 from where a row has no more items above -inf.
    """
    others = _best(scores, k + 1)
    # The target goes to the end of the row, and the row closes up.
    keep = np.argsort(others == target_item[:, None], axis=1, kind="stable")
    others = np.take_along_axis(others, keep, axis=1)[:, :k]
    place = np.arange(1, k + 1)
    at = np.where(ranks >= 1, ranks, k + 1)[:, None]
    moved = np.concatenate([others[:, :1], others[:, :-1]], axis=1)
    return np.where(place < at, others, np.where(place == at, target_item[:, None], moved))


def _count_by_row(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the true values of each row; over packed bits, twice as fast as `sum`."""
    counts: NDArray[np.int64] = np.bitwise_count(np.packbits(mask, axis=1)).sum(
        axis=1, dtype=np.int64
    )
    return counts


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Item rows of the `k` highest scores, best first, equal ones by item row; -1 for -inf."""
    num_items = scores.shape[1]
    width = min(k, num_items)
    keys = _unique_keys(scores)
    best = np.partition(keys, num_items - width, axis=1)[:, num_items - width :]
    best = np.sort(best, axis=1)[:, ::-1]
    items = np.full((scores.shape[0], k), -1, np.int32)
    items[:, :width] = num_items - 1 - (best & 0xFFFFFFFF)
    lowest = _unique_keys(np.full((1, 1), _MISSING))[0, 0] >> 32
    items[:, :width][best >> 32 == lowest] = -1
    return items


def _unique_keys(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Integers [n, num_items] that order as (score, lower item row first), all distinct in a row.

    Partitioning them needs no index array and leaves nothing to chance where scores are equal.
    """
    # Adding zero makes -0.0 into 0.0, which have different bits and are equal.
    bits = (scores + np.float32(0)).view(np.int32)
    # Floats order as their bits do, once the magnitude bits of negative ones are turned round.
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    keys = bits.astype(np.int64) << 32
    keys |= np.arange(scores.shape[1] - 1, -1, -1, dtype=np.int64)
    return keys
