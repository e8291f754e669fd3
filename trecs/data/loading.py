"""One entrance for data: a known data set by its name, or the user's own files."""

from __future__ import annotations

from pathlib import Path

from trecs.config import Config
from trecs.data.dataset import Dataset, load_dataset
from trecs.data.sources import data_set, fetch


def load_data(
    source: str | Path,
    items: str | Path | None = None,
    config: Config | None = None,
    *,
    users: str | Path | None = None,
) -> tuple[Dataset, list[str]]:
    """Load a known data set by name, or the user's own files.

    Args:
      source: a name that `trecs fetch` knows, fetched if need be, or the path of an event log.
      items: path of the items file, with a path.
      config: its `data` section names columns.
      users: path of the users file, with a name or a path.

    Returns:
      The data set and lines that say what was taken.

    Raises:
      DataError: the files are not usable; FetchError: the data set cannot be had.
      UsageError: neither a path nor a known name.
    """
    settings = (config or Config()).data
    path = Path(source)
    if not path.exists() and items is None and _is_name(str(source)):
        path = fetch(data_set(str(source)).name)
    return load_dataset(
        path,
        items,
        users,
        text_columns=settings.text_columns or None,
        category_columns=settings.category_columns or None,
        user_text_columns=settings.user_text_columns or None,
        user_column=settings.user_column or None,
        item_column=settings.item_column or None,
        timestamp_column=settings.timestamp_column or None,
        rating_column=settings.rating_column or None,
        timestamp_unit=settings.timestamp_unit or None,
    )


def _is_name(source: str) -> bool:
    """Whether a source that is no path can only be meant as a data set's name."""
    return "." not in source and not source.startswith(("/", "~"))
