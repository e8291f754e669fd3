"""The commands `trecs evaluate` and `report`."""

from __future__ import annotations

import argparse

from trecs.cli.common import make_room, write, write_json


def add_evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    """Add the options of `trecs evaluate`."""
    evaluate.add_argument("run_folder", metavar="RUN", help="folder of a finished run")
    evaluate.add_argument("--json", metavar="FILE", help="write the report as JSON")
    evaluate.add_argument("--predictions", metavar="FILE", help="write a row a target, as Parquet")
    evaluate.add_argument(
        "--targets",
        choices=("all", "last", "first"),
        default="all",
        help="which of a user's events in the test window are to be found (all)",
    )
    evaluate.add_argument(
        "--request-time",
        choices=("known", "withheld"),
        default="known",
        help="tell the target's time, or only that of the event before it (known)",
    )
    evaluate.add_argument(
        "--cold-targets",
        choices=("miss", "leave-out"),
        default="miss",
        help="targets that nobody could recommend count as misses, or not at all (miss)",
    )
    evaluate.add_argument(
        "--baselines",
        default="auto",
        metavar="NAMES",
        help="comma-separated, or all; auto: all, the counting ones alone on a large log (auto)",
    )
    evaluate.add_argument(
        "--tie-band",
        action="store_true",
        help="also how far a Markov model moves with the order of events of one user and second",
    )


def add_report_options(report: argparse.ArgumentParser) -> None:
    """Add the options of `trecs report`."""
    report.add_argument("run_folders", nargs="+", metavar="RUN", help="folders of finished runs")
    report.add_argument("--to", required=True, metavar="DIR", help="folder of the report")
    report.add_argument("--ablations", metavar="FILE", help="JSON: metrics by the name of a row")


def run_evaluate(options: argparse.Namespace) -> None:
    """Measure a run."""
    from trecs import api
    from trecs.evaluation.report import to_text
    from trecs.run import Run

    make_room(options.json, options.predictions)
    report = api.evaluate(
        Run.open(options.run_folder),
        options.predictions,
        per_user=options.targets,
        request_time=options.request_time,
        cold_targets=options.cold_targets,
        baselines=options.baselines.split(","),
        with_tie_band=options.tie_band,
    )
    write(to_text(report))
    if options.json:
        write_json(options.json, report)


def run_report(options: argparse.Namespace) -> None:
    """Write a report."""
    from trecs import api
    from trecs.run import Run

    runs = [Run.open(folder) for folder in options.run_folders]
    for path in api.report(runs, options.to, options.ablations):
        write(str(path))
