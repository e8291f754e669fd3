"""Ids stay strings: "007" is not 7, and a whole number from Parquet or JSON becomes its digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trecs.data.rows import first_rows, share
from trecs.errors import Problems

# What careless exports write for a missing value. No id means any of them; taken as an id, each
# would be one user with the events of many.
MISSING_WORDS = ("", "nan", "NaN", "None", "null", "NULL", "NaT", "<NA>", "N/A", "#N/A", "\\N")

# By the bits of a float: from that power of 2 on, it may be the rounding of another whole number.
_EXACT_FLOAT = {64: 53, 32: 24, 16: 11}


def arrow_column(values: pd.Series[Any]) -> pa.ChunkedArray:
    """The column as an Arrow chunked array, dictionaries and categories decoded.

    Raises:
        pyarrow.ArrowException: if the values are of several types, or of none that Arrow has.
    """
    try:
        array = pa.array(values, from_pandas=True)
    except (OverflowError, UnicodeError) as error:
        # Whole numbers beyond 64 bits, and half characters.
        raise pa.ArrowInvalid(str(error)) from error
    if isinstance(array, pa.Array):
        array = pa.chunked_array([array])
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    # Few of Arrow's functions know views.
    return array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether an Arrow column holds strings."""
    kind = column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def missing(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """The rows, bool [rows], with a null, a NaN, blanks or a word for a missing value."""
    absent = pc.is_null(column, nan_is_null=True)
    if is_text(column):
        words = pa.array(MISSING_WORDS, type=column.type)
        absent = pc.or_(absent, pc.is_in(pc.utf8_trim_whitespace(column), value_set=words))
    return np.asarray(absent.to_numpy(), dtype=bool)


def to_ids(values: pd.Series[Any], problems: Problems, *, stored: bool = False) -> pa.Array:
    """The ids as an Arrow array of strings [rows].

    Whole numbers become their decimal digits, also where a column with gaps made floats of them
    (12.0 is "12"). Blanks around an id are no part of it: columns of fixed width are full of them.

    Args:
        values: strings, whole numbers or categories of these.
        problems: collects missing ids, and values that are no ids.
        stored: whether trecs wrote them: then blanks are part of them.
    """
    name = values.name
    try:
        column = arrow_column(values)
    except pa.ArrowException:
        kinds = sorted({type(value).__name__ for value in values})
        problems.add(
            f"the ids in '{name}' are of several types ({', '.join(kinds)}); "
            "write all of them as strings."
        )
        return pa.array([""] * len(values), type=pa.large_string())
    absent = missing(column)
    if absent.any():
        problems.add(
            f"{share(absent)} ids in '{name}' are missing ({first_rows(absent, column)}); "
            "remove these rows or give them ids."
        )
    text = _as_strings(column, absent, str(name), problems)
    return (text if stored else pc.utf8_trim_whitespace(text)).combine_chunks()


def unique_ids(frame: pd.DataFrame, name: str, noun: str, problems: Problems) -> pa.Array:
    """The ids of a table with one row an id; one that is missing or repeated is a problem.

    Args:
        frame: the table.
        name: of the ids' column; "" where it was not found, which gives no ids.
        noun: what has the ids: "an item" or "a user".
        problems: collects what is wrong.
    """
    if not name:
        return pa.array([], type=pa.large_string())
    ids = to_ids(frame[name], problems)
    absent = missing(pa.chunked_array([ids]))
    repeated = ids.to_pandas().duplicated().to_numpy() & ~absent
    if repeated.any():
        problems.add(
            f"{share(repeated)} rows repeat {noun} id in '{name}' ({first_rows(repeated, ids)}); "
            f"keep one row {noun}."
        )
    return ids


def _as_strings(
    column: pa.ChunkedArray, absent: NDArray[np.bool_], name: str, problems: Problems
) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = column.to_numpy()
        power = _EXACT_FLOAT[kind.bit_width]
        broken = ~absent & ~((np.abs(numbers) < 2.0**power) & (numbers == np.floor(numbers)))
        if broken.any():
            problems.add(
                f"{share(broken)} ids in '{name}' are not whole numbers below 2^{power} "
                f"({first_rows(broken, numbers)}); floating-point ids lose digits, "
                "write them as strings or whole numbers."
            )
        whole = np.where(absent | broken, 0, numbers).astype(np.int64)
        return pa.chunked_array([whole]).cast(pa.large_string())
    if is_text(column):
        text = column.cast(pa.large_string())
        broken = np.asarray(pc.fill_null(pc.match_substring(text, "\n"), False).to_numpy())
        if broken.any():
            problems.add(
                f"{share(broken)} ids in '{name}' hold a line break ({first_rows(broken, text)}); "
                "look for an opening quote that is never closed."
            )
        return text
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.large_string())
    problems.add(
        f"the ids in '{name}' are of type {kind}, not strings or whole numbers; "
        "convert the column, or name another one."
    )
    return pa.chunked_array([[""] * len(column)], type=pa.large_string())


def id_places(ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """Place of each id among all in ascending order, int64 [n]: as numbers where all are.

    Example:
        >>> id_places(np.array(["10", "9", "100"], object))
        array([1, 0, 2])
    """
    names = ids.tolist()
    numeric = all(name.isdecimal() for name in names)
    order = sorted(range(len(names)), key=lambda k: int(names[k]) if numeric else names[k])
    places = np.empty(len(names), np.int64)
    places[order] = np.arange(len(names))
    return places
