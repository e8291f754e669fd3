"""The commands `trecs train` and `refit`."""

from __future__ import annotations

import argparse
import sys
import time

from trecs.cli.common import data_options, read_data, write


def add_train_options(train: argparse.ArgumentParser) -> None:
    """Add the options of `trecs train`."""
    data_options(train)
    train.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    train.add_argument("--bert", metavar="PRESET", help="of the item texts; also: text.preset")
    train.add_argument("--split", choices=("temporal", "leave-last-out"), help="default: temporal")


def run_train(options: argparse.Namespace) -> None:
    """Train a model, or continue to."""
    from trecs import api
    from trecs.training.trainer import best_epoch

    dataset, config = read_data(options)
    began = time.monotonic()
    run = api.train(dataset, options.out, config, verbose=1 if sys.stderr.isatty() else 2)
    best = best_epoch(run.learning_curve)
    write(
        f"{run.directory}: {len(run.learning_curve)} epochs in {time.monotonic() - began:.0f} s,"
        f" best validation NDCG@10 {best['val_ndcg@10']:.4f} in epoch {int(best['epoch'])}"
    )


def add_refit_options(refit: argparse.ArgumentParser) -> None:
    """Add the options of `trecs refit`."""
    refit.add_argument("run_folder", metavar="RUN", help="folder of a finished run")
    refit.add_argument("--out", required=True, metavar="RUN2", help="folder of the new run")
    refit.add_argument(
        "--keep-test", action="store_true", help="leave the test events out, to be measured on"
    )


def run_refit(options: argparse.Namespace) -> None:
    """Train anew on the held-out events too."""
    from trecs import api
    from trecs.run import Run

    began = time.monotonic()
    verbose = 1 if sys.stderr.isatty() else 2
    run = api.refit(
        Run.open(options.run_folder), options.out, keep_test=options.keep_test, verbose=verbose
    )
    write(
        f"{run.directory}: {len(run.learning_curve)} epochs over {run.split.train.size:,} events in"
        f" {time.monotonic() - began:.0f} s, as the validation of {options.run_folder} chose"
    )
