"""The histories of many requests at once, event by event, in blocks that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trecs.data.blocks import cost_blocks

_BLOCK_EVENTS = 2**22


def history_blocks(
    lo: NDArray[np.int64], hi: NDArray[np.int64]
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """List the places of n histories, a block of rows at a time.

    Args:
        lo: int64 [n]; history `k` is the places from `lo[k]`
        hi: int64 [n]; to before `hi[k]`.

    Yields:
        (part, row, place): the block's rows, and for each of its m events, by row and place, the
        row counted from the block's first, int64 [m], and the place, int64 [m].

    Example:
        >>> list(history_blocks(np.array([5, 0]), np.array([7, 1])))
        [(slice(0, 2, None), array([0, 0, 1]), array([5, 6, 0]))]
    """
    for part in cost_blocks(hi - lo, _BLOCK_EVENTS):
        length = hi[part] - lo[part]
        # Row k's places are a run that starts at lo[k]: one ramp, shifted run by run.
        shift = lo[part] - (np.cumsum(length) - length)
        place = np.arange(length.sum()) + np.repeat(shift, length)
        yield part, np.repeat(np.arange(length.size), length), place
