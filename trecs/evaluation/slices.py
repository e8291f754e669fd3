"""Metrics by kind of target: items, users, histories, gaps, and days since training ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trecs.evaluation.metrics import RANK_METRICS
from trecs.evaluation.protocol import Evaluation

SLICE_METRIC = "ndcg@10"

_DAY_S = 86_400
# Windows of up to this many days are cut by the day, longer ones into as many equal bins.
_MAX_BINS = 10

_LENGTHS = ((0, "0"), (1, "1-5"), (6, "6-20"), (21, "21-50"), (51, "51 or more"))
_GAPS_S = (
    (-1, "no history"),
    (0, "under a minute"),
    (60, "a minute to an hour"),
    (3_600, "an hour to a day"),
    (_DAY_S, "1 to 7 days"),
    (7 * _DAY_S, "7 to 30 days"),
    (30 * _DAY_S, "30 days or more"),
)


@dataclass(frozen=True, eq=False)
class Slicing:
    """One way of cutting the targets.

    Attributes:
        labels: a name a slice, in order.
        index: int64 [n], the slice of each target.
        edges: the slices' ends where the slices are bins of a number, one more than labels; empty
            otherwise.
    """

    labels: tuple[str, ...]
    index: NDArray[np.int64]
    edges: tuple[float, ...] = ()


def slicings(evaluation: Evaluation) -> dict[str, Slicing]:
    """Cut the targets in every way that the split allows.

    Returns:
        By name: `item` (warm: has training events), `user` (known: likewise), `history_length`,
        `gap` (since the last event of the history, half-open: a minute to an hour is [60, 3600) s),
        and, where a moment ends the training part, `days_since_training`: by the day, or in ten
        equal bins where the targets span more than ten days.
    """
    requests = evaluation.requests
    warm = evaluation.train_counts[requests.target_item] > 0
    length = requests.history_hi - requests.history_lo
    found = {
        "item": Slicing(("warm", "cold"), (~warm).astype(np.int64)),
        "user": Slicing(("known", "new"), (~evaluation.known_user).astype(np.int64)),
        "history_length": _by_start(length, _LENGTHS),
        "gap": _by_start(evaluation.gap_s, _GAPS_S),
    }
    train_end_s = evaluation.protocol["train_end_s"]
    if train_end_s is not None:
        found["days_since_training"] = _by_day((evaluation.time_s - train_end_s) / _DAY_S)
    return found


def slice_tables(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation]
) -> dict[str, list[dict[str, Any]]]:
    """Mean `SLICE_METRIC` of each slice that holds a target, the model beside the baselines.

    Args:
        evaluation: the model's.
        baselines: by name, over the same targets.

    Returns:
        By slicing, a row a slice: `{"slice": "1-5", "targets": n, "users": m, "model": ...,
        "most_popular": ..., ...}`; bins of a number have its bounds as `from` and `to`, too.
    """
    name, k = SLICE_METRIC.split("@")
    values = {
        method: RANK_METRICS[name](one.ranks, int(k))
        for method, one in {"model": evaluation, **baselines}.items()
    }
    user = evaluation.requests.user
    return {
        name: [
            row | {method: float(value[inside].mean()) for method, value in values.items()}
            for row, inside in _rows(slicing, user)
        ]
        for name, slicing in slicings(evaluation).items()
    }


def _rows(
    slicing: Slicing, user: NDArray[np.int32]
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    """What describes each slice that is not empty, and which targets [n] it holds."""
    for k, label in enumerate(slicing.labels):
        inside = slicing.index == k
        if inside.any():
            row: dict[str, Any] = {"slice": label}
            if slicing.edges:
                row |= {"from": slicing.edges[k], "to": slicing.edges[k + 1]}
            row["targets"] = int(inside.sum())
            row["users"] = int(np.unique(user[inside]).size)
            yield row, inside


def _by_start(number: NDArray[np.int64], starts: Sequence[tuple[int, str]]) -> Slicing:
    """Slices that each begin where the one before ends; the first begins at the least number."""
    start = np.array([value for value, _ in starts])
    index = np.searchsorted(start, number, side="right") - 1
    return Slicing(tuple(label for _, label in starts), index)


def _by_day(days: NDArray[np.float64]) -> Slicing:
    """Bins of whole days where there are few, or of one width."""
    first, last = float(np.floor(days.min())), float(np.floor(days.max())) + 1
    num_bins = min(round(last - first), _MAX_BINS)
    edges = np.linspace(first, last, num_bins + 1)
    index = np.clip(np.searchsorted(edges, days, side="right") - 1, 0, num_bins - 1)
    labels = tuple(f"{a:g} to {b:g}" for a, b in pairwise(edges))
    return Slicing(labels, index, tuple(edges.tolist()))
