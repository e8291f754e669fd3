"""Tables from files: CSV, TSV, JSON Lines and Parquet behind one function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from trecs.data.delimited import delimited_names, read_delimited
from trecs.data.files import file_format
from trecs.data.jsonlines import json_names, read_json_lines
from trecs.data.rows import first_of
from trecs.errors import DataError


def column_names(path: str | Path) -> list[str]:
    """The names of a table's columns, from the head of its file.

    Raises:
        DataError: if the file cannot be read as its ending says.
    """
    path = Path(path)
    readers = {"delimited": delimited_names, "json lines": json_names, "parquet": _parquet_names}
    return readers[file_format(path)](path)


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads a table without changing a value: text stays text, so "007" keeps its zeros.

    Args:
        path: .csv, .tsv, .psv, .txt, .dat, .data, .inter, .item (delimited by comma, tab, ; or |,
            with a header line, UTF-8); .jsonl, .ndjson, .json (an object a line); each also with
            .gz; .parquet, .pq.
        columns: the columns to read, in this order; None reads all that have a name.

    Returns:
        A frame whose columns are Arrow-backed: strings in delimited files, the file's own types in
        the others, whole numbers with gaps still whole.

    Raises:
        DataError: if the file or a named column is missing or cannot be read; the message says
            where the first fault is.
    """
    path = Path(path)
    names = column_names(path)
    wanted = [name for name in names if name] if columns is None else list(columns)
    absent = [name for name in wanted if name not in names]
    if absent:
        raise DataError(
            f"{path} has no column {first_of(absent)}; its columns are {first_of(names, 20)}"
        )
    readers = {"delimited": read_delimited, "json lines": read_json_lines, "parquet": _read_parquet}
    table = readers[file_format(path)](path, wanted)
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    return frame


def named_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame under string names, its data shared.

    Raises:
        DataError: if a name stands twice.
    """
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the frame names the column {first_of(twice)} twice; rename the other")
    return frame.set_axis(names, axis=1)


def _parquet_names(path: Path) -> list[str]:
    try:
        names = list(pa.parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(path, error) from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} names the column {first_of(twice)} twice; rename the other")
    return names


def _read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        with pa.parquet.ParquetFile(path) as file:
            return file.read(columns=list(columns)).select(list(columns))
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}); "
        "download or write it again, or give it the ending of its real format"
    )
