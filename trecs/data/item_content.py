"""What a column of an items file says: texts, categories, release times, or nothing of use."""

from __future__ import annotations

import ast
import html
import re
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trecs.data.ids import MISSING_WORDS, arrow_column, is_text
from trecs.data.time_units import UNITS, tell_unit
from trecs.data.timestamps import parse_iso
from trecs.errors import Problems

# Singular names such as "brand" may hold a comma inside one value ("Warner Bros., Inc.").
_COMMA_LISTS = ("genre", "genres", "tag", "tags", "categories", "keywords", "topics")

# The type that RecBole's headers give to space-separated values.
_RECBOLE_LIST = ":token_seq"

_TEXT_WORDS = 3
"""Mean number of words from which a column of mostly different strings is text."""
_MOST_CATEGORIES = 1000
_YEARS = (1000, 2999)


def to_texts(values: pd.Series[Any], problems: Problems) -> pa.Array:
    """The values as an Arrow array of strings [items]; lists joined by spaces.

    "" for null and for a word that stands for it.
    """
    try:
        column = _column(values)
        if _is_list(column):
            rows = [[str(v) for v in row or () if v is not None] for row in column.to_pylist()]
            column = pa.chunked_array([[" ".join(row) for row in rows]], type=pa.large_string())
        text = pc.fill_null(column.cast(pa.large_string()), "")
    except pa.ArrowException:
        problems.add(f"the column '{values.name}' is of type {values.dtype}, not text; drop it.")
        return pa.array([""] * len(values), type=pa.large_string())
    text = pc.utf8_trim_whitespace(text)
    absent = pc.is_in(text, value_set=pa.array(MISSING_WORDS, text.type))
    return pc.if_else(absent, "", text).combine_chunks()


def join_texts(columns: Sequence[pa.Array], num_items: int) -> NDArray[np.object_]:
    """The texts of each item joined by ". ", object [num_items]; empty ones are left out."""
    nothing = pa.scalar("", type=pa.large_string())
    full_stop = pa.scalar(". ", type=pa.large_string())
    joined = pa.repeat(nothing, num_items)
    # Arrow's own skipping of nulls is not used: it drops an item whose texts are all null.
    for column in columns:
        both = pc.and_(pc.not_equal(joined, ""), pc.not_equal(column, ""))
        separator = pc.if_else(both, full_stop, nothing)
        joined = pc.binary_join_element_wise(joined, separator, column, nothing)
    return to_objects(joined)


def to_objects(strings: pa.Array) -> NDArray[np.object_]:
    """An Arrow array of strings as object [items] of str."""
    objects: NDArray[np.object_] = strings.to_numpy(zero_copy_only=False)
    return objects


def to_categories(
    values: pd.Series[Any], problems: Problems, separator: str | None = None
) -> tuple[tuple[tuple[str, ...], ...], str]:
    """The values of each item, a tuple of strings an item, and the separator, "" if there is none.

    Lists are taken as they are. Strings are split on | where the column holds one, else on ;, else,
    in columns such as "genres" and "tags", on commas. There, | or ; in a few cells only, a tenth of
    those with commas, is part of a value. A separator that is given is taken as it is. A list that
    was written as text, "['Drama', 'Comedy']", is read as one.
    """
    column = _column(values)
    if pa.types.is_boolean(column.type):
        # As in CSV.
        values = values.map({True: "True", False: "False"})
    if _is_list(column):
        found = [[str(v).strip() for v in row or () if v is not None] for row in column.to_pylist()]
        return tuple(tuple(v for v in row if v not in MISSING_WORDS) for row in found), ""
    cells = [_list_or_text(text) for text in to_texts(values, problems).to_pylist()]
    strings = [cell for cell in cells if isinstance(cell, str)]
    # A gap in a column of whole numbers makes pandas write 1.0 for 1.
    ending = ".0" if all(re.fullmatch(r"-?\d+\.0|", cell) for cell in strings) else ""
    if separator is None:
        separator = _separator(pa.array(strings, pa.large_string()), str(values.name))
    return tuple(
        _split(cell.removesuffix(ending), separator) if isinstance(cell, str) else cell
        for cell in cells
    ), separator


def to_release_s(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Release times, float64 [items] UTC epoch seconds, NaN where unknown or unreadable.

    A year is its 1 January. Unlike an event, an item may be of before 1970 or of the future.
    """
    column = _column(values)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        return np.asarray(column.cast(pa.float64()).to_numpy())
    text = to_texts(values, Problems())
    numbers = pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
    years = (numbers >= _YEARS[0]) & (numbers <= _YEARS[1])
    january = np.where(years, numbers, 1970).astype(np.int64) - 1970
    release_s = january.astype("datetime64[Y]").astype("datetime64[s]").astype(np.float64)
    epochs = np.isfinite(numbers) & ~years
    if epochs.any():
        unit = tell_unit(numbers, epochs, str(values.name), int(time.time()), Problems())
        release_s[epochs] = np.floor(numbers[epochs] / UNITS[unit]) if unit else np.nan
    dates = np.isnan(numbers)
    date_s, parsed = parse_iso(text, dates)
    release_s[dates] = np.where(parsed, date_s, np.nan)[dates]
    return release_s


def guess(values: pd.Series[Any]) -> str:
    """Whether a column of unknown name is "text", "category" or "" (neither), by its content.

    Text: mostly different strings of three words or more. Category: lists, or strings of which at
    least half are repeats.
    """
    column = _column(values)
    if _is_list(column):
        kind = column.type.value_type
        named = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        return "category" if named or pa.types.is_integer(kind) else ""
    if not is_text(column):
        return ""
    filled = column.filter(pc.invert(pc.is_in(column, pa.array([*MISSING_WORDS, None]))))
    numeric = pc.sum(pc.match_substring_regex(filled, r"^[-+.\d]+$")).as_py() or 0
    if len(filled) == 0 or numeric > len(filled) / 2:
        return ""
    distinct = pc.count_distinct(filled).as_py()
    words = pc.mean(pc.count_substring_regex(filled, r"\S+")).as_py()
    if words >= _TEXT_WORDS and distinct > len(filled) / 2:
        return "text"
    return "category" if distinct <= min(_MOST_CATEGORIES, len(filled) / 2) else ""


def _column(values: pd.Series[Any]) -> pa.ChunkedArray:
    """The column in Arrow; values of several types become their text."""
    try:
        return arrow_column(values)
    except pa.ArrowException:
        texts = [None if value is None or value is pd.NA else str(value) for value in values]
        return pa.chunked_array([texts], type=pa.large_string())


def _is_list(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_list(column.type) or pa.types.is_large_list(column.type))


def _separator(strings: pa.Array, name: str) -> str:
    if name.endswith(_RECBOLE_LIST):
        return " "
    candidates = "|;," if name.lower() in _COMMA_LISTS else "|;"
    cells = {s: pc.sum(pc.match_substring(strings, s)).as_py() or 0 for s in candidates}
    least = max(1, cells.get(",", 0) / 10)
    return next((separator for separator in candidates if cells[separator] >= least), "")


def _list_or_text(text: str) -> tuple[str, ...] | str:
    """The values of a cell such as "['Drama', 'Comedy']" or "[Drama, Comedy]"; else the cell."""
    if not (text.startswith("[") and text.endswith("]")):
        # "R&amp;B" holds no separator.
        return html.unescape(text)
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _split(html.unescape(text[1:-1]), ",")
    if not isinstance(values, list):
        return html.unescape(text)
    named = [html.unescape(str(value)).strip() for value in values if value is not None]
    return tuple(value for value in named if value not in MISSING_WORDS)


def _split(text: str, separator: str) -> tuple[str, ...]:
    parts = text.split(separator) if separator else [text]
    stripped = [part.strip(" '\"") for part in parts]
    return tuple(part for part in stripped if part not in MISSING_WORDS)
