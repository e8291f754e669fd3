"""The parameters of a baseline, chosen on validation as those of the model are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.splits import Split
from trecs.evaluation.metrics import ndcg
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.requests import Scorer

Parameters = Mapping[str, float]
"""The settings of one fit by name, such as `{"regularization": 200}`."""

_SAMPLE = 2_000
_SEED = 0


@dataclass(frozen=True, eq=False)
class Choice:
    """The best of several fits.

    Attributes:
        parameters: its settings.
        scorer: fitted with them, to the training part alone.
        ndcg: its NDCG@10 on the validation targets; NaN where there was nothing to choose by.
    """

    parameters: Parameters
    scorer: Scorer
    ndcg: float


def choose(
    dataset: Dataset,
    split: Split,
    fits: Iterable[tuple[Parameters, Scorer]],
    *,
    exclude_seen: bool,
) -> Choice:
    """Take the fit with the highest NDCG@10 on validation targets, the first one among equals.

    Args:
        dataset: log and catalogue.
        split: its validation targets choose; 2,000 of them, drawn by a fixed seed, if there are
            more. Without any the first fit is taken.
        fits: at least one; made as they are asked for, so that two are in memory at most.
        exclude_seen: as the test will be measured.

    Raises:
        ValueError: no fits.
    """
    targets = sample_targets(split.validation)
    best: Choice | None = None
    for parameters, scorer in fits:
        if not targets.size:
            return Choice(parameters, scorer, float("nan"))
        found = evaluate(
            dataset, split, scorer, targets=targets, exclude_seen=exclude_seen, top_k=0
        )
        value = float(ndcg(found.ranks, 10).mean())
        if best is None or value > best.ndcg:
            best = Choice(parameters, scorer, value)
    if best is None:
        raise ValueError("a choice needs one fit at least, but none came")
    return best


def sample_targets(targets: NDArray[np.int64], limit: int = _SAMPLE) -> NDArray[np.int64]:
    """Draw `limit` of the targets int64 [n], ascending, by a fixed seed; all if there are fewer."""
    if targets.size <= limit:
        return targets
    chosen = np.random.default_rng(_SEED).choice(targets.size, limit, replace=False)
    return targets[np.sort(chosen)]
