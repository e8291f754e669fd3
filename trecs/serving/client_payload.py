"""Users' events as callers have them, laid out as the signatures take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.columns import ITEM_ID, TIMESTAMP
from trecs.data.ids import to_ids
from trecs.data.time_units import FIRST_S, LAST_S
from trecs.errors import Problems, UsageError

Events = pd.DataFrame | Iterable[tuple[str, int]]
"""A user's events: pairs of item id and UTC epoch seconds, or a frame of those two columns."""


def query_inputs(
    user_ids: Sequence[str], histories: Sequence[Events], request_times_s: Sequence[int]
) -> dict[str, NDArray[Any]]:
    """Inputs of `recommend` and `encode_query`, histories padded at the end to the longest.

    Args:
      user_ids: known or not.
      histories: one a user, in any order.
      request_times_s: one a user, UTC epoch seconds.

    Returns:
      `user_id` object [B], `history_item_ids` object [B, L], `history_timestamps` int64 [B, L],
      `request_time` int64 [B].

    Raises:
      UsageError: not as many histories or times as users; events that are no pairs; times that are
        no epoch seconds.

    Example:
      >>> query_inputs(["a", "b"], [[("x", 5)], []], [9, 9])["history_item_ids"].tolist()
      [['x'], ['']]
    """
    if not user_ids or not len(user_ids) == len(histories) == len(request_times_s):
        counts = f"{len(user_ids)} users, {len(histories)} histories, {len(request_times_s)} times"
        raise UsageError(
            f"expected one or more users, with a history and a time each, got {counts}"
        )
    pairs = [event_pairs(events) for events in histories]
    longest = max(len(ids) for ids, _ in pairs)
    item_ids = np.full((len(pairs), longest), "", object)
    stamps = np.zeros((len(pairs), longest), np.int64)
    for row, (ids, times) in enumerate(pairs):
        item_ids[row, : len(ids)], stamps[row, : len(ids)] = ids, times
    return {
        "user_id": np.array([str(user) for user in user_ids], object),
        "history_item_ids": item_ids,
        "history_timestamps": stamps,
        "request_time": np.array(_seconds(request_times_s, "requests"), np.int64),
    }


def filter_inputs(
    exclude: Sequence[str], categories: Sequence[str], num_rows: int
) -> dict[str, NDArray[Any]]:
    """What `recommend_filtered` takes on top, the same for every row; nothing where both are empty.

    Args:
      exclude: item ids.
      categories: names such as "genres=Comedy".
      num_rows: B, how many users ask.

    Returns:
      `excluded_item_ids` object [B, E] and `allowed_categories` object [B, C], or {}.

    Raises:
      UsageError: a single string in the place of a list.
    """
    if isinstance(exclude, str) or isinstance(categories, str):
        raise UsageError(
            f"exclude and categories are lists of strings, got {exclude!r} and {categories!r}"
        )
    if not len(exclude) and not len(categories):
        return {}
    lists = {"excluded_item_ids": exclude, "allowed_categories": categories}
    return {
        name: np.array([[str(value) for value in values]] * num_rows, object).reshape(num_rows, -1)
        for name, values in lists.items()
    }


def event_pairs(events: Events) -> tuple[list[str], list[int]]:
    """Item ids and UTC epoch seconds of a user's events.

    Raises:
      UsageError: they have another form.
    """
    if isinstance(events, pd.DataFrame):
        missing = {ITEM_ID, TIMESTAMP} - set(events.columns)
        if missing:
            raise UsageError(
                f"a history needs the columns {ITEM_ID} and {TIMESTAMP} (UTC epoch seconds),"
                f" got {list(events.columns)}"
            )
        problems = Problems()
        ids = to_ids(events[ITEM_ID], problems).to_pylist() if len(events) else []
        problems.raise_if_any(UsageError, "the history cannot be used")
        return ids, _seconds(events[TIMESTAMP], "a history")
    try:
        pairs = [(str(item), time_s) for item, time_s in events]
        times_s = _seconds([time_s for _, time_s in pairs], "a history")
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"a history is pairs of item id and UTC epoch seconds, or a DataFrame; got {error}"
        ) from error
    return [item for item, _ in pairs], times_s


def _seconds(times: Iterable[Any], what: str) -> list[int]:
    """UTC epoch seconds as int.

    Raises:
      UsageError: a value is no whole number of seconds of 1900 to 2999.
    """
    seconds = []
    for value in times:
        try:
            time_s = int(value)
        except (TypeError, ValueError, OverflowError):
            time_s = LAST_S
        if not FIRST_S <= time_s < LAST_S:
            raise UsageError(
                f"times of {what} are UTC epoch seconds of 1900 to 2999, got {value!r};"
                " `trecs.data.timestamps.to_epoch_s` makes them of datetimes and other units"
            )
        seconds.append(time_s)
    return seconds
