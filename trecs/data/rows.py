"""How a problem names the rows it was seen in: the count, the first rows, the values received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Values: TypeAlias = NDArray[Any] | pa.ChunkedArray

ROWS_NOTE = "rows are counted from 1, without the header"
_SHOWN = 3
_WIDEST = 40


def count(number: int, noun: str) -> str:
    """The number and its noun, with an s where it is not one: `count(2, "user")` is "2 users"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def share(mask: NDArray[np.bool_]) -> str:
    """How many of the mask's rows are meant: "2 of 1,000"."""
    return f"{int(mask.sum()):,} of {len(mask):,}"


def first_rows(mask: NDArray[np.bool_], values: Values) -> str:
    """The first rows of a mask with their values: "row 3: 'x', row 8: 'y' and 2 more".

    Args:
        mask: bool [rows], at least one of them True.
        values: [rows], a NumPy or an Arrow array.
    """
    rows = np.flatnonzero(mask)
    shown = ", ".join(f"row {row + 1}: {_shown(values[row])}" for row in rows[:_SHOWN])
    return shown + (f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else "")


def first_of(items: Sequence[object], limit: int = _SHOWN) -> str:
    """The first items of a sequence, quoted: "'a', 'b', 'c' and 4 more"."""
    more = f" and {len(items) - limit:,} more" if len(items) > limit else ""
    return ", ".join(repr(item) for item in items[:limit]) + more


def _shown(value: object) -> str:
    value = value.as_py() if isinstance(value, pa.Scalar) else value
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
