"""What every source is turned into: a table of events and a table of items, in one form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from trecs.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID

EVENTS_FILE = "events.parquet"
ITEMS_FILE = "items.parquet"

_COLUMN_TYPES = {
    USER_ID: pa.string(),
    ITEM_ID: pa.string(),
    TIMESTAMP: pa.int64(),
    RATING: pa.float32(),
    "title": pa.string(),
    "description": pa.string(),
    "release_year": pa.int32(),
}


@dataclass(frozen=True)
class Tables:
    """A data set in trecs' own form.

    Attributes:
        events: user_id, item_id (string), timestamp (int64, UTC epoch seconds) and, where the
            source has one, rating (float32); in the source's order.
        items: item_id, title and what else is known: description (string), release_year (int32,
            null where unknown), and categories, each a list of strings.
    """

    events: pa.Table
    items: pa.Table


def in_form(columns: dict[str, Any]) -> pa.Table:
    """A table whose columns have the types that `Tables` states; unnamed ones are lists of strings.

    Args:
        columns: by name, an Arrow array, a NumPy array or a sequence of the values.
    """
    arrays = {}
    for name, values in columns.items():
        wanted = _COLUMN_TYPES.get(name, pa.list_(pa.string()))
        if isinstance(values, pa.Array | pa.ChunkedArray):
            arrays[name] = values.cast(wanted)
        else:
            arrays[name] = pa.array(values, type=wanted)
    return pa.table(arrays)


def read_delimited(
    file: IO[bytes],
    delimiter: str,
    types: dict[str, Any],
    *,
    names: Sequence[str] | None = None,
    quoted: bool = False,
    encoding: str = "utf8",
) -> pa.Table:
    """Reads the columns of `types` out of a delimited file.

    Args:
        file: an open binary file.
        delimiter: one character.
        types: Arrow type by column name; other columns are left out.
        names: all columns' names, for a file without a header line.
        quoted: whether double quotes enclose values.
        encoding: the file's encoding.
    """
    csv = pyarrow.csv
    return csv.read_csv(
        file,
        read_options=csv.ReadOptions(
            column_names=list(names) if names else None, encoding=encoding, block_size=1 << 24
        ),
        parse_options=csv.ParseOptions(
            delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
        ),
        convert_options=csv.ConvertOptions(
            include_columns=list(types), column_types=types, strings_can_be_null=False
        ),
    )


def title_and_year(text: str) -> tuple[str, int | None]:
    """Parts a film's title from its year.

    Example:
        >>> title_and_year("Land Before Time III: The Time of the Great Giving (1995) (V)")
        ('Land Before Time III: The Time of the Great Giving', 1995)
        >>> title_and_year("unknown")
        ('unknown', None)
    """
    text = text.strip()
    found = re.fullmatch(r"(.*\S)\s*\((\d{4})(?:[-–]\d{0,4})?\)(?:\s*\([A-Z]+\))?", text)
    return (found[1], int(found[2])) if found else (text, None)


def joined(parts: Iterable[str | None], separator: str = ". ") -> str:
    """The parts that have a content, joined."""
    return separator.join(part.strip() for part in parts if part and part.strip())


def write_tables(tables: Tables, folder: Path) -> None:
    """Writes events.parquet and items.parquet into an existing folder."""
    pyarrow.parquet.write_table(tables.events, folder / EVENTS_FILE, compression="zstd")
    pyarrow.parquet.write_table(tables.items, folder / ITEMS_FILE, compression="zstd")
