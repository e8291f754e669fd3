"""Delimited text (CSV, TSV and kin) in UTF-8, every cell a string, so that "007" stays "007"."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from trecs.data.files import open_bytes
from trecs.data.rows import ROWS_NOTE, count, first_of
from trecs.errors import DataError

_DELIMITERS = (",", "\t", ";", "|")
# Long enough for any row with texts; a row must fit one block.
_BLOCK_BYTES = 1 << 24
_LONGEST_HEADER = 1 << 20


def delimited_names(path: Path) -> list[str]:
    """The column names of the header line; "" for a column without one.

    Raises:
        DataError: if the header is absent, not UTF-8, without a known delimiter or names twice.
    """
    return _header(path)[1]


def read_delimited(path: Path, columns: Sequence[str]) -> pa.Table:
    """The named columns as strings, an empty cell as "".

    Where the header has a blank after each delimiter, those around the cells are left out.

    Raises:
        DataError: if rows have another number of cells than the header, or text is not UTF-8.
    """
    delimiter, names, spaced = _header(path)
    with open_bytes(path) as file:
        file.readline()
        if not file.read(1):
            return pa.table({name: pa.array([], pa.string()) for name in columns})
    try:
        with open_bytes(path) as file:
            table = pa.csv.read_csv(
                file,
                read_options=pa.csv.ReadOptions(
                    column_names=names, skip_rows=1, block_size=_BLOCK_BYTES
                ),
                parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(
                    column_types={name: pa.string() for name in columns}, include_columns=columns
                ),
            )
    except pa.ArrowInvalid as error:
        fault = _encoding_fault(path) or _ragged_fault(path, delimiter, len(names))
        raise DataError(
            fault
            or f"{path} cannot be parsed as delimited text ({str(error).splitlines()[0][:120]}); "
            "look for a quote that is never closed, or write it again"
        ) from error
    if _has_more_lines(path, table.num_rows) and (fault := _quote_fault(path, delimiter, names)):
        raise DataError(fault)
    if spaced:
        trimmed = {name: pc.utf8_trim_whitespace(table[name]) for name in table.column_names}
        return pa.table(trimmed)
    return table


def _header(path: Path) -> tuple[str, list[str], bool]:
    """The delimiter, the names, and whether there is a blank after each delimiter."""
    with open_bytes(path) as file:
        line = _first_line(path, file)
    delimiter = _delimiter(path, line)
    written = next(csv.reader([line], delimiter=delimiter))
    names = [name.strip() for name in written]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(
            f"the header of {path} names {first_of(twice)} more than once; rename the others"
        )
    spaced = len(written) > 1 and all(name.startswith(" ") for name in written[1:])
    return delimiter, names, spaced


def _first_line(path: Path, file: IO[bytes]) -> str:
    raw = file.readline(_LONGEST_HEADER)
    if b"\0" in raw:
        raise DataError(
            f"{path} is no UTF-8 text: its first line, {raw[:20]!r}, holds zero bytes; unpack it, "
            "or convert it, for example with: iconv -f utf-16 -t utf-8"
        )
    try:
        line = raw.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(_encoding_fault(path)) from error
    if "\r" in line:
        raise DataError(
            f"{path} ends its lines by carriage returns alone (its first line is {line[:80]!r}); "
            "convert it with: tr '\\r' '\\n'"
        )
    if not line.strip():
        rest = file.read(1)
        raise DataError(
            f"the first line of {path} is empty, but must be the header; remove it"
            if rest
            else f"{path} is empty (it holds {raw!r}); a header line and rows are needed"
        )
    return line


def _delimiter(path: Path, line: str) -> str:
    """The delimiter that the header holds most often; a tab wins ties, for it is in no name."""
    counts = {delimiter: line.count(delimiter) for delimiter in ("\t", *_DELIMITERS)}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    if line.count("::") > 0 and line.count("::") >= counts[best]:
        raise DataError(
            f"{path} is delimited by '::' (its first line is {line[:80]!r}), but one character of "
            "comma, tab, ; or | is needed; convert it with: sed 's/::/\\t/g' and the ending .tsv, "
            "and put a header line such as user_id<TAB>item_id<TAB>timestamp above it"
        )
    if counts[best] == 0:
        raise DataError(
            f"the first line of {path}, {line[:80]!r}, holds none of the delimiters comma, tab, ; "
            "and |; separate the columns by one of them"
        )
    return best


def _has_more_lines(path: Path, num_rows: int) -> bool:
    """Whether a file with quotes has more lines than its header and rows take."""
    quotes = lines = 0
    last = b"\n"
    with open_bytes(path) as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            quotes += block.count(b'"')
            lines += block.count(b"\n")
            last = block[-1:]
    lines += last != b"\n"
    return quotes > 0 and lines > 1 + num_rows


def _quote_fault(path: Path, delimiter: str, names: Sequence[str]) -> str | None:
    """Says which cell has swallowed rows, for want of a closing quote.

    Cells may hold line breaks. One that opens by a stray quote holds rows: lines of as many
    delimiters as the header, the first after a word without blanks. Of a text all lines may be like
    that, but not in half of the file's cells of as many lines, two or more.
    """
    num_cells = {True: 0, False: 0}
    suspects: dict[bool, list[str]] = {True: [], False: []}
    with open_bytes(path) as file:
        file.readline()
        # A column that is not read may hold anything.
        text = io.TextIOWrapper(cast("io.BytesIO", file), "utf-8", errors="replace", newline="")
        try:
            for number, row in enumerate(filter(None, csv.reader(text, delimiter=delimiter)), 1):
                for place, (name, cell) in enumerate(zip(names, row, strict=False)):
                    lines = cell.splitlines()
                    if len(lines) < 2:
                        continue
                    num_cells[len(lines) > 2] += 1
                    if _holds_rows(lines, place, delimiter, len(names)):
                        suspects[len(lines) > 2].append(f"row {number}, '{name}': {cell[:30]!r}")
        except csv.Error:
            # A cell longer than the module takes.
            num_cells[True] = 1
            suspects[True] = [f"a cell of more than {csv.field_size_limit():,} letters"]
    found = [
        cell
        for kind, cells in suspects.items()
        if 2 * len(cells) >= num_cells[kind]
        for cell in cells
    ]
    if not found:
        return None
    return (
        f"{count(len(found), 'cell')} of {path} seem to hold whole rows ({found[0]}; "
        f"{ROWS_NOTE}), as after a quote that is never closed; write a quote inside a cell as two, "
        "and the cell in quotes, or remove it"
    )


def _holds_rows(lines: Sequence[str], place: int, delimiter: str, num_columns: int) -> bool:
    """Whether the lines of a cell of the column at `place` look like rows, or the ends of two."""
    if len(lines) > 2:
        return all(_is_row(line, delimiter, num_columns - 1) for line in lines[1:-1])
    # The end of one row, and the beginning of the next up to its own stray quote.
    if delimiter == "\t":
        return _is_row(lines[1], delimiter, 1)
    return lines[0].count(delimiter) >= num_columns - 1 - place and _is_row(
        lines[1], delimiter, place
    )


def _is_row(line: str, delimiter: str, least: int) -> bool:
    first = line.split(delimiter, 1)[0].strip()
    return line.count(delimiter) >= least and first != "" and " " not in first


# The two slow looks below are for a broken file only: Arrow says what is wrong, but not where.


def _encoding_fault(path: Path) -> str | None:
    """Says where the first byte is that is not UTF-8."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                before = line[max(0, error.start - 20) : error.start].decode("utf-8", "replace")
                return (
                    f"{path} is not UTF-8: byte 0x{line[error.start]:02x} at place "
                    f"{error.start + 1} of line {number}, after {before!r}; "
                    "convert it, for example with: iconv -f latin1 -t utf-8 (or -f utf-16)"
                )
    return None


def _ragged_fault(path: Path, delimiter: str, num_columns: int) -> str | None:
    """Says which rows have another number of cells than the header."""
    with open_bytes(path) as file:
        file.readline()
        text = io.TextIOWrapper(cast("io.BytesIO", file), encoding="utf-8", newline="")
        filled = (row for row in csv.reader(text, delimiter=delimiter) if row)
        try:
            ragged = [
                f"row {number} has {len(row)}"
                for number, row in enumerate(filled, start=1)
                if len(row) != num_columns
            ]
        except csv.Error:  # a quote that is never closed makes a cell longer than it takes
            return None
    if not ragged:
        return None
    more = f" and {len(ragged) - 3:,} more" if len(ragged) > 3 else ""
    return (
        f"{count(len(ragged), 'row')} of {path} without the {num_columns} cells of its header "
        f"({', '.join(ragged[:3])}{more}; {ROWS_NOTE}); quote the cells that hold the delimiter "
        f"{delimiter!r}, and close every quote"
    )
