"""The same page as Markdown, with its figures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trecs.reporting.blocks import Block, Bullets, Figure, Heading, Paragraph, Table

FIGURES = "figures"
"""Folder of the figures, beside the Markdown file."""

# What Markdown, or HTML inside it, would read as its own.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    r"""The page as GitHub-flavoured Markdown; every text is escaped.

    Example:
        >>> to_markdown("Report", [Paragraph("a|b")])
        '# Report\n\na\\|b\n'
    """
    return "\n\n".join([f"# {_text(title)}", *(_block(block) for block in blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_text(text)}"
        case Paragraph(text):
            return _text(text)
        case Bullets(items):
            return "\n".join(
                f"{number}. **{_text(first)}** {_text(rest)}"
                for number, (first, rest) in enumerate(items, start=1)
            )
        case Table():
            return _table(block)
        case Figure(name, _, alt, caption):
            return f"![{_text(alt)}]({FIGURES}/{name}.svg)\n\n{_text(caption)}"


def _table(table: Table) -> str:
    align = "---:" if table.numeric else "---"
    lines = [
        _row(table.header),
        _row_of(["---", *[align] * (len(table.header) - 1)]),
        *(_row(row) for row in table.rows),
    ]
    return f"{_text(table.caption)}\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return _row_of([_text(cell) for cell in cells])


def _row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Plain text on one line, with no sign left that Markdown would read."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
