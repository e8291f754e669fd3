"""A page as one HTML file that needs nothing else: no script, no network, figures inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from trecs.reporting.blocks import Block, Bullets, Figure, Heading, Paragraph, Table

# The policy makes a browser refuse whatever might slip in from outside.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }}
h1 {{ font-size: 1.8rem; line-height: 1.2; }}
h2 {{ font-size: 1.35rem; margin-top: 2.2rem; border-bottom: 1px solid #bbb; }}
h3 {{ font-size: 1.1rem; margin-top: 1.6rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; font-size: .92rem; }}
caption {{ text-align: left; padding-bottom: .4rem; color: #444; }}
th, td {{ padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #ddd; }}
thead th {{ border-bottom: 2px solid #666; }}
tbody th {{ font-weight: normal; }}
table.numeric td, table.numeric thead th + th {{ text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
figure {{ margin: 1.2rem 0; }}
figure img {{ max-width: 100%; height: auto; }}
figcaption {{ color: #444; font-size: .92rem; }}
li {{ margin-bottom: .5rem; }}
@media print {{
  body {{ max-width: none; padding: 0; font-size: 11pt; }}
  figure, table, li {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
  .wide {{ overflow: visible; }}
  /* Tables with many columns must fit the paper, which does not scroll. */
  table {{ font-size: 7.5pt; }}
  th, td {{ padding-right: .35rem; }}
  thead th {{ overflow-wrap: anywhere; }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""
_FOOT = "</main>\n</body>\n</html>\n"


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """The page as an HTML document; every text is escaped.

    Example:
        >>> "<p>R&amp;D</p>" in to_html("Report", [Paragraph("R&D")])
        True
    """
    parts = [_HEAD.format(title=escape(title)), *(_block(block) for block in blocks), _FOOT]
    return "".join(parts)


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>\n"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>\n"
        case Bullets(items):
            return f"<ol>\n{''.join(_item(*item) for item in items)}</ol>\n"
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)


def _item(first: str, rest: str) -> str:
    return f"<li><strong>{escape(first)}</strong> {escape(rest)}</li>\n"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    kind = ' class="numeric"' if table.numeric else ""
    return (
        f'<div class="wide"><table{kind}>\n<caption>{escape(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n"
        f"{''.join(_row(row) for row in table.rows)}</tbody>\n</table></div>\n"
    )


def _row(row: tuple[str, ...]) -> str:
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
    return f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>\n'


def _figure(figure: Figure) -> str:
    data = base64.b64encode(figure.svg.encode()).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(figure.alt)}">\n'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>\n"
    )
