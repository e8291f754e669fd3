"""A data set: an event log and a catalogue with one code space of items, and users' texts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.columns import NO_COLUMN
from trecs.data.catalogue import Catalogue, read_catalogue
from trecs.data.log import EventLog, read_log
from trecs.data.rows import count, first_of
from trecs.data.store import (
    is_items_form,
    open_items,
    open_listed_items,
    open_log,
    open_users,
    write_items,
    write_log,
    write_users,
)
from trecs.data.tables import column_names
from trecs.data.users import UserTexts, match_users, read_users
from trecs.errors import DataError, Problems, UsageError

EVENTS_FILE = "events.parquet"
ITEMS_FILE = "items.parquet"
USERS_FILE = "users.parquet"

# With fewer events in the items file than out of it, the two files rarely mean the same ids.
_MOST_UNLISTED = 0.5


@dataclass(frozen=True, eq=False)
class Dataset:
    """A log and a catalogue over the same N items, in the same order.

    Items of the log come first, in order of their first event; items that only the items file has
    follow in the file's order. `log.item_ids is catalogue.item_ids`.

    Attributes:
        log: the events.
        catalogue: one row for each of the N items.
        listed: bool [N], whether the item has a row in the items file.
        users: profile texts; None without a users file.
    """

    log: EventLog
    catalogue: Catalogue
    listed: NDArray[np.bool_]
    users: UserTexts | None = None

    @property
    def num_items(self) -> int:
        """The number of items, N."""
        return len(self.listed)


def load_dataset(
    path: str | Path,
    items: str | Path | None = None,
    users: str | Path | None = None,
    *,
    text_columns: Sequence[str] | None = None,
    category_columns: Sequence[str] | None = None,
    user_text_columns: Sequence[str] | None = None,
    **log_columns: str | None,
) -> tuple[Dataset, list[str]]:
    """Reads, validates and aligns a log and, where there are these, its items and users files.

    Args:
        path: the events, or a directory with events.parquet and perhaps items.parquet.
        items: the items file; without it, no item has text or categories and none is listed.
        users: the users file; without it, no user has a profile text.
        text_columns: of the items file, as for `read_catalogue`.
        category_columns: likewise.
        user_text_columns: of the users file, as for `read_users`.
        **log_columns: user_column, item_column, timestamp_column, rating_column, timestamp_unit, as
            for `read_log`. The item column may be of the log, of the items file or of both, and
            the user column likewise of the users file.

    Returns:
        The data set, and lines for the user: what was taken, dropped and not found.

    Raises:
        DataError: with all problems of the files; also if the log is too small to learn from, most
            of its events are of items without a row in the items file, or none of its users has a
            row in the users file.
    """
    path, items = _paths(Path(path), items)
    problems, errors = Problems(), list[str]()
    user_column = log_columns.get("user_column")
    found, user_lines = _read_users(users, user_column, user_text_columns, errors)
    if items is not None and _is_saved(path, items) and not errors:
        dataset = open_dataset(path.parent)
        lines = [dataset.log.summary()]
        if log_columns.get("rating_column") == NO_COLUMN:
            dataset = replace(dataset, log=replace(dataset.log, rating=None))
        ignored = [name for name, column in log_columns.items() if column and column != NO_COLUMN]
        ignored += ["text_columns"] * bool(text_columns)
        ignored += ["category_columns"] * bool(category_columns)
        if ignored:
            lines.append(f"of no effect on trecs' own form of data: {', '.join(ignored)}")
    else:
        item_settings = {"text_columns": text_columns, "category_columns": category_columns}
        log, catalogue, lines = _read_both(
            path,
            items,
            None if users is None else Path(users),
            log_columns,
            item_settings,
            errors,
        )
        dataset = align(log, catalogue)
        _check_size(log, problems)
        if catalogue is not None:
            lines += _check_match(dataset, catalogue, problems)
    if found is not None:
        dataset = replace(dataset, users=found)
        lines += user_lines + match_users(dataset.log, found, problems)
    problems.raise_if_any(DataError, f"{path} cannot be learnt from")
    return dataset, lines


def align(log: EventLog, catalogue: Catalogue | None) -> Dataset:
    """Gives a log and a catalogue one code space: the log's items, then the catalogue's others.

    Args:
        log: I items, each with an event, in order of their first one.
        catalogue: C items in any order; None is a catalogue without an item.
    """
    if catalogue is None:
        nothing = np.array([], dtype=object)
        catalogue = Catalogue(nothing, nothing, nothing, {}, None)
    row = pd.Index(catalogue.item_ids).get_indexer(pd.Index(log.item_ids))
    others = np.setdiff1d(np.arange(catalogue.num_items), row)
    row = np.concatenate([row, others])
    listed = row >= 0
    item_ids = np.concatenate([log.item_ids, catalogue.item_ids[others]])
    aligned = replace(catalogue.take(row), item_ids=item_ids)
    return Dataset(log=replace(log, item_ids=item_ids), catalogue=aligned, listed=listed)


def save_dataset(dataset: Dataset, directory: str | Path) -> None:
    """Writes events.parquet, items.parquet and perhaps users.parquet in place of a former data set.

    All of them or none.

    Raises:
        UsageError: if the directory holds other files, which would be lost.
    """
    directory = Path(directory)
    former = sorted(entry.name for entry in directory.iterdir()) if directory.exists() else []
    strange = [name for name in former if name not in (EVENTS_FILE, ITEMS_FILE, USERS_FILE)]
    if strange:
        raise UsageError(
            f"{directory} holds other files ({first_of(strange)}); give the data set a directory "
            "of its own"
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        write_log(dataset.log, whole / EVENTS_FILE)
        write_items(dataset.catalogue, dataset.listed, whole / ITEMS_FILE)
        if dataset.users is not None:
            write_users(dataset.users, whole / USERS_FILE)
        # A directory cannot replace one that has files, so the former one moves out of the way.
        if former:
            directory.rename(Path(scratch) / "former")
        whole.replace(directory)


def open_dataset(directory: str | Path) -> Dataset:
    """Reads what `save_dataset` wrote, exactly.

    A directory with the two files in another form, such as `trecs fetch` leaves, is read by
    `load_dataset`.

    Raises:
        DataError: if the files are missing or cannot be used.
    """
    directory = Path(directory)
    events, items = _paths(directory, None)
    if items is None or not is_items_form(items):
        return load_dataset(events, items)[0]
    catalogue, listed = open_items(items)
    users = directory / USERS_FILE
    return Dataset(
        log=open_log_of(events, catalogue),
        catalogue=catalogue,
        listed=listed,
        users=open_users(users) if users.is_file() else None,
    )


def open_log_of(events: str | Path, catalogue: Catalogue) -> EventLog:
    """Reads the events that `write_log` wrote, with the codes of a catalogue of all their items.

    Codes are read in the order of first events, which is not that of a log that was cut.

    Raises:
        DataError: if the catalogue lacks an item.
    """
    log = open_log(events)
    code = pd.Index(catalogue.item_ids).get_indexer(pd.Index(log.item_ids))
    if (code < 0).any():
        strange = first_of(list(log.item_ids[code < 0]))
        raise DataError(f"{events} has items that the items beside it lack, such as {strange}")
    return replace(log, item=code[log.item].astype(np.int32), item_ids=catalogue.item_ids)


def _paths(path: Path, items: str | Path | None) -> tuple[Path, Path | None]:
    """The events file and the items file, both found in `path` where it is such a directory."""
    if not (path / EVENTS_FILE).is_file():
        return path, None if items is None else Path(items)
    inside = path / ITEMS_FILE
    return path / EVENTS_FILE, Path(items) if items else inside if inside.is_file() else None


def _is_saved(events: Path, items: Path) -> bool:
    return (
        events == items.parent / EVENTS_FILE and items.name == ITEMS_FILE and is_items_form(items)
    )


def _read_users(
    path: str | Path | None,
    user_column: str | None,
    text_columns: Sequence[str] | None,
    errors: list[str],
) -> tuple[UserTexts | None, list[str]]:
    """The users file, if there is one, and lines for the user; an error joins `errors`."""
    if path is None:
        return None, []
    try:
        column = shared_column(Path(path), user_column)
        return read_users(path, user_column=column, text_columns=text_columns)
    except DataError as error:
        errors.append(str(error))
        return None, []


def _read_both(
    path: Path,
    items: Path | None,
    users: Path | None,
    log_columns: dict[str, str | None],
    item_settings: dict[str, Sequence[str] | None],
    errors: list[str],
) -> tuple[EventLog, Catalogue | None, list[str]]:
    """Reads both files, so that one error tells the problems of both, and `errors`."""
    lines: list[str] = []
    log = catalogue = None
    try:
        others = {"item_column": items, "user_column": users}
        log, lines = read_log(path, **_own_columns(path, log_columns, others))
    except DataError as error:
        errors.append(str(error))
    try:
        if items is not None and is_items_form(items) and not any(item_settings.values()):
            # Read by their names, its columns of titles and of whole texts would be joined.
            catalogue = open_listed_items(items)
            lines.append(f"{count(catalogue.num_items, 'item')} in trecs' own form")
        elif items is not None:
            item_column = shared_column(items, log_columns.get("item_column"))
            catalogue, more = read_catalogue(
                items,
                item_column=item_column,
                text_columns=item_settings["text_columns"],
                category_columns=item_settings["category_columns"],
            )
            lines += more
    except DataError as error:
        errors.append(str(error))
    if log is None or errors:
        raise DataError("\n".join(dict.fromkeys(errors)))
    return log, catalogue, lines


def _own_columns(
    path: Path, columns: dict[str, str | None], others: dict[str, Path | None]
) -> dict[str, str | None]:
    """The log's columns; one named for another file alone is found by its usual names."""
    own = dict(columns)
    for role, other in others.items():
        if other is not None and shared_column(other, columns.get(role)):
            own[role] = shared_column(path, columns[role])
    return own


def shared_column(path: Path, column: str | None) -> str | None:
    """The log's column of ids, if another file has it too."""
    return column if column and column in column_names(path) else None


def _check_size(log: EventLog, problems: Problems) -> None:
    """A log of one user, item or second has nothing to tell apart."""
    numbers = {
        "user": log.num_users,
        "item": log.num_items,
        "different time": len(np.unique(log.timestamp_s)),
    }
    verb = "has" if log.num_events == 1 else "have"
    for noun, number in numbers.items():
        if number < 2:
            problems.add(
                f"its {count(log.num_events, 'event')} {verb} {count(number, noun)}, but 2 at "
                "least are needed; use a longer log, or check which columns were taken."
            )


def _check_match(dataset: Dataset, catalogue: Catalogue, problems: Problems) -> list[str]:
    """Lines on items without a row in the items file; a problem if most events are of such."""
    log, unlisted = dataset.log, ~dataset.listed
    if not unlisted.any():
        return []
    share = float(unlisted[log.item].mean())
    without = first_of(list(log.item_ids[unlisted]))
    if share > _MOST_UNLISTED:
        problems.add(
            f"{share:.1%} of the events are of items without a row in the items file: {without}, "
            f"while the items file has {first_of(list(catalogue.item_ids))}; "
            "name the item column of both files (--item-column), or give the right items file."
        )
    return [
        f"warning: {count(int(unlisted.sum()), 'item')} ({share:.1%} of the events) without a row "
        f"in the items file: {without}"
    ]
