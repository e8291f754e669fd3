"""Paired tests between runs that were measured over the same targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trecs.evaluation.metrics import target_values
from trecs.evaluation.significance import compare
from trecs.reporting.results import RunComparison, RunResult, same_targets

METRICS = ("ndcg@10", "recall@10")
"""What runs are compared by."""


def compare_runs(runs: Sequence[RunResult]) -> list[RunComparison]:
    """Test each pair of runs over the same targets, by `trecs.evaluation.significance.compare`."""
    pairs = (pair for group in same_targets(runs) for pair in combinations(group, 2))
    return [
        RunComparison(
            first.name,
            second.name,
            compare(first.of_model.requests.user, _values(first), _values(second)),
        )
        for first, second in pairs
    ]


def _values(run: RunResult) -> dict[str, NDArray[np.float64]]:
    values = target_values(run.of_model.ranks, (10,))
    return {name: values[name] for name in METRICS}
