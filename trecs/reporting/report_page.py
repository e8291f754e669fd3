"""The report of one or several runs as a page."""

from __future__ import annotations

from collections.abc import Sequence

from trecs.reporting.audit_page import audit_blocks
from trecs.reporting.blocks import Block, Heading, Table
from trecs.reporting.figures import Curve, lines
from trecs.reporting.result_blocks import group_blocks
from trecs.reporting.results import Ablations, Results, RunResult, same_targets

_SHOWN_SETTINGS = (
    ("split", "kind"),
    ("split", "ties"),
    ("evaluation", "seen_filter"),
    ("model", "loss"),
    ("training", "seed"),
)


def report_blocks(results: Results) -> list[Block]:
    """The blocks of a report: runs, results by target set, learning curves, ablations, audits.

    Raises:
        UsageError: matplotlib is not installed.
    """
    blocks: list[Block] = [Heading("Runs"), _runs_table(results.runs)]
    for number, group in enumerate(same_targets(results.runs), start=1):
        blocks += [*group_blocks(number, group, results.comparisons), *_ratings(group)]
    blocks += _learning_curves(results.runs)
    if results.ablations:
        blocks += [Heading("Ablations"), _ablations_table(results.ablations)]
    for number, (name, audit) in enumerate(results.audits.items(), start=1):
        blocks.append(Heading(f"Audit of {name}"))
        # Figures are files of one folder in the Markdown form: their names must differ.
        blocks += audit_blocks(audit, 3, prefix=f"data_{number}_")
    return blocks


def _runs_table(runs: Sequence[RunResult]) -> Table:
    header = (
        "run",
        "data",
        *(f"{s}.{k}" for s, k in _SHOWN_SETTINGS),
        "epochs",
        "best val_ndcg@10",
    )
    rows = []
    for run in runs:
        best = max(
            (row["val_ndcg@10"] for row in run.learning_curve if "val_ndcg@10" in row), default=None
        )
        settings = (str(run.config[section][key]) for section, key in _SHOWN_SETTINGS)
        shown = "-" if best is None else f"{best:.4f}"
        rows.append((run.name, run.data, *settings, str(len(run.learning_curve)), shown))
    return Table("What was trained.", header, tuple(rows))


def _ratings(runs: Sequence[RunResult]) -> list[Block]:
    names = ("mse", "rmse", "mae")
    rows = tuple(
        (run.name, predictor, *(f"{errors[name]:.4f}" for name in names))
        for run in runs
        for predictor, errors in run.evaluation.get("ratings", {}).items()
    )
    caption = "Errors of predicted ratings of the test events; smaller is better."
    return [Heading("Ratings", 3), Table(caption, ("run", "by", *names), rows)] if rows else []


def _learning_curves(runs: Sequence[RunResult]) -> list[Block]:
    blocks: list[Block] = [Heading("Learning curves")]
    for name, column, caption in (
        ("learning_loss", "loss", "Training loss by epoch."),
        ("learning_ndcg", "val_ndcg@10", "Validation NDCG@10 by epoch."),
    ):
        curves = {
            run.name: Curve(
                [int(row["epoch"]) for row in run.learning_curve],
                [row[column] for row in run.learning_curve],
            )
            for run in runs
            if run.learning_curve and column in run.learning_curve[0]
        }
        if curves:
            blocks.append(lines(name, caption, curves, "epoch", column))
    return blocks if len(blocks) > 1 else []


def _ablations_table(ablations: Ablations) -> Table:
    metrics = list(dict.fromkeys(name for row in ablations.values() for name in row))
    rows = tuple(
        (name, *(f"{row[metric]:.4f}" if metric in row else "-" for metric in metrics))
        for name, row in ablations.items()
    )
    return Table("Ablations, as given in the file.", ("variant", *metrics), rows)
