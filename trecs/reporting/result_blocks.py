"""The measured part of a report: protocol, metrics with intervals, paired tests, slices, decay.

Reads what `trecs.evaluation.report.to_json` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trecs.data.timestamps import iso
from trecs.evaluation.slices import SLICE_METRIC
from trecs.reporting.blocks import Block, Figure, Heading, Table
from trecs.reporting.figures import Curve, lines
from trecs.reporting.results import RunComparison, RunResult

HEADLINE = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")
"""The metrics of the first table; the last one has all."""

_DECAY = "days_since_training"
_DRAWN_BASELINES = 3


def group_blocks(
    number: int, runs: Sequence[RunResult], comparisons: Sequence[RunComparison]
) -> list[Block]:
    """The blocks of runs that were measured over the same targets.

    Args:
        number: of the group, from 1; it names the group's figures.
        runs: at least one; the baselines are those of the first.
        comparisons: all of the report; those of these runs are shown.
    """
    split = runs[0].evaluation["protocol"]["split"]
    blocks: list[Block] = [
        Heading(f"Results on {runs[0].data}, {split} split"),
        _protocol(runs[0].evaluation),
        _headline(runs),
        _tests(runs, comparisons),
    ]
    if "tie_band" in runs[0].evaluation:
        blocks.append(_tie_band(runs[0].evaluation["tie_band"]))
    slices = runs[0].evaluation["slices"]
    if _DECAY in slices:
        blocks += [Heading("Decay since training", 3), _decay(number, runs)]
    blocks.append(Heading("Slices", 3))
    blocks += [_slice_table(name, runs) for name in slices]
    return [*blocks, Heading("All metrics", 3), _all_metrics(runs)]


def _protocol(evaluation: Mapping[str, Any]) -> Table:
    rows = [("number of targets", f"{evaluation['targets']:,}")]
    rows += [_rule(name, value) for name, value in evaluation["protocol"].items()]
    return Table("Protocol: how all of this was measured.", ("rule", "value"), tuple(rows), False)


def _tie_band(band: Mapping[str, Any]) -> Table:
    caption = (
        f"The band of tie orders: {band['metric']} of a Markov model, fitted anew under"
        " other orders of the events that share their user and second. A difference smaller than"
        " the band may be the file's order, not the model."
    )
    orders = (
        ("as in the file", "as_given"),
        ("items by ascending id", "by_id_ascending"),
        ("items by descending id", "by_id_descending"),
        (f"least of {band['num_shuffles']} random orders", "low"),
        ("their mean", "mean"),
        ("their largest", "high"),
    )
    rows = tuple((name, f"{band[key]:.4f}") for name, key in orders)
    return Table(caption, ("order inside ties", band["metric"]), rows)


def _rule(name: str, value: Any) -> tuple[str, str]:
    """A line of the protocol, with moments as dates."""
    if value is None:
        return name.removesuffix("_s").replace("_", " "), "none"
    if name.endswith("_s"):
        return name.removesuffix("_s").replace("_", " "), iso(value)
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return name.replace("num_", "number of ").replace("_", " "), shown


def _methods(runs: Sequence[RunResult]) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Metrics and intervals by the name of the run or baseline, runs first."""
    first = runs[0].evaluation
    of_runs = {
        run.name: (run.evaluation["metrics"], run.evaluation["intervals"]["model"]) for run in runs
    }
    of_baselines = {
        name: (metrics, first["intervals"][name]) for name, metrics in first["baselines"].items()
    }
    return of_runs | of_baselines


def _headline(runs: Sequence[RunResult]) -> Table:
    first = runs[0].evaluation
    metrics = [name for name in HEADLINE if name in first["metrics"]]
    rows = [
        (method, *(_cell(values[name], intervals.get(name)) for name in metrics))
        for method, (values, intervals) in _methods(runs).items()
    ]
    caption = (
        f"Runs first, then the baselines; in brackets the {first['intervals']['level']:.0%} "
        f"confidence interval ({first['intervals']['method']})."
    )
    return Table(caption, ("method", *metrics), tuple(rows))


def _all_metrics(runs: Sequence[RunResult]) -> Table:
    methods = _methods(runs)
    rows = [
        (metric, *(_cell(values[metric]) for values, _ in methods.values()))
        for metric in runs[0].evaluation["metrics"]
    ]
    return Table("Every metric at every cut-off.", ("metric", *methods), tuple(rows))


def _tests(runs: Sequence[RunResult], comparisons: Sequence[RunComparison]) -> Table:
    """Paired tests: run against run, and each run against the baselines."""
    names = {run.name for run in runs}
    rows = [
        _test_row(f"{c.first} - {c.second}", metric, vars(found))
        for c in comparisons
        if {c.first, c.second} <= names
        for metric, found in c.metrics.items()
    ]
    rows += [
        _test_row(f"{run.name} - {baseline}", SLICE_METRIC, found[SLICE_METRIC])
        for run in runs
        for baseline, found in run.evaluation["comparisons"].items()
    ]
    caption = (
        "Paired tests over the same targets: difference of the means with its bootstrap interval, "
        "and the p-value of a permutation test; users are drawn and exchanged as wholes."
    )
    return Table(caption, ("first - second", "metric", "difference", "p"), tuple(rows))


def _test_row(name: str, metric: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = found["interval"]
    difference = f"{found['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
    return name, metric, difference, f"{found['p_value']:.4f}"


def _sliced(name: str, runs: Sequence[RunResult]) -> Iterator[tuple[str, list[float]]]:
    """The metric in each slice, for each run and then each baseline of the first."""
    for run in runs:
        yield run.name, [row["model"] for row in run.evaluation["slices"][name]]
    rows = runs[0].evaluation["slices"][name]
    for baseline in runs[0].evaluation["baselines"]:
        yield baseline, [row[baseline] for row in rows]


def _slice_table(name: str, runs: Sequence[RunResult]) -> Table:
    columns = dict(_sliced(name, runs))
    rows = tuple(
        (
            row["slice"],
            f"{row['targets']:,}",
            f"{row['users']:,}",
            *(_cell(values[k]) for values in columns.values()),
        )
        for k, row in enumerate(runs[0].evaluation["slices"][name])
    )
    title = name.replace("_", " ")
    return Table(f"{SLICE_METRIC} by {title}.", (title, "targets", "users", *columns), rows)


def _decay(number: int, runs: Sequence[RunResult]) -> Figure:
    """The runs and the strongest baselines by the day since training ended."""
    baselines = runs[0].evaluation["baselines"]
    strongest = sorted(baselines, key=lambda name: -baselines[name][SLICE_METRIC])[
        :_DRAWN_BASELINES
    ]
    drawn = {run.name for run in runs} | set(strongest)
    rows = runs[0].evaluation["slices"][_DECAY]
    middle = [(row["from"] + row["to"]) / 2 for row in rows]
    curves = {
        name: Curve(middle, values) for name, values in _sliced(_DECAY, runs) if name in drawn
    }
    caption = f"{SLICE_METRIC} by days since training ended; the runs and the strongest baselines."
    return lines(f"decay_{number}", caption, curves, "days since training", SLICE_METRIC)


def _cell(value: float, interval: Sequence[float] | None = None) -> str:
    # Average popularity is in events; the other metrics are near or below 1.
    text = f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return text if interval is None else f"{text} [{interval[0]:.4f}, {interval[1]:.4f}]"
