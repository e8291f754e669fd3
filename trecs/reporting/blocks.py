"""What a page is made of. One list of blocks becomes HTML and Markdown, so that both say the same.

Texts are plain; the writers escape them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Heading:
    """A heading; `level` 2 is a part of the page, 3 a part of that."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A numbered list; each item has a first sentence that stands out, and the rest."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells, all as long as the header.

    Attributes:
        caption: what the table shows, in a sentence.
        header: names of the columns; the first column names the rows.
        rows: the cells as text.
        numeric: whether all columns but the first are figures, which are aligned to the right.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = True


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: stem of its file where it is one, such as "gaps".
        svg: the picture as an SVG document.
        alt: what it shows, for those who do not see it.
        caption: what it is, in a sentence.
    """

    name: str
    svg: str
    alt: str
    caption: str


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Figure
