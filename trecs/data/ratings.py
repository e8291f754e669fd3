"""Ratings or weights: finite float32 numbers, at most one an event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from trecs.data.ids import arrow_column, is_text, missing
from trecs.data.rows import first_rows, share
from trecs.errors import Problems

OF_A_LOG = "correct them, or take no rating with rating_column (--rating-column) none."
OF_A_HISTORY = "correct them, or leave the column out."


def read_ratings(
    values: pd.Series[Any], problems: Problems, way_out: str = OF_A_LOG
) -> NDArray[np.float32]:
    """The ratings, float32 [rows], NaN where one is missing.

    Args:
        values: numbers or their text.
        problems: collects ratings that are no numbers or infinite.
        way_out: what the user can do about a problem.
    """
    try:
        column = arrow_column(values)
        if is_text(column):
            numbers = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
        else:
            numbers = column.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException:
        problems.add(f"the ratings in '{values.name}' are of type {values.dtype}; {way_out}")
        return np.zeros(len(values), np.float32)
    absent = missing(column)
    with np.errstate(over="ignore"):
        rating: NDArray[np.float32] = numbers.astype(np.float32)
    faults = {
        "are not numbers": ~absent & np.isnan(rating),
        "are infinite": np.isinf(rating),
    }
    for what, mask in faults.items():
        if mask.any():
            problems.add(
                f"{share(mask)} ratings in '{values.name}' {what} "
                f"({first_rows(mask, column)}); {way_out}"
            )
    return rating
