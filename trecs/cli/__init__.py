"""The command line: `trecs fetch`, `audit`, `pretrain`, `train`, `evaluate` and so on.

Results go to standard output, progress and errors to standard error. Exit codes: 0, 1 for a
failure, 2 for bad usage. A command is two functions: one adds its options, one runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import trecs
from trecs.cli import data, evaluation, exporting, recommending, refreshing, training, tuning
from trecs.cli.common import setting_options
from trecs.errors import ConfigError, TrecsError, UsageError
from trecs.serving import server_command
from trecs.training import pretrain_command


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trecs", description="Time-aware recommendation: what will user u want at time t?"
    )
    parser.add_argument("--version", action="version", version=f"trecs {trecs.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str,
        add_options: Callable[[argparse.ArgumentParser], None],
        run: Callable[[argparse.Namespace], None],
        text: str,
    ) -> None:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        added.set_defaults(run=run)
        add_options(added)

    text = "fetch a known data set into the cache"
    command("fetch", data.add_fetch_options, data.run_fetch, text)
    text = "look at a log before training: ties, leaks, drift, repeats"
    command("audit", data.add_audit_options, data.run_audit, text)
    text = "pretrain a BERT on item texts, histories and text files; continues where it was"
    command("pretrain", _add_pretrain_options, pretrain_command.run, text)
    text = "train a model; continues an interrupted run"
    command("train", training.add_train_options, training.run_train, text)
    text = "train anew on the held-out events too, as a run's validation chose: for deployment"
    command("refit", training.add_refit_options, training.run_refit, text)
    text = "measure a run on its test targets, beside baselines"
    command("evaluate", evaluation.add_evaluate_options, evaluation.run_evaluate, text)
    text = "measure runs and write a report: HTML, Markdown, JSON"
    command("report", evaluation.add_report_options, evaluation.run_report, text)
    text = "train and measure at several moments: mean and deviation beside baselines"
    command("cross-validate", tuning.add_cross_validate_options, tuning.run_cross_validate, text)
    text = "search for better settings before the test window; continues a study (extra `tune`)"
    command("tune", tuning.add_tune_options, tuning.run_tune, text)
    text = "write a SavedModel version, whole or not at all"
    command("export", exporting.add_export_options, exporting.run_export, text)
    text = "write the next version from newer events and items, with the same weights"
    command("refresh", refreshing.add_refresh_options, refreshing.run_refresh, text)
    text = "serve a model folder as TensorFlow Serving does: REST and gRPC"
    command("serve", server_command.add_options, server_command.run, text)
    text = "ask an exported model; reads nothing else"
    command("recommend", recommending.add_recommend_options, recommending.run_recommend, text)
    return parser


def _add_pretrain_options(pretrain: argparse.ArgumentParser) -> None:
    pretrain_command.add_options(pretrain)
    setting_options(pretrain)
