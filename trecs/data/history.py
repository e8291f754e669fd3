"""One user's events from a file, and a moment from the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trecs.columns import ITEM_ID, TIMESTAMP, find_history_columns
from trecs.data.ids import to_ids
from trecs.data.tables import column_names, read_table
from trecs.data.timestamps import to_epoch_s
from trecs.errors import DataError, Problems, UsageError

_CENTURY_S = 36_525 * 86_400


def read_history(path: str | Path) -> pd.DataFrame:
    """Read one user's events from a file of any format that `trecs.data.tables` reads.

    Args:
      path: has an item and a time column under one of their usual names; more is ignored.

    Returns:
      Columns `item_id` (str) and `timestamp` (int64, UTC epoch seconds), in the file's order.

    Raises:
      DataError: with all problems of the file.
    """
    names = find_history_columns(column_names(path))
    frame = read_table(path, [names[ITEM_ID], names[TIMESTAMP]])
    problems = Problems()
    item_ids = to_ids(frame[names[ITEM_ID]], problems)
    problems.raise_if_any(DataError, f"{path} cannot be used as a history")
    return pd.DataFrame(
        {
            ITEM_ID: item_ids.to_pandas(),
            TIMESTAMP: to_epoch_s(frame[names[TIMESTAMP]]) if len(frame) else [],
        }
    )


def parse_moment(text: str) -> int:
    """UTC epoch seconds of an ISO 8601 time (UTC where it has no zone), or of epoch seconds.

    Raises:
      UsageError: it is neither.

    Example:
      >>> parse_moment("1998-04-01T12:00:00Z")
      891432000
    """
    try:
        unit = "s" if text.strip().isdigit() else None
        later = int(pd.Timestamp.now("UTC").timestamp()) + _CENTURY_S
        return int(to_epoch_s(pd.Series([text]), unit, now_s=later)[0])
    except DataError as error:
        raise UsageError(
            f"a time must be ISO 8601, such as 1998-04-01T12:00:00Z, or epoch seconds, got {text!r}"
        ) from error
