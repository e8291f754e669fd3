"""Delimited text (CSV, TSV and kin) in UTF-8, every cell a string, so that "007" stays "007"."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv

from trecs.data.files import open_bytes
from trecs.data.rows import ROWS_NOTE, first_of
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

    Raises:
        DataError: if rows have another number of cells than the header, or text is not UTF-8.
    """
    delimiter, names = _header(path)
    with open_bytes(path) as file:
        file.readline()
        if not file.read(1):
            return pa.table({name: pa.array([], pa.string()) for name in columns})
    ragged: list[pa.csv.InvalidRow] = []
    try:
        table = _parse(path, delimiter, names, columns, ragged, threads=True)
        if ragged:
            # Only one thread knows the numbers of the rows.
            ragged.clear()
            _parse(path, delimiter, names, columns, ragged, threads=False)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise DataError(_encoding_problem(path)) from error
        raise DataError(f"{path} cannot be parsed as delimited text: {error}") from error
    if ragged:
        shown = [f"row {row.number - 1} has {row.actual_columns}" for row in ragged[:3]]
        raise DataError(
            f"{len(ragged):,} rows of {path} do not have the {len(names)} cells of its header "
            f"({', '.join(shown)}; {ROWS_NOTE}); quote the cells that hold the delimiter "
            f"{delimiter!r}, and close every quote"
        )
    return table


def _parse(
    path: Path,
    delimiter: str,
    names: Sequence[str],
    columns: Sequence[str],
    ragged: list[pa.csv.InvalidRow],
    *,
    threads: bool,
) -> pa.Table:
    def note(row: pa.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    with open_bytes(path) as file:
        return pa.csv.read_csv(
            file,
            read_options=pa.csv.ReadOptions(
                column_names=names, skip_rows=1, block_size=_BLOCK_BYTES, use_threads=threads
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types={name: pa.string() for name in columns}, include_columns=columns
            ),
        )


def _header(path: Path) -> tuple[str, list[str]]:
    with open_bytes(path) as file:
        line = _first_line(path, file)
    delimiter = _delimiter(path, line)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(
            f"the header of {path} names {first_of(twice)} more than once; rename the others"
        )
    return delimiter, names


def _first_line(path: Path, file: IO[bytes]) -> str:
    raw = file.readline(_LONGEST_HEADER)
    try:
        line = raw.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(_encoding_problem(path)) from error
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


def _encoding_problem(path: Path) -> str:
    """Says where the first byte is that is not UTF-8; the slow look is for a broken file only."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return (
                    f"{path} is not UTF-8: byte 0x{line[error.start]:02x} at place "
                    f"{error.start + 1} of line {number}, after "
                    f"{line[max(0, error.start - 20) : error.start].decode('utf-8', 'replace')!r}; "
                    "convert it, for example with: iconv -f latin1 -t utf-8 (or -f utf-16)"
                )
    return f"{path} is not UTF-8; convert it with iconv -t utf-8"
