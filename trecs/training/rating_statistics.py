"""What items' ratings say by a moment: sums over the events before it, no Python loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog

Sums = tuple[NDArray[np.float64], NDArray[np.int64]]


def item_sums(item: NDArray[np.integer], residual: NDArray[np.floating], num_items: int) -> Sums:
    """Sum of residuals (float64 [num_items]) and number of ratings (int64 [num_items])."""
    total = np.bincount(item, weights=residual, minlength=num_items).astype(np.float64)
    return total, np.bincount(item, minlength=num_items).astype(np.int64)


def item_sums_before(
    log: EventLog,
    residual: NDArray[np.floating],
    readable: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> Sums:
    """Sums over the readable events of each target's item at earlier seconds than the target's.

    Args:
      log: sorted by time.
      residual: float [E], of every event of the log; NaN for one without a rating.
      readable: int64 [n] ascending positions of the events whose ratings may be read.
      targets: int64 [k] positions.

    Returns:
      float64 [k] sums and int64 [k] counts.
    """
    by_item = readable[np.argsort(log.item[readable], kind="stable")]
    running = np.concatenate([[0.0], np.cumsum(residual[by_item], dtype=np.float64)])
    # (item, position) packed into one ascending number; the log is sorted by time.
    stride = np.int64(log.num_events + 1)
    packed = log.item[by_item].astype(np.int64) * stride + by_item
    item = log.item[targets].astype(np.int64) * stride
    second = np.searchsorted(log.timestamp_s, log.timestamp_s[targets], side="left")
    first = np.searchsorted(packed, item, side="left")
    last = np.searchsorted(packed, item + second, side="left")
    return running[last] - running[first], last - first


def item_sums_without(
    log: EventLog,
    residual: NDArray[np.floating],
    readable: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> Sums:
    """Sums over all readable events of each target's item but the target; as `item_sums_before`."""
    total, count = item_sums(log.item[readable], residual[readable], log.num_items)
    is_readable = np.zeros(log.num_events, bool)
    is_readable[readable] = True
    own = is_readable[targets]
    item = log.item[targets]
    return total[item] - np.where(own, residual[targets], 0.0), count[item] - own
