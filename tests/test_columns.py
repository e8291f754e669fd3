"""Which columns are taken for the user, the item, the time, the rating and an item's content."""

from __future__ import annotations

import pytest

from trecs.columns import ITEM_ID, RATING, USER_ID, EventColumns, find_columns, match_item_columns
from trecs.errors import DataError, Problems


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["user_id", "item_id", "timestamp", "rating"],
            EventColumns("user_id", "item_id", "timestamp", "rating"),
        ),
        (
            ["rating", "movieId", "userId", "ts"],
            EventColumns("userId", "movieId", "ts", "rating"),
        ),
        (
            ["user_id:token", "item_id:token", "rating:float", "timestamp:float"],
            EventColumns("user_id:token", "item_id:token", "timestamp:float", "rating:float"),
        ),
        (
            ["Customer ID", "PRODUCT_ID", "event_time", "price"],
            EventColumns("Customer ID", "PRODUCT_ID", "event_time", None),
        ),
    ],
)
def test_usual_names_are_found(names: list[str], expected: EventColumns) -> None:
    assert find_columns(names) == expected


def test_a_usual_name_is_preferred_to_a_weaker_one() -> None:
    names = ["session_id", "user_id", "asin", "parent_asin", "date", "timestamp", "reviewTime"]
    assert find_columns(names) == EventColumns("user_id", "parent_asin", "timestamp", None)


def test_a_named_column_wins_and_needs_no_type_suffix() -> None:
    names = ["user_id:token", "item_id:token", "shelf:token", "timestamp:float"]
    assert find_columns(names, {ITEM_ID: "shelf"}).item == "shelf:token"


def test_an_empty_name_is_no_name() -> None:
    assert find_columns(["user_id", "item_id", "time"], {USER_ID: ""}).user == "user_id"


def test_none_takes_no_rating() -> None:
    names = ["user_id", "item_id", "time", "score"]
    assert find_columns(names, {RATING: "none"}).rating is None


def test_absence_and_ambiguity_are_reported_together() -> None:
    with pytest.raises(DataError, match=r"(?s)1\. 'uid', 'customer'.*2\. no column looks like"):
        find_columns(["uid", "customer", "time"])


def test_item_columns_are_sorted_by_their_names() -> None:
    names = ["price", "genres", "description", "movieId", "title", "year"]
    columns = match_item_columns(names, Problems())
    assert columns.item == "movieId"
    assert columns.title == "title"
    assert columns.texts == ("title", "description")
    assert columns.categories == ("genres",)
    assert columns.release == "year"
    assert columns.other == ("price",)


def test_named_item_columns_replace_the_found_ones() -> None:
    names = ["id", "title", "description", "genres", "mood"]
    columns = match_item_columns(
        names, Problems(), text_columns=["description"], category_columns=["mood"]
    )
    assert columns.item == "id"
    assert columns.texts == ("description",)
    assert columns.categories == ("mood",)


def test_none_takes_no_texts() -> None:
    columns = match_item_columns(["item_id", "title"], Problems(), text_columns=["none"])
    assert columns.texts == ()


def test_the_title_is_shown_also_where_another_column_is_the_text() -> None:
    names = ["item_id", "title", "plot"]
    assert match_item_columns(names, Problems(), text_columns=["plot"]).title == "title"
