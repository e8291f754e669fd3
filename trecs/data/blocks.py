"""Rows of unequal cost, cut into runs that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def cost_blocks(cost: NDArray[np.int64], limit: int) -> Iterator[slice]:
    """Cut rows into runs whose costs int64 [n] sum to at most `limit`; a dearer row stands alone.

    Example:
        >>> list(cost_blocks(np.array([1, 2, 9, 1]), limit=3))
        [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    total = np.cumsum(cost)
    start = 0
    while start < cost.size:
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + limit, side="right")))
        yield slice(start, stop)
        start = stop
