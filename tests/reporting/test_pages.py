"""HTML and Markdown of a page: everything is escaped, nothing is fetched, both say the same."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from trecs.errors import UsageError
from trecs.reporting.blocks import Bullets, Figure, Heading, Paragraph, Table
from trecs.reporting.figures import Curve, bars, lines
from trecs.reporting.html import to_html
from trecs.reporting.markdown import to_markdown

EVIL = "<script>alert(1)</script> & \"x\" 'y' | [a](b) `c` *d*"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def page(text):
    return [
        Heading(text),
        Paragraph(text),
        Bullets(((text, text),)),
        Table(text, (text, text), ((text, text),)),
        Figure("name", SVG, text, text),
    ]


class Reader(HTMLParser):
    """Collects the tags, the attributes and the text of a document."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(document):
    reader = Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


def test_hostile_text_stays_text_in_html():
    reader = read(to_html(EVIL, page(EVIL)))
    assert "script" not in reader.tags
    # Title twice, heading, paragraph, two of the bullet, caption, four cells, figure caption.
    assert sum(text.strip() == EVIL for text in reader.text) == 12
    assert ("alt", EVIL) in reader.attributes


def test_html_needs_nothing_from_outside():
    reader = read(to_html("t", page("text")))
    links = [value for name, value in reader.attributes if name in ("src", "href", "srcset")]
    assert [link.split(",")[0] for link in links] == ["data:image/svg+xml;base64"]
    assert base64.b64decode(links[0].split(",")[1]).decode() == SVG
    policy = next(
        value for name, value in reader.attributes if name == "content" and "src" in value
    )
    assert policy.startswith("default-src 'none'")


def test_html_tables_name_their_rows_and_columns():
    reader = read(to_html("t", [Table("c", ("run", "ndcg"), (("a", "0.1"), ("b", "0.2")))]))
    assert [value for name, value in reader.attributes if name == "scope"] == [
        *("col", "col", "row", "row")
    ]
    assert ("class", "numeric") in reader.attributes
    assert ("lang", "en") in reader.attributes


def test_hostile_text_stays_text_in_markdown():
    text = to_markdown("t", [Paragraph(EVIL)]).split("\n\n")[1].strip()
    assert re.findall(r"(?<!\\)[<>|*`\[\]&]", text) == []
    assert re.sub(r"\\(.)", r"\1", text) == EVIL


def test_a_line_break_cannot_leave_its_markdown_cell():
    text = to_markdown("t", [Table("c", ("run", "x"), (("a\n\n# b", "1"),))])
    assert "| a \\# b | 1 |" in text


def test_markdown_has_the_blocks_in_order():
    assert to_markdown("Title", page("word")) == (
        "# Title\n\n## word\n\nword\n\n1. **word** word\n\n"
        "word\n\n| word | word |\n| --- | ---: |\n| word | word |\n\n"
        "![word](figures/name.svg)\n\nword\n"
    )


def test_a_bar_chart_tells_its_values_in_words():
    figure = bars("b", "caption", ["one", "two"], [0.25, 0.75], "share")
    assert figure.alt == "Bar chart, share. one: 0.25, two: 0.75."
    assert ElementTree.fromstring(figure.svg).tag.endswith("svg")


def test_a_line_chart_tells_its_range_and_leaves_gaps_out():
    curve = Curve([1, 2, 3], [0.5, np.nan, 0.1], [0.4, np.nan, 0.0], [0.6, np.nan, 0.2])
    figure = lines("l", "caption", {"model": curve}, "day", "ndcg@10")
    assert figure.alt == (
        "Line chart, ndcg@10 by day. model: 2 points from 0.5 at 1 to 0.1 at 3, "
        "between 0.1 and 0.5."
    )


def test_equal_values_give_equal_files():
    first, second = (bars("b", "c", ["a"], [1.0], "y").svg for _ in range(2))
    assert first == second


def test_without_matplotlib_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(UsageError, match=re.escape("pip install -e '.[report]' in the clone")):
        bars("b", "c", ["a"], [1.0], "y")
