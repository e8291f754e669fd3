"""The item catalogue: what is known of each item before anybody chose it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.columns import ItemColumns, base_name, match_item_columns
from trecs.data.ids import unique_ids
from trecs.data.item_content import (
    guess,
    join_texts,
    to_categories,
    to_objects,
    to_release_s,
    to_texts,
)
from trecs.data.rows import ROWS_NOTE, count
from trecs.data.tables import named_columns, read_table
from trecs.errors import DataError, Problems


@dataclass(frozen=True)
class CatalogueColumns:
    """How an items file was read, so that the next one is read alike.

    Attributes:
        texts: names of the text columns.
        separators: by the name of a category column, what its cells were split on; "" for nothing.
    """

    texts: tuple[str, ...]
    separators: dict[str, str]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """C items with their texts, categories and release times.

    Attributes:
        item_ids: object [C] of str, each once.
        titles: object [C] of str, for display; "" where unknown.
        texts: object [C] of str, all text columns joined by ". "; "" where there is none.
        categories: by column name, C tuples of values; () where unknown.
        release_time_s: float64 [C], UTC epoch seconds, NaN where unknown; None without the column.
        columns: of the items file; None where there was none.
    """

    item_ids: NDArray[np.object_]
    titles: NDArray[np.object_]
    texts: NDArray[np.object_]
    categories: dict[str, tuple[tuple[str, ...], ...]]
    release_time_s: NDArray[np.float64] | None
    columns: CatalogueColumns | None = None

    @property
    def num_items(self) -> int:
        """The number of items, C."""
        return len(self.item_ids)

    def take(self, row: NDArray[np.int64]) -> Catalogue:
        """The items of these rows, int64 [R]; -1 is one of which nothing is known, its id is ""."""
        release_s = self.release_time_s
        return replace(
            self,
            item_ids=_take(self.item_ids, row, ""),
            titles=_take(self.titles, row, ""),
            texts=_take(self.texts, row, ""),
            categories={
                name: tuple(values[code] if code >= 0 else () for code in row)
                for name, values in self.categories.items()
            },
            release_time_s=None if release_s is None else _take(release_s, row, np.nan),
        )


def _take(values: NDArray[Any], row: NDArray[np.int64], unknown: object) -> NDArray[Any]:
    """`values[row]`, with `unknown` where the row is -1."""
    padded = np.append(values, np.array([unknown], dtype=values.dtype))
    return padded[row]


def read_catalogue(
    path: str | Path,
    *,
    item_column: str | None = None,
    text_columns: Sequence[str] | None = None,
    category_columns: Sequence[str] | None = None,
    separators: Mapping[str, str] | None = None,
) -> tuple[Catalogue, list[str]]:
    """Reads and validates an items file of any format that `read_table` knows.

    Args:
        path: the file.
        item_column: None or "" finds it by its usual names.
        text_columns: None or () takes the columns with usual names for texts, and those of other
            names whose content is text; ("none",) takes none.
        category_columns: likewise for categories.
        separators: by category column, what its cells are split on; found where it is not there.

    Returns:
        The catalogue, and lines for the user: what was taken as what.

    Raises:
        DataError: with all problems of the file.
    """
    return _build(
        read_table(path),
        f"{path} is no usable items file",
        item_column=item_column,
        text_columns=text_columns,
        category_columns=category_columns,
        separators=separators or {},
    )


def catalogue_from_frame(
    frame: pd.DataFrame,
    *,
    item_column: str | None = None,
    text_columns: Sequence[str] | None = None,
    category_columns: Sequence[str] | None = None,
) -> tuple[Catalogue, list[str]]:
    """Like `read_catalogue`, from a frame, which stays as it is; its index does not matter."""
    return _build(
        named_columns(frame),
        "the frame is no usable items table",
        item_column=item_column,
        text_columns=text_columns,
        category_columns=category_columns,
        separators={},
    )


def _build(
    frame: pd.DataFrame,
    heading: str,
    *,
    item_column: str | None,
    text_columns: Sequence[str] | None,
    category_columns: Sequence[str] | None,
    separators: Mapping[str, str],
) -> tuple[Catalogue, list[str]]:
    problems = Problems()
    columns = match_item_columns(
        list(frame.columns),
        problems,
        item_column=item_column,
        text_columns=text_columns,
        category_columns=category_columns,
    )
    if len(frame) == 0:
        problems.add("it has a header but no rows; one row an item is needed.")
        problems.raise_if_any(DataError, heading)
    ids = unique_ids(frame, columns.item, "an item", problems)
    columns = _with_guesses(frame, columns, bool(text_columns), bool(category_columns))
    titles = [columns.title] if columns.title else []
    strings = {
        name: to_texts(frame[name], problems) for name in dict.fromkeys([*columns.texts, *titles])
    }
    categories = {
        name: to_categories(frame[name], problems, separators.get(base_name(name)))
        for name in columns.categories
    }
    for name in categories:
        if name != base_name(name) and base_name(name) in categories:
            problems.add(f"'{name}' and '{base_name(name)}' are one category; rename one of them.")
    problems.raise_if_any(DataError, f"{heading} ({ROWS_NOTE})")
    found = {name: separator for name, (_, separator) in categories.items()}
    catalogue = Catalogue(
        item_ids=to_objects(ids),
        titles=join_texts([strings[name] for name in titles], len(frame)),
        texts=join_texts([strings[name] for name in columns.texts], len(frame)),
        categories={base_name(name): values for name, (values, _) in categories.items()},
        release_time_s=to_release_s(frame[columns.release]) if columns.release else None,
        columns=CatalogueColumns(
            columns.texts, {base_name(name): separator for name, separator in found.items()}
        ),
    )
    return catalogue, _report(catalogue, columns, found)


def _with_guesses(
    frame: pd.DataFrame, columns: ItemColumns, texts_named: bool, categories_named: bool
) -> ItemColumns:
    """Sorts the columns of unknown names by their content, unless the user named the columns."""
    kinds = {name: guess(frame[name]) for name in columns.other}
    texts = [name for name, kind in kinds.items() if kind == "text" and not texts_named]
    categories = [
        name for name, kind in kinds.items() if kind == "category" and not categories_named
    ]
    taken = {*texts, *categories}
    return replace(
        columns,
        title=columns.title or next(iter(texts), None),
        texts=(*columns.texts, *texts),
        categories=(*columns.categories, *categories),
        other=tuple(name for name in columns.other if name not in taken),
    )


def _report(catalogue: Catalogue, columns: ItemColumns, separators: dict[str, str]) -> list[str]:
    categories = [
        f"'{name}'" + (f" (split on {separator!r})" if separator else "")
        for name, separator in separators.items()
    ]
    parts = [
        f"item_id from '{columns.item}'",
        "text from " + ", ".join(f"'{name}'" for name in columns.texts) if columns.texts else "",
        f"titles from '{columns.title}'" if columns.title else "",
        "categories from " + ", ".join(categories) if categories else "",
        f"release time from '{columns.release}'" if columns.release else "",
        "left out " + ", ".join(f"'{name}'" for name in columns.other) if columns.other else "",
    ]
    lines = [
        f"{count(catalogue.num_items, 'item')} in the items file, "
        f"{int((catalogue.texts != '').sum()):,} of them with text",
        f"item columns: {'; '.join(part for part in parts if part)}",
    ]
    release_s = catalogue.release_time_s
    if release_s is not None and (unknown := int(np.isnan(release_s).sum())):
        lines.append(
            f"{count(unknown, 'item')} without a readable release time in '{columns.release}'"
        )
    return lines
