"""trecs' own Parquet form of a log, a catalogue and users: what is written is read back exactly."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from trecs.columns import ITEM_ID, TIMESTAMP, USER_ID
from trecs.data.catalogue import Catalogue, CatalogueColumns
from trecs.data.log import EventLog, events_frame, read_log_of
from trecs.data.users import UserTexts
from trecs.errors import DataError

_FORM = {b"trecs": b"items 1"}
_COLUMNS = b"columns"
_CATEGORY = "category:"


def write_log(log: EventLog, path: str | Path) -> None:
    """Writes the events as Parquet: user_id, item_id, timestamp (int64 s) and rating if any.

    `open_log` reads them back exactly, in this order. Ids without an event are not kept.
    """
    events_frame(log).to_parquet(path, index=False)


def open_log(path: str | Path) -> EventLog:
    """Reads what `write_log` wrote.

    Raises:
        DataError: if the file is missing or is something else.
    """
    columns = {role: role for role in (USER_ID, ITEM_ID, TIMESTAMP)}
    return read_log_of(path, columns, "s", stored=True)[0]


def write_items(catalogue: Catalogue, listed: NDArray[np.bool_], path: str | Path) -> None:
    """Writes a catalogue and which of its items the user's items file lists, as Parquet.

    Args:
        catalogue: C items.
        listed: bool [C].
        path: of the file, which is replaced.
    """
    strings = pa.large_string()
    columns = {
        ITEM_ID: pa.array(catalogue.item_ids, strings),
        "title": pa.array(catalogue.titles, strings),
        "text": pa.array(catalogue.texts, strings),
        "listed": pa.array(listed),
    }
    if catalogue.release_time_s is not None:
        columns["release_time_s"] = pa.array(catalogue.release_time_s)
    for name, values in catalogue.categories.items():
        columns[_CATEGORY + name] = pa.array(values, pa.list_(pa.string()))
    read = {} if catalogue.columns is None else {_COLUMNS: json.dumps(asdict(catalogue.columns))}
    pa.parquet.write_table(pa.table(columns).replace_schema_metadata(_FORM | read), path)


def is_items_form(path: str | Path) -> bool:
    """Whether `write_items` wrote this Parquet file."""
    try:
        metadata = pa.parquet.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return all(metadata.get(key) == value for key, value in _FORM.items())


def open_items(path: str | Path) -> tuple[Catalogue, NDArray[np.bool_]]:
    """Reads what `write_items` wrote.

    Raises:
        DataError: if the file is something else.
    """
    if not is_items_form(path):
        raise DataError(f"{path} was not written by write_items; read it with read_catalogue")
    table = pa.parquet.read_table(path)
    objects = {name: table[name].to_numpy().astype(object) for name in (ITEM_ID, "title", "text")}
    categories = {
        name.removeprefix(_CATEGORY): tuple(map(tuple, table[name].to_pylist()))
        for name in table.column_names
        if name.startswith(_CATEGORY)
    }
    has_release = "release_time_s" in table.column_names
    read = json.loads((table.schema.metadata or {}).get(_COLUMNS, b"null"))
    catalogue = Catalogue(
        item_ids=objects[ITEM_ID],
        titles=objects["title"],
        texts=objects["text"],
        categories=categories,
        release_time_s=table["release_time_s"].to_numpy() if has_release else None,
        columns=None
        if read is None
        else CatalogueColumns(tuple(read["texts"]), read["separators"]),
    )
    return catalogue, table["listed"].to_numpy()


def open_listed_items(path: str | Path) -> Catalogue:
    """The items of a file that `write_items` wrote which the user's items file listed."""
    catalogue, listed = open_items(path)
    return catalogue.take(np.flatnonzero(listed))


def write_users(users: UserTexts, path: str | Path) -> None:
    """Writes users' texts as Parquet: user_id and text."""
    columns = {USER_ID: users.user_ids, "text": users.texts}
    strings = {name: pa.array(values, pa.large_string()) for name, values in columns.items()}
    pa.parquet.write_table(pa.table(strings), path)


def open_users(path: str | Path) -> UserTexts:
    """Reads what `write_users` wrote."""
    table = pa.parquet.read_table(path)
    return UserTexts(*(table[name].to_numpy().astype(object) for name in (USER_ID, "text")))
