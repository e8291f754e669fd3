"""The command `trecs pretrain`."""

from __future__ import annotations

import argparse
import sys

from trecs.config import load_config


def add_options(pretrain: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser; the caller adds `--config` and `--set`."""
    pretrain.add_argument(
        "--corpus",
        nargs="+",
        required=True,
        metavar="SOURCE",
        help="names or paths of data sets, as for train, and text files (.txt), a text a line",
    )
    pretrain.add_argument("--out", required=True, metavar="DIR", help="folder of the preset")
    pretrain.add_argument("--bert", default="", metavar="PRESET", help="default: a new small one")
    pretrain.add_argument("--items", metavar="PATH", help="the items file of a log")


def run(options: argparse.Namespace) -> None:
    """Pretrain, and write the held-out losses before and after.

    Raises:
      TrecsError: as `trecs.training.pretrain.pretrain`.
    """
    from trecs.text.held_out import to_text
    from trecs.training.pretrain import pretrain

    report = pretrain(
        options.corpus,
        options.out,
        load_config(options.config, options.set),
        bert=options.bert,
        items=options.items,
        verbose=1 if sys.stderr.isatty() else 2,
        say=_note,
    )
    sys.stdout.write(f"{to_text(report['before'], report['after'])}\n")


def _note(line: str) -> None:
    sys.stderr.write(f"{line}\n")
