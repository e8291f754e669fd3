"""All baselines over the targets of a run, one after the other, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trecs.data.dataset import Dataset
from trecs.data.splits import Split
from trecs.evaluation.baselines.registry import (
    ALL,
    COUNTING,
    affordable,
    available,
    baseline_scorers,
)
from trecs.evaluation.protocol import Evaluation, evaluate


def measure_baselines(
    dataset: Dataset,
    split: Split,
    names: Sequence[str] = ("auto",),
    *,
    exclude_seen: bool,
    **choices: Any,
) -> tuple[dict[str, Evaluation], dict[str, Any]]:
    """Rank the test targets with baselines; one is in memory at a time.

    Args:
        dataset: log and catalogue.
        split: its test part is measured.
        names: names of `ALL`; `["all"]` for all that can run here; `["auto"]` for those of
            `affordable`, and `COUNTING` alone where no validation events choose settings.
        exclude_seen: as for the model.
        **choices: further choices of `trecs.evaluation.protocol.evaluate`.

    Returns:
        Evaluations by name, in the order of `ALL`, and lines for the protocol:
        `{"baseline_settings": {"markov": {"window": 10, "decay": 0.8}, ...},
        "baselines_left_out": ["als", "bpr"]}`.

    Raises:
        UsageError: as `baseline_scorers`.
    """
    if list(names) == ["auto"]:
        names = affordable(split.test.size, dataset.num_items)
        if not split.validation.size:
            names = COUNTING
    elif list(names) == ["all"]:
        names = available()
    scorers = baseline_scorers(dataset, split, exclude_seen, names)
    measured, settings = {}, {}
    for name in list(scorers):
        # Taken out, so that its fit does not outlive its turn.
        scorer = scorers.pop(name)
        measured[name] = evaluate(dataset, split, scorer, exclude_seen=exclude_seen, **choices)
        if scorer.choice.parameters:
            settings[name] = dict(scorer.choice.parameters)
    left_out = [name for name in ALL if name not in measured]
    return measured, {"baseline_settings": settings, "baselines_left_out": left_out}
