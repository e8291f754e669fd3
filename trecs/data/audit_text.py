"""The audit as lines of text for a terminal."""

from __future__ import annotations

import textwrap

from trecs.data.audit import Audit
from trecs.data.audit_tables import audit_rows

_WIDTH = 100


def to_text(audit: Audit) -> str:
    """Lay out an audit: its figures part by part, then the warnings."""
    parts = audit_rows(audit)
    width = max(len(name) for rows in parts.values() for name, _ in rows)
    lines = []
    for title, rows in parts.items():
        lines += [title, *(f"  {name:<{width}}  {value}" for name, value in rows), ""]
    if not audit.warnings:
        return "\n".join([*lines, "no warnings"])
    lines.append("Warnings")
    for number, warning in enumerate(audit.warnings, start=1):
        lines += _wrapped(f"{number}. {warning.finding} {warning.advice}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="     ")
