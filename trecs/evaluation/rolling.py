"""One scorer over several splits: each result, their mean and their deviation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trecs.data.dataset import Dataset
from trecs.data.splits import Split
from trecs.evaluation.metrics import DEFAULT_KS
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.report import metrics_of
from trecs.evaluation.requests import Scorer

MakeScorer = Callable[[Dataset, Split], Scorer]
"""Fits a scorer to the training part of a split."""


def evaluate_splits(
    dataset: Dataset,
    splits: Sequence[Split],
    make_scorer: MakeScorer,
    *,
    exclude_seen: bool,
    ks: Sequence[int] = DEFAULT_KS,
) -> dict[str, Any]:
    """Fit and measure a scorer on the test part of each split.

    Args:
        dataset: log and catalogue.
        splits: such as those of `trecs.data.cross_validation.rolling_origins`.
        make_scorer: called once a split.
        exclude_seen: see `trecs.evaluation.protocol.evaluate`.
        ks: cut-offs.

    Returns:
        `{"splits": [{"protocol": {...}, "targets": n, "metrics": {...}}, ...], "mean":
        {"ndcg@10": ...}, "deviation": {"ndcg@10": ...}}`: the mean over the splits, each with the
        same weight, and the sample standard deviation (0 for a single split).
    """
    rows: list[dict[str, Any]] = []
    for split in splits:
        found = evaluate(
            dataset,
            split,
            make_scorer(dataset, split),
            exclude_seen=exclude_seen,
            top_k=max(ks),
        )
        rows.append(
            {
                "protocol": found.protocol,
                "targets": int(found.events.size),
                "metrics": metrics_of(found, ks),
            }
        )
    mean, deviation = mean_and_deviation([row["metrics"] for row in rows])
    return {"splits": rows, "mean": mean, "deviation": deviation}


def mean_and_deviation(
    rows: Sequence[Mapping[str, float]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Means and sample standard deviations by metric; the deviation of a single row is 0.

    Args:
        rows: one at least, with the same metrics.
    """
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    deviation = values.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(len(names))
    means = dict(zip(names, values.mean(axis=0).tolist(), strict=True))
    return means, dict(zip(names, deviation.tolist(), strict=True))
