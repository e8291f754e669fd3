"""The command `trecs refresh`."""

from __future__ import annotations

import argparse

from trecs.cli.common import note, write


def add_refresh_options(refresh: argparse.ArgumentParser) -> None:
    """Add the options of `trecs refresh`."""
    refresh.add_argument("model", metavar="DIR", help="such as saved_models/NAME")
    refresh.add_argument("--events", metavar="PATH", help="newer events; may repeat known ones")
    refresh.add_argument("--items", metavar="PATH", help="the whole catalogue as it is now")
    refresh.add_argument(
        "--at", metavar="TIME", help="leave events from then on out; default: none is"
    )
    refresh.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="remove all versions but the newest N, once the new one is whole; default: all stay",
    )


def run_refresh(options: argparse.Namespace) -> None:
    """Write a new version from newer files."""
    from trecs import api
    from trecs.data.history import parse_moment

    at_s = None if options.at is None else parse_moment(options.at)
    version = api.refresh(options.model, options.events, options.items, at_s, note, options.keep)
    write(str(version))
