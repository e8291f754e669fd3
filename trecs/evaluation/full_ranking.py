"""Every query's scores over the whole catalogue, made a chunk at a time and ranked at once.

A chunk is what a scorer answers in one call; threads then rank it in blocks that stay in a core's
cache, since most of NumPy's work on arrays runs outside Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trecs.errors import DataError
from trecs.evaluation.candidates import Candidates, hide_seen
from trecs.evaluation.ranking import target_ranks, top_lists
from trecs.evaluation.requests import Requests, Scorer, distinct_queries

# Scores in one call of a scorer: 32 MiB of them.
_CHUNK_SCORES = 2**23
_CHUNK_REQUESTS = 4096
# Scores that one thread ranks at a time: 1 MiB of them.
_BLOCK_SCORES = 2**18


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets, and where each is ranked.

    Attributes:
        requests: n requests.
        time_s: int64 [n], UTC epoch seconds at which each target was chosen; candidates are those
            of this moment, whatever the scorer is told.
        candidates: which items are known when.
        seen_item: int32 [num_events], items of all events grouped by user, for a seen filter; None
            without one.
    """

    requests: Requests
    time_s: NDArray[np.int64]
    candidates: Candidates
    seen_item: NDArray[np.int32] | None


def rank_targets(
    scorer: Scorer, targets: Targets, top_k: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rank every target among all items; each distinct query is scored once.

    Args:
        scorer: scores all items; called with chunks of queries, sorted by request time.
        targets: n targets.
        top_k: length of the lists; 0 for none.

    Returns:
        (ranks, top_items): int64 [n], see `trecs.evaluation.ranking.target_ranks`, and
        int32 [n, top_k], see `trecs.evaluation.ranking.top_lists`.

    Raises:
        DataError: the scorer gave a NaN.
        ValueError: the scorer's array has the wrong shape.
    """
    first, query = distinct_queries(targets.requests)
    num_items = targets.candidates.first_event_s.size
    outcome = _Outcome(
        targets,
        first=first,
        query=query,
        by_query=np.argsort(query, kind="stable"),
        ranks=np.empty(query.size, np.int64),
        top_items=np.empty((query.size, top_k), np.int32),
    )
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for chunk in _slices(first.size, min(_CHUNK_SCORES // num_items, _CHUNK_REQUESTS)):
            scores = _scores(scorer, targets.requests.take(first[chunk]), num_items)
            blocks = list(_slices(len(scores), _BLOCK_SCORES // num_items))
            tasks = [
                pool.submit(outcome.rank, scores[block], chunk.start + block.start)
                for block in blocks
            ]
            for task in tasks:
                task.result()
    return outcome.ranks, outcome.top_items


@dataclass(frozen=True, eq=False)
class _Outcome:
    """Ranks and lists as they fill up, block by block.

    Attributes:
        targets: n targets that ask m queries.
        first: int64 [m], one target of each query.
        query: int64 [n], the query of each target.
        by_query: int64 [n], the targets in the order of their queries.
        ranks: int64 [n].
        top_items: int32 [n, top_k].
    """

    targets: Targets
    first: NDArray[np.int64]
    query: NDArray[np.int64]
    by_query: NDArray[np.int64]
    ranks: NDArray[np.int64]
    top_items: NDArray[np.int32]

    def rank(self, scores: NDArray[np.float32], begin: int) -> None:
        """Rank the targets of the queries from `begin` on, whose scores [b, num_items] come."""
        targets = self.targets
        asking = self.first[begin : begin + len(scores)]
        targets.candidates.hide_unknown(scores, targets.time_s[asking])
        if targets.seen_item is not None:
            lo, hi = targets.requests.history_lo, targets.requests.history_hi
            hide_seen(scores, targets.seen_item, lo[asking], hi[asking])
        ends = np.searchsorted(self.query, [begin, begin + len(scores)], sorter=self.by_query)
        chosen = self.by_query[ends[0] : ends[1]]
        row = None if chosen.size == len(scores) else self.query[chosen] - begin
        item = targets.requests.target_item[chosen]
        self.ranks[chosen] = target_ranks(scores, item, row)
        top_k = self.top_items.shape[1]
        if top_k:
            self.top_items[chosen] = top_lists(scores, item, self.ranks[chosen], top_k, row)


def _scores(scorer: Scorer, requests: Requests, num_items: int) -> NDArray[np.float32]:
    """What the scorer gave, checked for shape and NaN, as an array that may be overwritten."""
    scores = np.require(scorer.score(requests), np.float32, ["C", "W"])
    if scores.shape != (len(requests), num_items):
        raise ValueError(
            f"a scorer must give [requests, items] = {(len(requests), num_items)} scores, but "
            f"{type(scorer).__name__} gave {scores.shape}"
        )
    if np.isnan(scores.max()):
        raise DataError(
            f"{type(scorer).__name__} gave NaN for {int(np.isnan(scores).sum())} of {scores.size} "
            "scores, which have no rank: did training diverge? A smaller learning rate may help"
        )
    return scores


def _slices(length: int, size: int) -> Iterator[slice]:
    """Cut `length` rows into runs of `size`, at least 1; the last may be shorter."""
    size = max(size, 1)
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
