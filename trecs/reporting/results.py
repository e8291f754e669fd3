"""The results of runs as plain values: what report.json holds and the page is written from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from trecs.data.audit import Audit
from trecs.errors import UsageError
from trecs.evaluation.protocol import Evaluation
from trecs.evaluation.significance import Comparison

Ablations: TypeAlias = dict[str, dict[str, float]]
"""Metrics by the name of the row."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """What one run gave.

    Attributes:
        name: how the report calls it.
        data: name of its data, a key of `Results.audits`.
        evaluation: what `trecs.evaluation.report.to_json` gave.
        learning_curve: a row an epoch: epoch, loss, val_ndcg@10 (not in a refit), train_seconds.
        config: its settings, by section and key.
        of_model: the ranks of its targets, for paired tests; not in the JSON.
    """

    name: str
    data: str
    evaluation: Mapping[str, Any]
    learning_curve: Sequence[Mapping[str, float]]
    config: Mapping[str, Mapping[str, Any]]
    of_model: Evaluation

    def to_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "name": self.name,
            "data": self.data,
            "evaluation": dict(self.evaluation),
            "learning_curve": [dict(row) for row in self.learning_curve],
            "config": {name: dict(section) for name, section in self.config.items()},
        }


@dataclass(frozen=True)
class RunComparison:
    """The paired test of two runs over the same targets.

    Attributes:
        first: name of one run.
        second: name of the other.
        metrics: by metric, the first run less the second.
    """

    first: str
    second: str
    metrics: Mapping[str, Comparison]


@dataclass(frozen=True, eq=False)
class Results:
    """All that a report shows.

    Attributes:
        audits: the audit of each data set, by its name.
        runs: at least one.
        comparisons: of runs over the same targets.
        ablations: rows that the user gave; empty where none.
    """

    audits: Mapping[str, Audit]
    runs: Sequence[RunResult]
    comparisons: Sequence[RunComparison]
    ablations: Ablations

    def to_json(self) -> dict[str, Any]:
        """The results as plain values: audits, runs, comparisons, ablations."""
        return {
            "audits": {name: audit.to_json() for name, audit in self.audits.items()},
            "runs": [run.to_json() for run in self.runs],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "ablations": self.ablations,
        }


def same_targets(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Group runs that were measured alike: same data, same protocol, same number of targets."""
    groups: dict[str, list[RunResult]] = {}
    for run in runs:
        measured = [run.data, run.evaluation["protocol"], run.evaluation["targets"]]
        groups.setdefault(json.dumps(measured, sort_keys=True), []).append(run)
    return list(groups.values())


def run_names(folders: Sequence[Path]) -> list[str]:
    """Short and different names for the runs of these folders: the last part, or the whole path.

    Example:
        >>> run_names([Path("runs/a"), Path("runs/b"), Path("old/b")])
        ['a', 'runs/b', 'old/b']
    """
    last = [folder.resolve().name for folder in folders]
    return [
        name if last.count(name) == 1 else str(folder)
        for name, folder in zip(last, folders, strict=True)
    ]


def data_names(fingerprints: Sequence[str]) -> list[str]:
    """Names for the data sets of runs, the same for equal fingerprints.

    Example:
        >>> data_names(["b7", "3c", "b7"])
        ['data 1', 'data 2', 'data 1']
    """
    numbers = {data: number for number, data in enumerate(dict.fromkeys(fingerprints), start=1)}
    return [f"data {numbers[data]}" for data in fingerprints]


def read_ablations(path: str | Path) -> Ablations:
    """Read a JSON file of named rows: `{"full model": {"ndcg@10": 0.12}, "no trend": {...}}`.

    Raises:
        UsageError: the file is not of that form.
        OSError: it cannot be read.
    """
    try:
        rows = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"expected ablations as JSON, but {path} is none: {error}") from error
    if not isinstance(rows, dict) or not rows or not all(_is_row(row) for row in rows.values()):
        raise UsageError(
            f'{path} must hold ablations as named rows of metrics, {{"no trend": '
            f'{{"ndcg@10": 0.11}}}}, but holds {json.dumps(rows)[:80]}'
        )
    return {name: {k: float(v) for k, v in row.items()} for name, row in rows.items()}


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        for value in row.values()
    )
