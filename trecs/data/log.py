"""The event log: who chose what and when, sorted by time, with integer codes for the ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from trecs.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID, match_columns
from trecs.data.ids import to_ids
from trecs.data.ratings import read_ratings
from trecs.data.rows import ROWS_NOTE, count
from trecs.data.tables import column_names, named_columns, read_table
from trecs.data.timestamps import Times, iso, read_times
from trecs.errors import DataError, NoEventsError, Problems


@dataclass(frozen=True, eq=False, repr=False)
class EventLog:
    """E events of U users on I items, in time order; events of one second keep their input order.

    Codes count ids in order of their first event, so the codes of a training prefix do not depend
    on what comes later.

    Attributes:
        user: int32 [E], rows of `user_ids`.
        item: int32 [E], rows of `item_ids`.
        timestamp_s: int64 [E], UTC epoch seconds, ascending.
        rating: float32 [E], NaN for an event without one, or None where no event has one.
        user_ids: object [U] of str.
        item_ids: object [I] of str.

    Raises:
        DataError: if the lengths differ or the times do not ascend.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    timestamp_s: NDArray[np.int64]
    rating: NDArray[np.float32] | None
    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]

    def __post_init__(self) -> None:
        """Checks what every reader of a log relies on."""
        lengths = [len(self.user), len(self.item), len(self.timestamp_s)]
        if self.rating is not None:
            lengths.append(len(self.rating))
        if len(set(lengths)) != 1:
            raise DataError(
                f"the columns of an event log must have one length, but have {lengths}; "
                "build logs with log_from_frame or read_log"
            )
        steps = np.diff(self.timestamp_s)
        if (steps < 0).any():
            row = int(np.argmax(steps < 0))
            raise DataError(
                f"the events of a log must ascend in time, but event {row + 1} is "
                f"{-int(steps[row])} s before event {row}; "
                "build logs with log_from_frame or select with an ascending index"
            )

    @property
    def num_events(self) -> int:
        """The number of events, E."""
        return len(self.timestamp_s)

    @property
    def num_users(self) -> int:
        """The number of user ids, U, with or without an event."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """The number of item ids, I, with or without an event."""
        return len(self.item_ids)

    def rated(self, events: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of some events that have a rating, int64 [n], and their ratings, float32 [n].

        Args:
            events: int64 [k] positions.
        """
        if self.rating is None:
            return events[:0], np.zeros(0, np.float32)
        known = events[~np.isnan(self.rating[events])]
        return known, self.rating[known]

    def summary(self) -> str:
        """One line: the counts, and the first and the last time."""
        parts = [count(self.num_events, "event"), count(self.num_users, "user")]
        text = f"{parts[0]} of {parts[1]} and {count(self.num_items, 'item')}"
        if self.num_events == 0:
            return text
        return f"{text}, {iso(int(self.timestamp_s[0]))} to {iso(int(self.timestamp_s[-1]))}"

    def __repr__(self) -> str:
        return f"EventLog({self.summary()})"

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> EventLog:
        """The events of a mask [E], an ascending index or a slice, with the same ids and codes."""
        return EventLog(
            user=self.user[which],
            item=self.item[which],
            timestamp_s=self.timestamp_s[which],
            rating=None if self.rating is None else self.rating[which],
            user_ids=self.user_ids,
            item_ids=self.item_ids,
        )


def read_log(
    path: str | Path,
    *,
    user_column: str | None = None,
    item_column: str | None = None,
    timestamp_column: str | None = None,
    rating_column: str | None = None,
    timestamp_unit: str | None = None,
) -> tuple[EventLog, list[str]]:
    """Reads and validates an event log from a file of any format that `read_table` knows.

    Args:
        path: the file.
        user_column: None or "" finds it by its usual names, as for the other columns.
        item_column: likewise.
        timestamp_column: likewise.
        rating_column: likewise; "none" takes no rating.
        timestamp_unit: s, ms, us or ns of numeric times; None or "" tells it by their size.

    Returns:
        The log, and lines for the user: what was taken, what was dropped and why.

    Raises:
        DataError: with all problems of the file; NoEventsError if it has no rows, and no other.
    """
    columns = _by_role(user_column, item_column, timestamp_column, rating_column)
    return read_log_of(path, columns, timestamp_unit)


def read_log_of(
    path: str | Path,
    overrides: Mapping[str, str | None],
    timestamp_unit: str | None,
    *,
    stored: bool = False,
    until_s: int | None = None,
) -> tuple[EventLog, list[str]]:
    """Like `read_log`, for files of other origin.

    Args:
        path: the file.
        overrides: the columns by role, as for `trecs.columns.find_columns`.
        timestamp_unit: as for `read_log`.
        stored: whether `trecs.data.store.write_log` wrote it: then blanks are part of ids.
        until_s: epoch seconds from which on events do not count, and may be of the future.
    """
    problems = Problems()
    columns = match_columns(column_names(path), overrides, problems)
    frame = read_table(path, list(dict.fromkeys(name for name in columns.values() if name)))
    heading = f"{path} is no usable event log"
    return _build(frame, columns, timestamp_unit, problems, heading, stored=stored, until_s=until_s)


def log_from_frame(
    frame: pd.DataFrame,
    *,
    user_column: str | None = None,
    item_column: str | None = None,
    timestamp_column: str | None = None,
    rating_column: str | None = None,
    timestamp_unit: str | None = None,
) -> tuple[EventLog, list[str]]:
    """Like `read_log`, from a frame, which stays as it is; its index does not matter.

    Example:
        >>> frame = pd.DataFrame({"user_id": ["007"], "item_id": [12], "timestamp": [893286638]})
        >>> log, lines = log_from_frame(frame)
        >>> log.user_ids[0], log.item_ids[0]
        ('007', '12')
    """
    overrides = _by_role(user_column, item_column, timestamp_column, rating_column)
    problems = Problems()
    frame = named_columns(frame)
    columns = match_columns(list(frame.columns), overrides, problems)
    return _build(frame, columns, timestamp_unit, problems, "the frame is no usable event log")


def events_frame(log: EventLog) -> pd.DataFrame:
    """The log as a frame: user_id and item_id strings, timestamp int64 s, rating float32 if any."""
    columns: dict[str, Any] = {
        USER_ID: pd.array(log.user_ids[log.user], dtype="str"),
        ITEM_ID: pd.array(log.item_ids[log.item], dtype="str"),
        TIMESTAMP: log.timestamp_s,
    }
    if log.rating is not None:
        columns[RATING] = log.rating
    return pd.DataFrame(columns)


def _by_role(
    user: str | None, item: str | None, timestamp: str | None, rating: str | None
) -> dict[str, str | None]:
    return {USER_ID: user, ITEM_ID: item, TIMESTAMP: timestamp, RATING: rating}


def _build(
    frame: pd.DataFrame,
    columns: dict[str, str | None],
    unit: str | None,
    problems: Problems,
    heading: str,
    *,
    stored: bool = False,
    until_s: int | None = None,
) -> tuple[EventLog, list[str]]:
    """Converts and checks the columns found, so that all their problems are reported together."""
    if len(frame) == 0:
        kind = DataError if len(problems) else NoEventsError
        problems.add("it has a header but no rows; one row an event is needed.")
        problems.raise_if_any(kind, heading)
    series = {role: frame[name] for role, name in columns.items() if name}
    ids = {
        role: to_ids(series[role], problems, stored=stored)
        for role in (USER_ID, ITEM_ID)
        if role in series
    }
    times = None
    if TIMESTAMP in series:
        times = read_times(series[TIMESTAMP], unit, problems, may_be_late=until_s is not None)
    rating = read_ratings(series[RATING], problems) if RATING in series else None
    if rating is not None and np.isnan(rating).all():
        rating = None
    problems.raise_if_any(DataError, f"{heading} ({ROWS_NOTE})")
    if times is None or len(ids) < 2:
        raise DataError(f"{heading}: user, item and timestamp are needed, but found are {columns}")
    log = _sorted_log(ids[USER_ID], ids[ITEM_ID], times, rating)
    if until_s is not None:
        log = log.select(log.timestamp_s < until_s)
        if log.num_events == 0:
            raise NoEventsError(f"{heading}: it has no events before {iso(until_s)}")
    return log, _report(log, columns, times, len(frame))


def _sorted_log(
    users: pa.Array, items: pa.Array, times: Times, rating: NDArray[np.float32] | None
) -> EventLog:
    """Sorts by time, codes the ids in that order, and keeps the first of duplicate events.

    Its rating is the first that one of them has.
    """
    order = np.argsort(times.epoch_s, kind="stable")
    user, user_ids = _codes(users, order)
    item, item_ids = _codes(items, order)
    timestamp_s = times.epoch_s[order]
    events = pd.DataFrame({"user": user, "item": item, "timestamp_s": timestamp_s}, copy=False)
    kept = ~events.duplicated().to_numpy()
    if rating is not None:
        rating = rating[order]
        if not kept.all() and np.isnan(rating).any():
            same = [events[name] for name in events]
            rating = pd.Series(rating).groupby(same).transform("first").to_numpy(np.float32)
    return EventLog(
        user=user[kept],
        item=item[kept],
        timestamp_s=timestamp_s[kept],
        rating=None if rating is None else rating[kept],
        user_ids=user_ids,
        item_ids=item_ids,
    )


def _codes(
    ids: pa.Array, order: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.object_]]:
    """Codes [E] in order of first appearance along `order`, and the id of each code."""
    encoded = ids.dictionary_encode()
    codes, seen = pd.factorize(encoded.indices.to_numpy()[order])
    names = encoded.dictionary.to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), names[seen]


def _report(
    log: EventLog, columns: dict[str, str | None], times: Times, num_rows: int
) -> list[str]:
    taken = [f"{role} from '{name}'" for role, name in columns.items() if name]
    lines = [
        log.summary(),
        f"columns: {', '.join(taken)}{'' if log.rating is not None else ', no rating'}; "
        f"times: {times.how}",
    ]
    if log.rating is not None and (num_unrated := int(np.isnan(log.rating).sum())):
        lines.append(
            f"{num_unrated:,} of {count(log.num_events, 'event')} without a rating: the rating head"
            " reads them as events, and learns from the others"
        )
    if num_duplicates := num_rows - log.num_events:
        lines.append(
            f"{count(num_duplicates, 'duplicate row')} dropped: "
            "same user, item and second as an earlier row"
        )
    return lines
