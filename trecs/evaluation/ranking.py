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
# Targets to a row from which sorting the row once is faster than comparing it for each of them.
_SORT_FROM = 4


def target_ranks(
    scores: NDArray[np.float32],
    target_item: NDArray[np.int32],
    row: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Rank each target among all items of its row.

    Args:
        scores: float32 [m, num_items], higher is better, -inf for what may not be recommended; no
            NaN.
        target_item: int32 [n], item rows.
        row: int64 [n], ascending, the row of `scores` that each target is ranked in; None where
            row k is for target k.

    Returns:
        int64 [n], from 1; 0 where the target's own score is -inf.

    Example:
        >>> target_ranks(np.array([[3.0, 1.0, 2.0, 2.0]], np.float32), np.array([2], np.int32))
        array([3])
    """
    own = scores[np.arange(len(scores)) if row is None else row, target_item]
    if row is None:
        better, equal = _counts_by_comparison(scores, own)
    elif row.size < _SORT_FROM * len(scores):
        better, equal = _counts_by_comparison(scores[row], own)
    else:
        better, equal = _counts_by_sort(scores, own, row)
    return np.where(own == _MISSING, 0, 1 + better + equal // 2)


def top_lists(
    scores: NDArray[np.float32],
    target_item: NDArray[np.int32],
    ranks: NDArray[np.int64],
    k: int,
    row: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """List the best `k` items for each target.

    Equal scores stand by item row, except the target, which stands at its rank: metrics computed
    from the lists are the metrics computed from the ranks.

    Args:
        scores: float32 [m, num_items], see `target_ranks`.
        target_item: int32 [n].
        ranks: int64 [n], what `target_ranks` gave.
        k: length of the lists.
        row: int64 [n], see `target_ranks`.

    Returns:
        int32 [n, k] item rows, best first; -1 from where a row has no more items above -inf.
    """
    others = _best(scores, k + 1)
    if row is not None:
        others = others[row]
    # The target goes to the end of the row, and the row closes up.
    keep = np.argsort(others == target_item[:, None], axis=1, kind="stable")
    others = np.take_along_axis(others, keep, axis=1)[:, :k]
    place = np.arange(1, k + 1)
    at = np.where(ranks >= 1, ranks, k + 1)[:, None]
    moved = np.concatenate([others[:, :1], others[:, :-1]], axis=1)
    return np.where(place < at, others, np.where(place == at, target_item[:, None], moved))


def _counts_by_comparison(
    scores: NDArray[np.float32], own: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many scores of row k [n, num_items] are above `own[k]`, and how many equal it."""
    return _count_by_row(scores > own[:, None]), _count_by_row(scores == own[:, None])


def _counts_by_sort(
    scores: NDArray[np.float32], own: NDArray[np.float32], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for rows [m, num_items] that several targets share, by search in sorted rows."""
    ordered = np.sort(scores, axis=1)
    start = np.searchsorted(row, np.arange(len(scores) + 1))
    first, last = np.empty((2, own.size), np.int64)
    for k, values in enumerate(ordered):
        part = slice(start[k], start[k + 1])
        first[part] = np.searchsorted(values, own[part], side="left")
        last[part] = np.searchsorted(values, own[part], side="right")
    return scores.shape[1] - last, last - first


def _count_by_row(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the true values of each row; over packed bits, twice as fast as `sum`."""
    counts: NDArray[np.int64] = np.bitwise_count(np.packbits(mask, axis=1)).sum(
        axis=1, dtype=np.int64
    )
    return counts


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Item rows of the `k` highest scores, best first, equal ones by item row; -1 for -inf."""
    num_rows, num_items = scores.shape
    width = min(k, num_items)
    last = np.partition(scores, num_items - width, axis=1)[:, num_items - width]
    kept = scores >= last[:, None]
    _keep_first_equal(kept, scores, last, width)
    # Exactly `width` to a row, by item row, an order that the stable sort leaves to equal ones.
    item = (np.flatnonzero(kept) % num_items).reshape(num_rows, width)
    best = np.take_along_axis(scores, item, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    items = np.full((num_rows, k), -1, np.int32)
    items[:, :width] = np.take_along_axis(item, order, axis=1)
    items[:, :width][np.take_along_axis(best, order, axis=1) == _MISSING] = -1
    return items


def _keep_first_equal(
    kept: NDArray[np.bool_],
    scores: NDArray[np.float32],
    last: NDArray[np.float32],
    width: int,
) -> None:
    """Let go, in place, of the hindmost items that score as the last place does, past `width`."""
    surplus = np.flatnonzero(_count_by_row(kept) > width)
    if not surplus.size:
        return
    equal = scores[surplus] == last[surplus, None]
    room = width - _count_by_row(kept[surplus] & ~equal)
    late = np.cumsum(equal, axis=1, dtype=np.int32) > room[:, None]
    kept[surplus] &= ~(equal & late)
