"""The command `trecs export`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from trecs.cli.common import note, write
from trecs.config import load_config
from trecs.errors import ConfigError, UsageError


def add_export_options(export: argparse.ArgumentParser) -> None:
    """Add the options of `trecs export`."""
    export.add_argument("run_folder", metavar="RUN", help="folder of a finished run")
    export.add_argument("--to", required=True, metavar="DIR", help="such as saved_models/NAME")
    export.add_argument("--version", type=int, metavar="N", help="default: the next number")
    export.add_argument("-k", type=int, default=50, metavar="K", help="length of the lists (50)")
    export.add_argument("--items", metavar="PATH", help="the whole catalogue as it is now")
    export.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the index, such as serving.index=inverted-file",
    )
    export.add_argument("--text-to", metavar="DIR", help="also a model from raw texts to vectors")


def run_export(options: argparse.Namespace) -> None:
    """Export a run."""
    from trecs import api
    from trecs.run import Run

    run = Run.open(options.run_folder)
    config = load_config(values=run.config.to_dict(), overrides=options.set)
    if replace(config, serving=run.config.serving) != run.config:
        raise ConfigError(f"an export may set keys of [serving], got {', '.join(options.set)}")
    if options.text_to and Path(options.text_to).resolve() == Path(options.to).resolve():
        raise UsageError(f"--to and --text-to must be two folders, got {options.to} for both")
    # First, for it is refused where the run has no text.
    from_texts = [api.export_text(run, options.text_to)] if options.text_to else []
    version = api.export(
        run, options.to, options.version, options.k, options.items, note, config.serving
    )
    for folder in (version, *from_texts):
        write(str(folder))
