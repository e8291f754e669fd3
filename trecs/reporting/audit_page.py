"""The audit as a page: warnings first, then the figures of each part, with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trecs.data.audit import Audit
from trecs.data.audit_change import TOP
from trecs.data.audit_tables import audit_rows
from trecs.data.durations import duration
from trecs.reporting.blocks import Block, Bullets, Figure, Heading, Paragraph, Table
from trecs.reporting.figures import Curve, bars, lines
from trecs.reporting.html import to_html

_GAP_LABELS = ("0 s", "< 1 min", "< 1 h", "< 1 day", "< 1 week", "< 30 days", "longer")
_LENGTH_LABELS = ("1", "2", "3-5", "6-10", "11-20", "21-50", "51-100", "more")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def audit_blocks(audit: Audit, level: int = 2, prefix: str = "") -> list[Block]:
    """The blocks of an audit.

    Args:
        audit: the figures.
        level: of its headings, 2 on a page of its own, 3 as a part of another.
        prefix: of the names of its figures.

    Raises:
        UsageError: matplotlib is not installed.
    """
    blocks: list[Block] = [Heading("Warnings", level)]
    if audit.warnings:
        blocks.append(Bullets(tuple((w.finding, w.advice) for w in audit.warnings)))
    else:
        blocks.append(Paragraph("None."))
    pictures = _pictures(audit)
    for title, rows in audit_rows(audit).items():
        blocks.append(Heading(title, level))
        caption = f"{title}: the figures of the audit."
        blocks.append(Table(caption, ("figure", "value"), tuple(rows), numeric=False))
        blocks += [
            replace(picture, name=prefix + picture.name) for picture in pictures.get(title, [])
        ]
    return blocks


def audit_html(audit: Audit, source: str) -> str:
    """The audit of `source`, a name or path, as a self-contained HTML document.

    Raises:
        UsageError: matplotlib is not installed.
    """
    return to_html(f"Audit of {source}", audit_blocks(audit))


def _pictures(audit: Audit) -> dict[str, list[Figure]]:
    """The figures by the title of their part."""
    size, times = audit.size, audit.times
    hours = [f"{hour:02}" for hour in range(24)]
    events = "share of events"
    lengths = bars(
        "sequence_lengths",
        "Users by number of events.",
        _LENGTH_LABELS,
        size.length_shares,
        "share of users",
    )
    gap_caption = "Time from an event to the same user's next one."
    pictures = {
        "Size": [lengths, _newcomers(audit)],
        "Time": [
            bars("gaps", gap_caption, _GAP_LABELS, times.gap_shares, "share of gaps"),
            bars("hours", "Events by hour of the day, UTC.", hours, times.hour_shares, events),
            bars("weekdays", "Events by weekday, UTC.", _WEEKDAYS, times.weekday_shares, events),
        ],
    }
    if audit.drift.mean_overlap is not None:
        pictures["Drift"] = [_drift(audit)]
    return pictures


def _newcomers(audit: Audit) -> Figure:
    found = audit.newcomers
    x = _dates(found.start_s)
    return lines(
        "newcomers",
        "Share of events on items, and by users, without an event before the bin of time "
        f"({duration(found.width_s)} each).",
        {
            "new items": Curve(x, _gaps(found.new_item_share)),
            "new users": Curve(x, _gaps(found.new_user_share)),
        },
        "time (UTC)",
        "share of events",
    )


def _drift(audit: Audit) -> Figure:
    drift = audit.drift
    return lines(
        "drift",
        f"Overlap of the top {TOP} items of each {drift.period_name} with the one before.",
        {"overlap": Curve(_dates(drift.start_s), _gaps(drift.overlap))},
        "time (UTC)",
        f"overlap of the top {TOP}",
    )


def _dates(epoch_s: Sequence[int]) -> Sequence[object]:
    return list(np.asarray(epoch_s, dtype="datetime64[s]"))


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]
