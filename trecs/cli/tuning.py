"""The commands `trecs cross-validate` and `tune`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trecs.cli.common import data_options, make_room, note, read_data, write, write_json

_SHOWN = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")


def add_cross_validate_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `trecs cross-validate`."""
    data_options(command)
    command.add_argument("--out", required=True, metavar="DIR", help="folder of the runs")
    command.add_argument("--origins", type=int, default=3, metavar="N", help="moments (3)")
    command.add_argument("--json", metavar="FILE", help="write all reports and the summary")


def add_tune_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `trecs tune`."""
    data_options(command)
    command.add_argument("--out", required=True, metavar="DIR", help="folder of the study")
    command.add_argument("--trials", type=int, default=20, metavar="N", help="in all (20)")
    command.add_argument("--origins", type=int, default=2, metavar="N", help="runs a trial (2)")


def run_cross_validate(options: argparse.Namespace) -> None:
    """Train and measure at several origins."""
    from trecs import api

    make_room(options.json)
    dataset, config = read_data(options)
    found = api.cross_validate(dataset, options.out, config, num_origins=options.origins, verbose=0)
    write(_summary_text(found["summary"], options.origins))
    if options.json:
        write_json(options.json, found)


def run_tune(options: argparse.Namespace) -> None:
    """Search for settings."""
    from trecs import api
    from trecs.config import to_toml

    dataset, config = read_data(options)
    found = api.tune(
        dataset,
        options.out,
        config,
        trials=options.trials,
        num_origins=options.origins,
        say=note,
    )
    path = Path(options.out) / "config.toml"
    path.write_text(to_toml(found.config), encoding="utf-8")
    write(
        f"{found.num_trials} trials: mean NDCG@10 {found.score:.4f}, with the settings as given"
        f" {found.default_score:.4f}\n{path}:\n{to_toml(found.config)}".rstrip()
    )


def _summary_text(summary: Mapping[str, Mapping[str, Mapping[str, Any]]], origins: int) -> str:
    width = max(len(name) for name in summary)
    lines = [f"{'':<{width}}  " + "  ".join(f"{metric:>17}" for metric in _SHOWN)]
    for name, metrics in summary.items():
        cells = (
            f"{metrics[m]['mean']:>8.4f} ± {metrics[m]['deviation']:.4f}".rjust(17) for m in _SHOWN
        )
        lines.append(f"{name:<{width}}  {'  '.join(cells)}")
    return "\n".join([*lines, "", f"mean and standard deviation over {origins} rolling origins"])
