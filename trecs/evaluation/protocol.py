"""The measurement: who is asked what, when, among which items, and where the target came out.

Every target is one request: "what will this user want at this second?", asked with the history
before it. The whole catalogue is ranked. The request time is the target's own timestamp, which the
scorer and the baselines all know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.log import EventLog
from trecs.data.repeats import repeat_rate
from trecs.data.sequences import Sequences, Ties, build_sequences, history_bounds
from trecs.data.splits import Split
from trecs.errors import DataError
from trecs.evaluation.candidates import COLD_POLICY, Candidates, hide_seen, make_candidates
from trecs.evaluation.ranking import TIE_RULE, target_ranks, top_lists

# Scores in one call of a scorer: 32 MiB of them, and some 250 MiB while they are ranked.
_CHUNK_SCORES = 2**23
_CHUNK_REQUESTS = 4096


@dataclass(frozen=True, eq=False)
class Requests:
    """Targets as requests, sorted by request time.

    Attributes:
        user: int32 [n], user codes of the log.
        target_item: int32 [n], item rows; what is to be found, no input for a scorer.
        request_time_s: int64 [n], UTC epoch seconds, ascending.
        history_lo: int64 [n], offsets into `build_sequences(log).order` over the whole log.
        history_hi: int64 [n]; the history is `order[history_lo:history_hi]`, oldest first.
    """

    user: NDArray[np.int32]
    target_item: NDArray[np.int32]
    request_time_s: NDArray[np.int64]
    history_lo: NDArray[np.int64]
    history_hi: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of requests."""
        return int(self.user.size)

    def take(self, part: slice) -> Requests:
        """Return the requests of a slice, without copying."""
        return Requests(
            self.user[part],
            self.target_item[part],
            self.request_time_s[part],
            self.history_lo[part],
            self.history_hi[part],
        )


class Scorer(Protocol):
    """Anything that scores all items for a request: the model, a baseline, another library."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Score every item for each request, from what was known before its request time.

        Args:
            requests: n requests, sorted by time; any part of what is evaluated.

        Returns:
            float32 [n, num_items], higher is better, -inf for "do not recommend", never NaN. The
            caller may overwrite it.
        """
        ...


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out, one row a target, in the log's order.

    Attributes:
        events: int64 [n], the targets' positions in the log.
        requests: the n requests.
        ranks: int64 [n], from 1; 0 for a miss at any k.
        top_items: int32 [n, top_k], item rows, best first; -1 where there is no more candidate.
        cold: bool [n], the target was no candidate.
        excluded: bool [n], the target was taken away by the seen filter.
        num_candidates: items that were a candidate of at least one request.
        protocol: how it was measured, in words and numbers, fit for JSON.
    """

    events: NDArray[np.int64]
    requests: Requests
    ranks: NDArray[np.int64]
    top_items: NDArray[np.int32]
    cold: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    num_candidates: int
    protocol: dict[str, Any]


def make_requests(
    log: EventLog, sequences: Sequences, targets: NDArray[np.int64], ties: Ties
) -> Requests:
    """Turn target events into requests at the targets' own times.

    Args:
        log: the event log.
        sequences: the events a history may hold, `build_sequences(log)` for the whole log.
        targets: int64 [n] event positions, in any order.
        ties: tie rule of the histories, see `trecs.data.sequences.Ties`.

    Returns:
        n requests, in the log's order and so sorted by request time.

    Raises:
        DataError, ConfigError: as `history_bounds`.
    """
    lo, hi = history_bounds(log, sequences, targets, ties)
    by_time = np.argsort(targets, kind="stable")
    events = targets[by_time]
    return Requests(
        user=log.user[events],
        target_item=log.item[events],
        request_time_s=log.timestamp_s[events],
        history_lo=lo[by_time],
        history_hi=hi[by_time],
    )


def evaluate(
    dataset: Dataset,
    split: Split,
    scorer: Scorer,
    *,
    targets: Literal["validation", "test"] | NDArray[np.int64] = "test",
    exclude_seen: bool,
    top_k: int = 50,
) -> Evaluation:
    """Rank the whole catalogue for every target.

    Candidates of a request are the items of the training part, the rows of the items file, and the
    items whose first event is strictly before the request. A target that is none of them is cold,
    and a miss. The rank of a target is `trecs.evaluation.ranking.TIE_RULE`.

    Args:
        dataset: log and catalogue.
        split: says what trained, and the tie rule of the histories.
        scorer: scores all items; called with chunks of requests in time order.
        targets: a part of the split, or int64 [n] event positions, each once.
        exclude_seen: take the items of the request's history away. A target among them is a miss.
        top_k: length of the lists kept; 0 for ranks alone, which is several times as fast.

    Returns:
        One row a target. Memory does not grow with targets times items.

    Raises:
        DataError: no targets, positions outside the log, or a scorer that gave a NaN.
        ValueError: the scorer's array has the wrong shape.
    """
    log = dataset.log
    events = np.sort(split.targets(targets) if isinstance(targets, str) else targets)
    if not events.size:
        raise DataError(
            f"evaluation needs targets, but the split {split.name!r} has no "
            f"{targets if isinstance(targets, str) else 'given'} targets: is the log too short?"
        )
    sequences = build_sequences(log)
    requests = make_requests(log, sequences, events, split.ties)
    candidates = make_candidates(log, split.train, dataset.listed)
    seen_item = log.item[sequences.order] if exclude_seen else None
    ranks = np.empty(events.size, np.int64)
    top_items = np.empty((events.size, top_k), np.int32)
    for part in _chunks(events.size, log.num_items):
        chunk = requests.take(part)
        scores = _candidate_scores(scorer, chunk, candidates, seen_item)
        ranks[part] = target_ranks(scores, chunk.target_item)
        if top_k:
            top_items[part] = top_lists(scores, chunk.target_item, ranks[part], top_k)
    cold = ~candidates.known(requests.target_item, requests.request_time_s)
    excluded = ~cold & _seen_targets(requests, seen_item)
    num_candidates = candidates.count(int(requests.request_time_s[-1]))
    protocol = _describe(split, targets, exclude_seen) | {
        "num_candidates": num_candidates,
        "num_cold_targets": int(cold.sum()),
        "num_excluded_targets": int(excluded.sum()),
    }
    return Evaluation(events, requests, ranks, top_items, cold, excluded, num_candidates, protocol)


def excludes_seen_by_default(log: EventLog, split: Split, limit: float = 0.1) -> bool:
    """Whether to filter seen items where nobody said: yes, unless people repeat.

    The rule looks at the training part alone: on, unless its `repeat_rate` is above `limit`.
    """
    return repeat_rate(log, split.train) <= limit


def _chunks(num_requests: int, num_items: int) -> list[slice]:
    """Cut requests into chunks of one size (the last may be shorter) that fit the memory."""
    size = min(max(_CHUNK_SCORES // num_items, 1), _CHUNK_REQUESTS)
    return [slice(start, start + size) for start in range(0, num_requests, size)]


def _candidate_scores(
    scorer: Scorer,
    requests: Requests,
    candidates: Candidates,
    seen_item: NDArray[np.int32] | None,
) -> NDArray[np.float32]:
    """Scores [n, num_items] with -inf for all that may not be recommended."""
    expected = (len(requests), candidates.first_event_s.size)
    scores = np.require(scorer.score(requests), np.float32, ["C", "W"])
    if scores.shape != expected:
        raise ValueError(
            f"a scorer must give [requests, items] = {expected} scores, but "
            f"{type(scorer).__name__} gave {scores.shape}"
        )
    if np.isnan(scores.max()):
        raise DataError(
            f"{type(scorer).__name__} gave NaN for {int(np.isnan(scores).sum())} of {scores.size} "
            "scores, which have no rank: did training diverge? A smaller learning rate may help"
        )
    candidates.hide_unknown(scores, requests.request_time_s)
    if seen_item is not None:
        hide_seen(scores, seen_item, requests.history_lo, requests.history_hi)
    return scores


def _seen_targets(requests: Requests, seen_item: NDArray[np.int32] | None) -> NDArray[np.bool_]:
    """Which targets stand in their own history, bool [n]; none without a seen filter."""
    if seen_item is None:
        return np.zeros(len(requests), np.bool_)
    # Entries of `seen_item` by (item, place): a target was seen if one falls into its history.
    size = np.int64(seen_item.size + 1)
    packed = np.sort(seen_item * size + np.arange(seen_item.size))
    item = requests.target_item * size
    first, last = (
        np.searchsorted(packed, item + end) for end in (requests.history_lo, requests.history_hi)
    )
    return first < last


def _describe(split: Split, targets: str | NDArray[np.int64], exclude_seen: bool) -> dict[str, Any]:
    """Return the protocol in words."""
    return {
        "split": split.name,
        "targets": targets if isinstance(targets, str) else "given",
        "train_end_s": split.train_end_s,
        "validation_end_s": split.validation_end_s,
        "ties": split.ties,
        "request_time": "known",
        "seen_filter": "on" if exclude_seen else "off",
        "tie_rule": TIE_RULE,
        "cold_policy": COLD_POLICY,
    }
