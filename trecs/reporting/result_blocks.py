"""The measured part of a report: protocol, metrics with intervals, slices, decay, paired tests.

Reads what `trecs.evaluation.report.to_json` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trecs.reporting.blocks import Block, Figure, Heading, Table
from trecs.reporting.figures import Curve, lines
from trecs.reporting.results import Comparison, RunResult

HEADLINE = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")
"""The metrics of the first table; the second has all."""

DECAY = "days_since_training"
"""The slice that is drawn as the decay curve."""

_CURVE_METRIC = "ndcg@10"


def group_blocks(
    number: int, runs: Sequence[RunResult], comparisons: Sequence[Comparison]
) -> list[Block]:
    """The blocks of runs that were measured over the same targets.

    Args:
        number: of the group, from 1; it names the group's figures.
        runs: at least one; the baselines are those of the first.
        comparisons: all of the report; those of these runs are shown.
    """
    protocol = runs[0].evaluation["protocol"]
    names = {run.name for run in runs}
    blocks: list[Block] = [
        Heading(f"Results: {protocol['split']} split of {runs[0].data}"),
        _protocol(runs[0]),
        _headline(runs),
    ]
    blocks += _tests([c for c in comparisons if {c.first, c.second} <= names])
    blocks += _decay(number, runs)
    for run in runs:
        blocks += _slices(run)
    return [*blocks, Heading("All metrics", 3), _all_metrics(runs)]


def _protocol(run: RunResult) -> Table:
    rows = [("targets", f"{run.evaluation['targets']:,}")]
    rows += [
        (name.replace("_", " "), "none" if value is None else str(value))
        for name, value in run.evaluation["protocol"].items()
        if name != "targets"
    ]
    return Table("Protocol: how all of this was measured.", ("rule", "value"), tuple(rows), False)


def _methods(runs: Sequence[RunResult]) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Metrics and intervals by the name of the run or baseline, runs first."""
    found = {
        run.name: (run.evaluation["metrics"], run.evaluation.get("intervals", {}).get("model", {}))
        for run in runs
    }
    first = runs[0].evaluation
    for name, metrics in first["baselines"].items():
        found[name] = metrics, first.get("intervals", {}).get(name, {})
    return found


def _headline(runs: Sequence[RunResult]) -> Table:
    metrics = [name for name in HEADLINE if name in runs[0].evaluation["metrics"]]
    rows = [
        (method, *(_cell(values.get(name), intervals.get(name)) for name in metrics))
        for method, (values, intervals) in _methods(runs).items()
    ]
    caption = "Runs first, then the baselines; in brackets the 95 % confidence interval over users."
    return Table(caption, ("method", *metrics), tuple(rows))


def _all_metrics(runs: Sequence[RunResult]) -> Table:
    methods = _methods(runs)
    rows = [
        (metric, *(_cell(values.get(metric)) for values, _ in methods.values()))
        for metric in runs[0].evaluation["metrics"]
    ]
    return Table("Every metric at every cut-off.", ("metric", *methods), tuple(rows))


def _cell(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "-"
    text = f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return text if interval is None else f"{text} [{interval[0]:.4f}, {interval[1]:.4f}]"


def _tests(comparisons: Sequence[Comparison]) -> list[Block]:
    if not comparisons:
        return []
    rows = tuple(
        (
            f"{c.first} minus {c.second}",
            c.metric,
            f"{c.difference:+.4f} [{c.interval[0]:+.4f}, {c.interval[1]:+.4f}]",
            f"{c.p_value:.4f}",
        )
        for c in comparisons
    )
    caption = f"Paired test over the same targets: {comparisons[0].method}."
    header = ("runs", "metric", "difference [95 % interval]", "p")
    return [Heading("Paired test", 3), Table(caption, header, rows)]


def _decay(number: int, runs: Sequence[RunResult]) -> list[Block]:
    """The decay curve of the runs and of the first run's baselines, where it was measured."""
    curves: dict[str, Curve] = {}
    for run in runs:
        rows = run.evaluation.get("slices", {}).get(DECAY, [])
        if rows:
            curves[run.name] = _curve(rows, "model")
        if run is runs[0] and rows:
            curves |= {name: _curve(rows, name) for name in run.evaluation["baselines"]}
    if not curves:
        return []
    caption = f"Decay: {_CURVE_METRIC} by days since training ended."
    figure: Figure = lines(f"decay_{number}", caption, curves, "days since training", _CURVE_METRIC)
    return [Heading("Decay since training", 3), figure]


def _curve(rows: Sequence[Mapping[str, Any]], method: str) -> Curve:
    return Curve([row["from"] for row in rows], [row[method] for row in rows])


def _slices(run: RunResult) -> list[Block]:
    blocks: list[Block] = []
    for name, rows in run.evaluation.get("slices", {}).items():
        if rows:
            header = tuple(rows[0])
            cells = tuple(tuple(_any_cell(row[key]) for key in header) for row in rows)
            caption = f"{run.name}: {_CURVE_METRIC} by {name.replace('_', ' ')}."
            blocks.append(Table(caption, header, cells))
    return [Heading(f"Slices of {run.name}", 3), *blocks] if blocks else []


def _any_cell(value: Any) -> str:
    if isinstance(value, float):
        return _cell(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
