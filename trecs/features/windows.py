"""Windows of the users' streams, and which of them share a batch.

Windows that are shorter than the history length are batched together, at a padded length that few
others have: few shapes, few traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHORTEST_BUCKET = 8


@dataclass(frozen=True)
class Windows:
    """Stream positions [begin, begin + length) of users whose first event is events[base].

    Attributes:
      user: int [W] user codes.
      base, begin, length: int64 [W].
    """

    user: NDArray[np.integer]
    base: NDArray[np.int64]
    begin: NDArray[np.int64]
    length: NDArray[np.int64]

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """(base, begin, length) of each."""
        return zip(self.base.tolist(), self.begin.tolist(), self.length.tolist(), strict=True)

    def take(self, chosen: NDArray[np.int64]) -> Windows:
        """Some of them."""
        return Windows(
            self.user[chosen], self.base[chosen], self.begin[chosen], self.length[chosen]
        )


def plan_epoch(
    start: NDArray[np.int64], history_len: int, batch_events: int, seed: int, epoch: int
) -> tuple[Windows, list[tuple[NDArray[np.int64], int]]]:
    """Cut an epoch's targets into windows and put these in batches, all by (seed, epoch).

    Args:
      start: int64 [U + 1] offsets of the users' events.
      history_len: longest window.
      batch_events: targets a batch, about.
      seed, epoch: what the cuts and the order depend on.

    Returns:
      The windows, and the batches as (numbers of windows, padded length).
    """
    rng = np.random.default_rng([seed, epoch])
    windows = _cut_windows(start, history_len, rng)
    return windows, _plan_batches(windows.length, history_len, batch_events, rng)


def _cut_windows(start: NDArray[np.int64], history_len: int, rng: np.random.Generator) -> Windows:
    """Cut each user's targets into windows, at a random phase where one does not hold them all."""
    num_events = np.diff(start)
    phase = rng.integers(1, history_len + 1, len(num_events))
    first = np.where(num_events > history_len, phase, num_events)
    num_windows = np.where(num_events > 0, 1 + -(-(num_events - first) // history_len), 0)
    user = np.repeat(np.arange(len(num_events)), num_windows)
    nth = np.arange(len(user)) - np.repeat(np.cumsum(num_windows) - num_windows, num_windows)
    begin = np.where(nth == 0, 0, first[user] + (nth - 1) * history_len)
    end = np.minimum(first[user] + nth * history_len, num_events[user])
    return Windows(user, start[user], begin, end - begin)


def _plan_batches(
    length: NDArray[np.int64], history_len: int, batch_events: int, rng: np.random.Generator
) -> list[tuple[NDArray[np.int64], int]]:
    """Shuffle windows into batches of one bucket each, then shuffle the batches."""
    buckets = _buckets(length, history_len)
    shuffled = rng.permutation(len(length))
    batches = []
    for bucket_len in np.unique(buckets).tolist():
        members = shuffled[buckets[shuffled] == bucket_len]
        rows = max(1, batch_events // bucket_len)
        batches += [(members[i : i + rows], bucket_len) for i in range(0, len(members), rows)]
    return [batches[i] for i in rng.permutation(len(batches))]


def runs_of_one_bucket(
    length: NDArray[np.int64], history_len: int, batch_rows: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Put windows of one padded length together, in their order.

    Args:
      length: int64 [W], of the windows.
      history_len: longest window.
      batch_rows: rows of a batch at that length; shorter windows come in larger batches.

    Yields:
      Numbers of windows, int64, and their padded length.
    """
    buckets = _buckets(length, history_len)
    for bucket_len in np.unique(buckets).tolist():
        members = np.flatnonzero(buckets == bucket_len)
        rows = batch_rows * history_len // bucket_len
        for i in range(0, len(members), rows):
            yield members[i : i + rows], bucket_len


def _buckets(length: NDArray[np.int64], history_len: int) -> NDArray[np.int64]:
    """Padded length of each window: 8, 16, 32, ... history length. Few shapes, few traces."""
    sizes = [min(_SHORTEST_BUCKET, history_len)]
    while sizes[-1] < history_len:
        sizes.append(min(2 * sizes[-1], history_len))
    return np.array(sizes)[np.searchsorted(sizes, length)]
