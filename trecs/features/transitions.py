"""Which items follow which, as a table of each item's most frequent followers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

NUM_RECENT = 20
"""Newest events of a history whose followers count."""
DECAY = 0.8
"""Weight of an event relative to the one after it."""
WINDOW = 10
"""Places apart, at most, at which one event follows another."""
# Pairs of evidence that a rare item lacks: its followers' shares are that much smaller.
_SHRINKAGE = 5.0
_MAX_FOLLOWERS = 64


@dataclass(frozen=True)
class TransitionTable:
    """The followers of N candidates.

    Attributes:
      follower: int32 [N, K] candidates, most frequent first; 0 where there is none.
      share: float32 [N, K], each follower's share of what follows the candidate; 0 likewise.
    """

    follower: NDArray[np.int32]
    share: NDArray[np.float32]


def build_transition_table(
    counts: sp.csr_array, candidate_of_code: NDArray[np.int64]
) -> TransitionTable:
    """Keep each item's 64 most frequent followers.

    Args:
      counts: [N, N] by item code, see `trecs.data.transitions.count_transitions`.
      candidate_of_code: int64 [N].
    """
    size = counts.shape[0]
    row = np.repeat(np.arange(size), np.diff(counts.indptr))
    # Equal counts stand by candidate, so that nothing depends on how the matrix was built.
    column = candidate_of_code[counts.indices]
    order = np.lexsort((column, -counts.data, row))
    place = np.arange(row.size) - counts.indptr[row]
    kept = place < _MAX_FOLLOWERS
    width = max(int(place[kept].max(initial=0)) + 1, 1)
    total = np.asarray(counts.sum(axis=1)) + _SHRINKAGE
    follower = np.zeros((size, width), np.int32)
    share = np.zeros((size, width), np.float32)
    at = (candidate_of_code[row[kept]], place[kept])
    follower[at] = column[order][kept]
    share[at] = (counts.data[order] / total[row])[kept]
    return TransitionTable(follower, share)
