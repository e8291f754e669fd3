"""A report's folder: report.html, report.md with its figures, report.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trecs.reporting.blocks import Block, Figure
from trecs.reporting.html import to_html
from trecs.reporting.markdown import FIGURES, to_markdown


def write_report(
    directory: Path, title: str, blocks: Sequence[Block], values: dict[str, Any]
) -> list[Path]:
    """Write a page as HTML and Markdown, and its values as JSON.

    Files of an earlier report in the folder are replaced; others stay.

    Args:
        directory: made if it is not there.
        title: of the page.
        blocks: the page.
        values: what it shows, fit for JSON.

    Returns:
        The paths of report.html, report.md and report.json.

    Raises:
        OSError: the folder cannot be written.
    """
    figures = directory / FIGURES
    figures.mkdir(parents=True, exist_ok=True)
    for block in blocks:
        if isinstance(block, Figure):
            (figures / f"{block.name}.svg").write_text(block.svg, encoding="utf-8")
    texts = {
        "report.html": to_html(title, blocks),
        "report.md": to_markdown(title, blocks),
        "report.json": json.dumps(values, indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in texts]
