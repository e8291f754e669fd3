"""The measurement: which targets, asked when, among which items, and where each came out.

The whole catalogue is ranked for every target. All that changes a number is said in the
evaluation's `protocol`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.log import EventLog
from trecs.data.repeats import repeat_rate
from trecs.data.sequences import build_sequences
from trecs.data.splits import Split
from trecs.errors import ConfigError, DataError
from trecs.evaluation.candidates import COLD_POLICY, make_candidates
from trecs.evaluation.full_ranking import Targets, rank_targets
from trecs.evaluation.ranking import TIE_RULE
from trecs.evaluation.requests import Requests as Requests
from trecs.evaluation.requests import RequestTime
from trecs.evaluation.requests import Scorer as Scorer
from trecs.evaluation.requests import make_requests as make_requests

PerUser = Literal["all", "last", "first"]
"""Which of a user's events in the window are targets: every one, each with all that came before it
as its history, or the last or the first alone. By time, and by the log's order inside a second."""

ColdTargets = Literal["miss", "leave-out"]
"""A target that is no candidate counts as a miss, or does not count."""


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
        time_s: int64 [n], UTC epoch seconds at which each target was chosen; the request time
            itself, unless that was withheld.
        gap_s: int64 [n], seconds from the last event of the history; -1 without one.
        known_user: bool [n], the user has training events.
        train_counts: int64 [num_items], training events of each item.
    """

    events: NDArray[np.int64]
    requests: Requests
    ranks: NDArray[np.int64]
    top_items: NDArray[np.int32]
    cold: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    num_candidates: int
    protocol: dict[str, Any]
    time_s: NDArray[np.int64]
    gap_s: NDArray[np.int64]
    known_user: NDArray[np.bool_]
    train_counts: NDArray[np.int64]


def evaluate(
    dataset: Dataset,
    split: Split,
    scorer: Scorer,
    *,
    targets: Literal["validation", "test"] | NDArray[np.int64] = "test",
    exclude_seen: bool,
    top_k: int = 50,
    per_user: PerUser = "all",
    request_time: RequestTime = "known",
    cold_targets: ColdTargets = "miss",
) -> Evaluation:
    """Rank the whole catalogue for every target.

    Candidates of a request are the items of the training part, the rows of the items file, and the
    items whose first event is strictly before the target's time. A target that is none of them is
    cold. The rank of a target is `trecs.evaluation.ranking.TIE_RULE`. Targets that share user and
    history are scored once.

    Args:
        dataset: log and catalogue.
        split: says what trained, and the tie rule of the histories.
        scorer: scores all items; called with chunks of requests in time order.
        targets: a part of the split, or int64 [n] event positions, each once.
        exclude_seen: take the items of the request's history away. A target among them is a miss.
        top_k: length of the lists kept; 0 for ranks alone.
        per_user: see `PerUser`.
        request_time: see `trecs.evaluation.requests.RequestTime`.
        cold_targets: see `ColdTargets`.

    Returns:
        One row a target. Memory does not grow with targets times items.

    Raises:
        ConfigError: an unknown choice.
        DataError: no targets, positions outside the log, or a scorer that gave a NaN.
        ValueError: the scorer's array has the wrong shape.
    """
    _check_choice("per_user", per_user, get_args(PerUser))
    _check_choice("cold_targets", cold_targets, get_args(ColdTargets))
    log = dataset.log
    candidates = make_candidates(log, split.train, dataset.listed)
    events = _pick(log, _targets(split, targets), per_user)
    known = candidates.known(log.item[events], log.timestamp_s[events])
    num_cold = int((~known).sum())
    if cold_targets == "leave-out":
        events, known = _leave_out_cold(events, known)
    sequences = build_sequences(log)
    requests = make_requests(log, sequences, events, split.ties, request_time)
    time_s = log.timestamp_s[events]
    seen_item = log.item[sequences.order] if exclude_seen else None
    ranks, top_items = rank_targets(scorer, Targets(requests, time_s, candidates, seen_item), top_k)
    excluded = known & _seen_targets(requests, seen_item)
    num_candidates = candidates.count(int(time_s[-1]))
    said = _describe(split, targets, per_user, request_time, exclude_seen, cold_targets)
    said |= {
        "num_candidates": num_candidates,
        "num_cold_targets": num_cold,
        "num_excluded_targets": int(excluded.sum()),
    }
    gap_s = _gaps(log, sequences.order, requests, time_s)
    known_user = np.isin(requests.user, log.user[split.train])
    counts = np.bincount(log.item[split.train], minlength=log.num_items)
    outcome = (ranks, top_items, ~known, excluded, num_candidates, said)
    return Evaluation(events, requests, *outcome, time_s, gap_s, known_user, counts)


def excludes_seen_by_default(log: EventLog, split: Split, limit: float = 0.1) -> bool:
    """Whether to filter seen items where nobody said: yes, unless people repeat.

    The rule looks at the training part alone: on, unless its `repeat_rate` is above `limit`.
    """
    return repeat_rate(log, split.train) <= limit


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, but {value!r} came")


def _targets(
    split: Split, targets: Literal["validation", "test"] | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Target positions in the log's order; DataError where there are none."""
    events = split.targets(targets) if isinstance(targets, str) else np.sort(targets)
    if not events.size:
        raise DataError(
            f"evaluation needs targets, but the split {split.name!r} has no "
            f"{targets if isinstance(targets, str) else 'given'} targets: is the "
            "log too short, or did a refit train on them (`trecs refit --keep-test` does not)?"
        )
    return events


def _pick(log: EventLog, events: NDArray[np.int64], per_user: PerUser) -> NDArray[np.int64]:
    """Those of ascending `events` that `per_user` asks for, ascending."""
    if per_user == "all":
        return events
    if per_user == "first":
        return events[np.sort(np.unique(log.user[events], return_index=True)[1])]
    from_end = events[::-1]
    return from_end[np.sort(np.unique(log.user[from_end], return_index=True)[1])][::-1].copy()


def _leave_out_cold(
    events: NDArray[np.int64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Keep the targets that are known candidates, one at least."""
    if not known.any():
        raise DataError(
            f"evaluation needs targets, but all {known.size} are cold and left out: count them as "
            "misses"
        )
    return events[known], known[known]


def _gaps(
    log: EventLog, order: NDArray[np.int64], requests: Requests, time_s: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Seconds from the last event of each history to its target, int64 [n]; -1 without one."""
    last = order[np.maximum(requests.history_hi, 1) - 1]
    return np.where(requests.history_hi > requests.history_lo, time_s - log.timestamp_s[last], -1)


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


def _describe(
    split: Split,
    targets: str | NDArray[np.int64],
    per_user: PerUser,
    request_time: RequestTime,
    exclude_seen: bool,
    cold_targets: ColdTargets,
) -> dict[str, Any]:
    """Return the rules in words."""
    return {
        "split": split.name,
        "targets": targets if isinstance(targets, str) else "given",
        "per_user": per_user,
        "train_end_s": split.train_end_s,
        "validation_end_s": split.validation_end_s,
        "ties": split.ties,
        "request_time": request_time,
        "seen_filter": "on" if exclude_seen else "off",
        "tie_rule": TIE_RULE,
        "cold_targets": cold_targets,
        "cold_policy": COLD_POLICY[cold_targets],
    }
