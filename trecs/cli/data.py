"""The commands `trecs fetch` and `audit`."""

from __future__ import annotations

import argparse
from pathlib import Path

from trecs.cli.common import data_options, make_room, note, read_data, write, write_json


def add_fetch_options(fetch: argparse.ArgumentParser) -> None:
    """Add the options of `trecs fetch`."""
    fetch.add_argument("name", help="such as movielens-100k or complete-journey")


def add_audit_options(audit: argparse.ArgumentParser) -> None:
    """Add the options of `trecs audit`."""
    data_options(audit)
    audit.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    audit.add_argument("--html", metavar="FILE", help="write a page with pictures (extra `report`)")


def run_fetch(options: argparse.Namespace) -> None:
    """Fetch a known data set."""
    from trecs.data.sources import fetch

    write(str(fetch(options.name, say=note)))


def run_audit(options: argparse.Namespace) -> None:
    """Audit a log."""
    from trecs.data.audit import audit
    from trecs.data.audit_text import to_text

    make_room(options.json, options.html)
    dataset, config = read_data(options)
    found = audit(dataset, config)
    write(to_text(found))
    if options.json:
        write_json(options.json, found.to_json())
    if options.html:
        from trecs.reporting.audit_page import audit_html

        Path(options.html).write_text(audit_html(found, options.data), encoding="utf-8")
