"""What the commands share: options, settings, output."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trecs.config import Config, load_config

if TYPE_CHECKING:
    from trecs.data.dataset import Dataset


def read_config(options: argparse.Namespace) -> Config:
    """The settings of a command: file, then column options, then --set."""
    columns = ("user_column", "item_column", "timestamp_column", "rating_column", "timestamp_unit")
    values: dict[str, dict[str, Any]] = {
        "data": {c: getattr(options, c) for c in columns if getattr(options, c) is not None}
    }
    if getattr(options, "split", None) is not None:
        values["split"] = {"kind": options.split}
    if getattr(options, "bert", None) is not None:
        values["text"] = {"preset": options.bert}
    return load_config(options.config, options.set, values)


def read_data(options: argparse.Namespace) -> tuple[Dataset, Config]:
    """The data set and settings of a command with `data_options`; says what was read."""
    from trecs.data.loading import load_data

    config = read_config(options)
    dataset, lines = load_data(options.data, options.items, config, users=options.users)
    for line in lines:
        note(line)
    return dataset, config


def data_options(command: argparse.ArgumentParser) -> None:
    """Add the options that name a log, its columns and the settings."""
    command.add_argument("data", metavar="DATA", help="name of a known data set, or path of a log")
    command.add_argument("--items", metavar="PATH", help="the items file")
    command.add_argument("--users", metavar="PATH", help="the users file: profile texts by user id")
    for name in ("user", "item", "timestamp", "rating"):
        command.add_argument(f"--{name}-column", metavar="C", help="default: found by its name")
    command.add_argument("--timestamp-unit", metavar="U", help="s, ms, us or ns; default: told")
    setting_options(command)


def setting_options(command: argparse.ArgumentParser) -> None:
    """Add `--config` and `--set`."""
    command.add_argument("--config", metavar="FILE", help="settings as TOML")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as model.dropout=0.1"
    )


def make_room(*paths: str | None) -> None:
    """Make the folders of the files that a command will write, before it works for long."""
    for path in paths:
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)


def write_json(path: str, report: Any) -> None:
    """Write a report to a file."""
    Path(path).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def write(text: str) -> None:
    """Write a result to standard output."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """Write a remark to standard error."""
    sys.stderr.write(f"{text}\n")
