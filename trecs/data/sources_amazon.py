"""Amazon Reviews 2023 (McAuley Lab): one category's reviews and items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from trecs.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from trecs.data.sources_tables import Tables, in_form

# As the publisher names them in the files' addresses.
CATEGORIES = (
    "All_Beauty", "Amazon_Fashion", "Appliances", "Arts_Crafts_and_Sewing", "Automotive",
    "Baby_Products", "Beauty_and_Personal_Care", "Books", "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry", "Digital_Music", "Electronics",
    "Gift_Cards", "Grocery_and_Gourmet_Food", "Handmade_Products", "Health_and_Household",
    "Health_and_Personal_Care", "Home_and_Kitchen", "Industrial_and_Scientific", "Kindle_Store",
    "Magazine_Subscriptions", "Movies_and_TV", "Musical_Instruments", "Office_Products",
    "Patio_Lawn_and_Garden", "Pet_Supplies", "Software", "Sports_and_Outdoors",
    "Subscription_Boxes", "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)  # fmt: skip
_MS_PER_S = 1000
# A line of the item files can be long; pyarrow needs each within one block.
_BLOCK = 1 << 26
_REVIEW = {
    "user_id": pa.string(),
    "parent_asin": pa.string(),
    "timestamp": pa.int64(),
    "rating": pa.float32(),
}
_ITEM = {
    "parent_asin": pa.string(),
    "title": pa.string(),
    "description": pa.list_(pa.string()),
    "main_category": pa.string(),
    "categories": pa.list_(pa.string()),
    "store": pa.string(),
}


def amazon_reviews_2023(files: Sequence[Path]) -> Tables:
    """Reads <category>.jsonl.gz (times in milliseconds) and meta_<category>.jsonl.gz.

    The item of a review is its `parent_asin`, which joins the variants of a product; items of the
    same `parent_asin` are listed once, the first of them.
    """
    reviews, items = _read(files[0], _REVIEW), _first_of_each(_read(files[1], _ITEM))
    events = in_form(
        {
            USER_ID: reviews["user_id"],
            ITEM_ID: reviews["parent_asin"],
            TIMESTAMP: pc.divide(reviews["timestamp"], _MS_PER_S),
            RATING: reviews["rating"],
        }
    )
    return Tables(
        events,
        in_form(
            {
                ITEM_ID: items["parent_asin"],
                "title": pc.fill_null(items["title"], ""),
                "description": pc.fill_null(pc.binary_join(items["description"], " "), ""),
                "main_category": _one_each(items["main_category"]),
                "categories": items["categories"],
                "store": _one_each(items["store"]),
            }
        ),
    )


def _read(path: Path, types: dict[str, Any]) -> pa.Table:
    """The named fields of a gzipped JSON Lines file; other fields are skipped unread."""
    with pa.input_stream(str(path), compression="gzip") as stream:
        return pyarrow.json.read_json(
            stream,
            read_options=pyarrow.json.ReadOptions(block_size=_BLOCK),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(types), unexpected_field_behavior="ignore"
            ),
        )


def _first_of_each(items: pa.Table) -> pa.Table:
    """The rows that are the first of their `parent_asin`, in order."""
    numbered = items.select(["parent_asin"]).append_column("row", pa.array(range(items.num_rows)))
    first = numbered.group_by("parent_asin").aggregate([("row", "min")])["row_min"]
    return items.take(first.take(pc.sort_indices(first)))


def _one_each(values: pa.ChunkedArray) -> list[list[str]]:
    """Lists of the one value, empty where there is none."""
    return [[value] if value else [] for value in values.to_pylist()]
