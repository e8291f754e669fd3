"""The command line: `trecs fetch`, `audit`, `pretrain`, `train`, `evaluate` and so on.

Results go to standard output, progress and errors to standard error. Exit codes: 0, 1 for a
failure, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trecs
from trecs.config import Config, load_config
from trecs.errors import ConfigError, TrecsError, UsageError

if TYPE_CHECKING:
    from trecs.serving.recommendation import Recommendation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    # TensorFlow's start-up chatter hides what a command says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (TrecsError, OSError) as error:
        if options.debug:
            traceback.print_exc()
        else:
            sys.stderr.write(f"trecs {options.command}: {error}\n")
        return 2 if isinstance(error, (UsageError, ConfigError)) else 1
    except KeyboardInterrupt:
        sys.stderr.write(f"trecs {options.command}: interrupted\n")
        return 1
    except Exception as error:
        if options.debug:
            raise
        sys.stderr.write(
            f"trecs {options.command}: unexpected {type(error).__name__}: {error}. This is a"
            " fault of trecs; --debug shows where it happened\n"
        )
        return 1
    return 0


def _fetch(options: argparse.Namespace) -> None:
    from trecs.data.sources import fetch

    _write(str(fetch(options.name, say=_note)))


def _audit(options: argparse.Namespace) -> None:
    from trecs.data.audit import audit
    from trecs.data.audit_text import to_text
    from trecs.data.loading import load_data

    config = _config(options)
    dataset, lines = load_data(options.data, options.items, config)
    for line in lines:
        _note(line)
    found = audit(dataset, config)
    if options.json:
        _write_json(options.json, found.to_json())
    if options.html:
        from trecs.reporting.audit_page import audit_html

        Path(options.html).write_text(audit_html(found, options.data), encoding="utf-8")
    _write(to_text(found))


def _train(options: argparse.Namespace) -> None:
    from trecs import api
    from trecs.data.loading import load_data

    config = _config(options)
    dataset, lines = load_data(options.data, options.items, config)
    for line in lines:
        _note(line)
    began = time.monotonic()
    run = api.train(dataset, options.out, config, verbose=1 if sys.stderr.isatty() else 2)
    best = max(run.learning_curve, key=lambda row: row["val_ndcg@10"])
    _write(
        f"{run.directory}: {len(run.learning_curve)} epochs in {time.monotonic() - began:.0f} s,"
        f" best validation NDCG@10 {best['val_ndcg@10']:.4f} in epoch {int(best['epoch'])}"
    )


def _evaluate(options: argparse.Namespace) -> None:
    from trecs import api
    from trecs.evaluation.report import to_text
    from trecs.run import Run

    report = api.evaluate(
        Run.open(options.run_folder),
        options.predictions,
        per_user=options.targets,
        request_time=options.request_time,
        cold_targets=options.cold_targets,
        baselines=options.baselines.split(","),
    )
    if options.json:
        _write_json(options.json, report)
    _write(to_text(report))


def _report(options: argparse.Namespace) -> None:
    from trecs import api
    from trecs.run import Run

    runs = [Run.open(folder) for folder in options.run_folders]
    for path in api.report(runs, options.to, options.ablations):
        _write(str(path))


def _export(options: argparse.Namespace) -> None:
    from trecs import api
    from trecs.run import Run

    run = Run.open(options.run_folder)
    _write(str(api.export(run, options.to, options.version, options.k)))
    if options.text_to:
        _write(str(api.export_text(run, options.text_to)))


def _recommend(options: argparse.Namespace) -> None:
    from trecs.data.history import parse_moment, read_history
    from trecs.data.timestamps import iso
    from trecs.serving.client import Recommender

    at = int(time.time()) if options.at is None else parse_moment(options.at)
    history = None if options.history is None else read_history(options.history)
    found = Recommender(options.model).recommend(options.user, history, at, options.k)
    if options.json:
        answer = {"user_id": options.user, "at": iso(at), "items": [vars(item) for item in found]}
        _write(json.dumps(answer, ensure_ascii=False))
    else:
        _write(_listing(options.user, iso(at), found))


def _listing(user: str, at: str, found: Sequence[Recommendation]) -> str:
    lines = [f"for user {user} at {at}:"]
    for place, item in enumerate(found, start=1):
        lines.append(f"{place:3}  {item.score:8.3f}  {item.item_id:>10}  {item.title}")
    return "\n".join(lines)


def _config(options: argparse.Namespace) -> Config:
    """The settings of `trecs train` and `audit`: file, then column options, then --set."""
    columns = ("user_column", "item_column", "timestamp_column", "rating_column", "timestamp_unit")
    values: dict[str, dict[str, Any]] = {
        "data": {c: getattr(options, c) for c in columns if getattr(options, c) is not None}
    }
    if getattr(options, "split", None) is not None:
        values["split"] = {"kind": options.split}
    if getattr(options, "bert", None) is not None:
        values["text"] = {"preset": options.bert}
    return load_config(options.config, options.set, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trecs", description="Time-aware recommendation: what will user u want at time t?"
    )
    parser.add_argument("--version", action="version", version=f"trecs {trecs.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        added.set_defaults(run=run)
        return added

    fetch = command("fetch", _fetch, "fetch a known data set into the cache")
    fetch.add_argument("name", help="such as movielens-100k or complete-journey")
    audit = command("audit", _audit, "look at a log before training: ties, leaks, drift, repeats")
    _data_options(audit)
    audit.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    audit.add_argument("--html", metavar="FILE", help="write a page with pictures (extra `report`)")
    from trecs.training import pretrain_command

    text = "pretrain a BERT on item texts, histories and text files; continues where it was"
    pretrain = command("pretrain", pretrain_command.run, text)
    pretrain_command.add_options(pretrain)
    _setting_options(pretrain)
    _train_options(command("train", _train, "train a model; continues an interrupted run"))

    text = "measure a run on its test targets, beside baselines"
    _evaluate_options(command("evaluate", _evaluate, text))

    report = command("report", _report, "measure runs and write a report: HTML, Markdown, JSON")
    report.add_argument("run_folders", nargs="+", metavar="RUN", help="folders of finished runs")
    report.add_argument("--to", required=True, metavar="DIR", help="folder of the report")
    report.add_argument("--ablations", metavar="FILE", help="JSON: metrics by the name of a row")

    export = command("export", _export, "write a SavedModel version, whole or not at all")
    export.add_argument("run_folder", metavar="RUN", help="folder of a finished run")
    export.add_argument("--to", required=True, metavar="DIR", help="such as saved_models/NAME")
    export.add_argument("--version", type=int, metavar="N", help="default: the next number")
    export.add_argument("-k", type=int, default=50, metavar="K", help="length of the lists (50)")
    export.add_argument("--text-to", metavar="DIR", help="also a model from raw texts to vectors")

    from trecs.serving import server_command

    text = "serve a model folder as TensorFlow Serving does: REST and gRPC"
    server_command.add_options(command("serve", server_command.run, text))

    recommend = command("recommend", _recommend, "ask an exported model; reads nothing else")
    recommend.add_argument("model", metavar="DIR", help="such as saved_models/NAME")
    recommend.add_argument("--user", required=True, metavar="ID", help="user id, known or not")
    recommend.add_argument(
        "--history",
        metavar="FILE",
        help="the user's events, with item_id and timestamp; default: those known at export",
    )
    recommend.add_argument("--at", metavar="TIME", help="ISO 8601 or epoch seconds; default: now")
    recommend.add_argument("-k", type=int, default=10, metavar="K", help="how many (10)")
    recommend.add_argument("--json", action="store_true", help="answer as JSON")
    return parser


def _evaluate_options(evaluate: argparse.ArgumentParser) -> None:
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


def _train_options(train: argparse.ArgumentParser) -> None:
    _data_options(train)
    train.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    train.add_argument("--bert", metavar="PRESET", help="of the item texts; also: text.preset")
    train.add_argument("--split", choices=("temporal", "leave-last-out"), help="default: temporal")


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help="name of a known data set, or path of a log")
    command.add_argument("--items", metavar="PATH", help="the items file")
    for name in ("user", "item", "timestamp", "rating"):
        command.add_argument(f"--{name}-column", metavar="C", help="default: found by its name")
    command.add_argument("--timestamp-unit", metavar="U", help="s, ms, us or ns; default: told")
    _setting_options(command)


def _setting_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", metavar="FILE", help="settings as TOML")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as model.dropout=0.1"
    )


def _write_json(path: str, report: Any) -> None:
    Path(path).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
