"""One user's events from a file, and a moment from the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trecs.columns import ITEM_ID, RATING, TIMESTAMP, find_history_columns
from trecs.data.ids import to_ids
from trecs.data.ratings import OF_A_HISTORY, read_ratings
from trecs.data.tables import column_names, read_table
from trecs.data.timestamps import to_epoch_s
from trecs.errors import DataError, Problems, UsageError

_CENTURY_S = 36_525 * 86_400
# Epoch seconds since 1973; 20240501 is no moment of 1970.
_FEWEST_DIGITS = 9


def read_history(path: str | Path, *, rated: bool = False) -> pd.DataFrame:
    """Read one user's events from a file of any format that `trecs.data.tables` reads.

    Args:
      path: has an item and a time column under one of their usual names; more is ignored.
      rated: read the ratings too, of a column under one of its usual names, if there is one.

    Returns:
      Columns `item_id` (str) and `timestamp` (int64, UTC epoch seconds), in the file's order, and
      `rating` (float32, NaN where there is none) if they are read.

    Raises:
      DataError: with all problems of the file.
    """
    names = find_history_columns(column_names(path), rated)
    column_of = {role: name for role, name in names.items() if name is not None}
    frame = read_table(path, list(column_of.values()))
    problems = Problems()
    item_ids = to_ids(frame[column_of[ITEM_ID]], problems)
    rating = None
    if RATING in column_of:
        rating = read_ratings(frame[column_of[RATING]], problems, OF_A_HISTORY)
    problems.raise_if_any(DataError, f"{path} cannot be used as a history")
    history = pd.DataFrame(
        {
            ITEM_ID: item_ids.to_pandas(),
            TIMESTAMP: to_epoch_s(frame[column_of[TIMESTAMP]]) if len(frame) else [],
        }
    )
    return history if rating is None else history.assign(rating=rating)


def parse_moment(text: str) -> int:
    """UTC epoch seconds of an ISO 8601 time (UTC where it has no zone), or of epoch seconds.

    Raises:
      UsageError: it is neither.

    Example:
      >>> parse_moment("1998-04-01T12:00:00Z")
      891432000
    """
    digits = text.strip().isdigit()
    try:
        if digits and len(text.strip()) < _FEWEST_DIGITS:
            raise DataError("a year or a date without signs, it seems")
        unit = "s" if digits else None
        later = int(pd.Timestamp.now("UTC").timestamp()) + _CENTURY_S
        return int(to_epoch_s(pd.Series([text]), unit, now_s=later)[0])
    except DataError as error:
        raise UsageError(
            f"a time must be ISO 8601, such as 1998-04-01T12:00:00Z, or epoch seconds, got {text!r}"
        ) from error
