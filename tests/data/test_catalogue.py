"""What an items file says of its items, by the names of its columns and by their content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trecs.data.catalogue import catalogue_from_frame, read_catalogue
from trecs.errors import DataError


def test_texts_titles_and_categories_by_name(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(
        "item_id,title,genres,description,price\n"
        '007,GoldenEye,Action|Thriller,"A spy, a satellite.",9.5\n'
        "8,,,,\n"
    )
    catalogue, lines = read_catalogue(path)
    assert catalogue.item_ids.tolist() == ["007", "8"]
    assert catalogue.titles.tolist() == ["GoldenEye", ""]
    assert catalogue.texts.tolist() == ["GoldenEye. A spy, a satellite.", ""]
    assert catalogue.categories == {"genres": (("Action", "Thriller"), ())}
    assert catalogue.release_time_s is None
    assert lines == [
        "2 items in the items file, 1 of them with text",
        "item columns: item_id from 'item_id'; text from 'title', 'description'; "
        "titles from 'title'; categories from 'genres' (split on '|'); left out 'price'",
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("genres", "Drama|War", ("Drama", "War")),
        ("genres", "Drama; War", ("Drama", "War")),
        ("genres", "Drama, War", ("Drama", "War")),
        ("genres", "['Drama', 'War']", ("Drama", "War")),
        ("brand", "Warner Bros., Inc.", ("Warner Bros., Inc.",)),
        ("class:token_seq", "Drama War", ("Drama", "War")),
        ("genres", ["Drama", "War"], ("Drama", "War")),
        ("type", 3, ("3",)),
        ("genres", "nan", ()),
        ("genres", [0, 1], ("0", "1")),
        ("genres", ["Drama ", None, "nan"], ("Drama",)),
        ("brand", "Black &amp; Decker", ("Black & Decker",)),
    ],
)
def test_categories_are_split(name: str, value: object, expected: tuple[str, ...]) -> None:
    catalogue, _ = catalogue_from_frame(pd.DataFrame({"item_id": ["a"], name: [value]}))
    assert catalogue.categories == {name.split(":")[0]: (expected,)}


def test_a_separator_of_a_few_cells_does_not_glue_those_with_commas() -> None:
    genres = ["Drama, Comedy"] * 30 + ["Science; Fiction"]
    items = pd.DataFrame({"item_id": [str(n) for n in range(31)], "genres": genres})
    found = catalogue_from_frame(items)[0].categories["genres"]
    assert found == (("Drama", "Comedy"),) * 30 + (("Science; Fiction",),)


def test_lists_of_numbers_with_a_point_and_of_objects_are_no_categories() -> None:
    items = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "embedding": [[0.5, 1.5], [2.5, 3.5]],
            "images": [[{"thumb": "x"}], [{"thumb": "y"}]],
            "labels": [["new", "red"], ["new"]],
        }
    )
    assert list(catalogue_from_frame(items)[0].categories) == ["labels"]
    large = pd.ArrowDtype(pa.list_(pa.large_string()))
    kept = items[["item_id", "labels"]].astype({"labels": large})
    assert list(catalogue_from_frame(kept)[0].categories) == ["labels"]


def test_a_gap_in_a_list_leaves_the_rest_of_the_text() -> None:
    items = pd.DataFrame({"item_id": ["a"], "description": [["soft", None, "red"]]})
    assert catalogue_from_frame(items)[0].texts.tolist() == ["soft red"]


def test_unknown_columns_are_sorted_by_content() -> None:
    items = pd.DataFrame(
        {
            "sku": ["a", "b", "c", "d"],
            "blurb": [
                "one fine red hat",
                "two blue wool socks",
                "a green silk tie",
                "old grey cap",
            ],
            "shelf": ["north", "north", "south", "south"],
            "picture": ["http://x/1", "http://x/2", "http://x/3", "http://x/4"],
            "price": ["1.5", "1.5", "2", "2"],
        }
    )
    catalogue, lines = catalogue_from_frame(items)
    assert catalogue.texts[0] == "one fine red hat"
    assert catalogue.titles[0] == "one fine red hat"
    assert catalogue.categories == {"shelf": (("north",), ("north",), ("south",), ("south",))}
    assert "left out 'picture', 'price'" in lines[1]


def test_named_columns_are_the_only_ones_taken() -> None:
    items = pd.DataFrame(
        {"item_id": ["a", "b"], "title": ["A", "B"], "note": ["x", "y"], "mood": ["sad", "sad"]}
    )
    catalogue, _ = catalogue_from_frame(items, text_columns=["note"], category_columns=["mood"])
    assert catalogue.texts.tolist() == ["x", "y"]
    assert catalogue.titles.tolist() == ["A", "B"]
    assert list(catalogue.categories) == ["mood"]


def test_none_takes_neither_texts_nor_categories() -> None:
    items = pd.DataFrame({"item_id": ["a"], "title": ["A"], "genres": ["x"]})
    catalogue, _ = catalogue_from_frame(items, text_columns=["none"], category_columns=["none"])
    assert catalogue.texts.tolist() == [""]
    assert catalogue.titles.tolist() == ["A"]
    assert catalogue.categories == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1971", 365 * 86_400.0),
        (1969, -365 * 86_400.0),
        ("1971.0", 365 * 86_400.0),
        ("1970-01-02", 86_400.0),
        (pd.Timestamp("1970-01-02"), 86_400.0),
        (893_286_638_000, 893_286_638.0),
        ("soon", np.nan),
        (None, np.nan),
    ],
)
def test_release_times(value: object, expected: float) -> None:
    items = pd.DataFrame({"item_id": ["a", "b"], "release_date": [value, value]})
    catalogue, lines = catalogue_from_frame(items)
    assert catalogue.release_time_s is not None
    np.testing.assert_array_equal(catalogue.release_time_s, [expected, expected])
    unknown = "2 items without a readable release time in 'release_date'"
    assert (unknown in lines) == np.isnan(expected)


def test_integer_ids_become_strings() -> None:
    catalogue, _ = catalogue_from_frame(pd.DataFrame({"id": [12, 7], "title": ["A", "B"]}))
    assert catalogue.item_ids.tolist() == ["12", "7"]


def test_the_input_frame_stays_as_it_is() -> None:
    items = pd.DataFrame({"id": [12, 7], "title": ["A", None], "genres": ["x|y", None]})
    before = items.copy(deep=True)
    catalogue_from_frame(items)
    pd.testing.assert_frame_equal(items, before)


def test_a_text_column_that_cannot_be_text_is_a_problem() -> None:
    items = pd.DataFrame({"id": ["a"], "title": [{"en": "A"}]})
    with pytest.raises(DataError, match=r"the column 'title' is of type .*, not text; drop it"):
        catalogue_from_frame(items)


def test_categories_keep_their_whole_names() -> None:
    items = pd.DataFrame({"item_id": ["a"], "attr:color": [["blue"]], "attr:size": [["L"]]})
    catalogue, _ = catalogue_from_frame(items)
    assert catalogue.categories == {"attr:color": (("blue",),), "attr:size": (("L",),)}
    items = pd.DataFrame({"item_id": ["a"], "brand": ["x"], "brand:token": ["y"]})
    with pytest.raises(DataError, match="'brand:token' and 'brand' are one category"):
        catalogue_from_frame(items)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['Clothing', 'Warner Bros., Inc.']", ("Clothing", "Warner Bros., Inc.")),
        ('["Clothing", null, "Shoes"]', ("Clothing", "Shoes")),
        ("[Clothing, Shoes]", ("Clothing", "Shoes")),
        ("[]", ()),
        ("Clothing, Shoes", ("Clothing, Shoes",)),
    ],
)
def test_lists_written_as_text_are_lists_in_every_column(cell: str, expected: object) -> None:
    items = pd.DataFrame({"item_id": ["a", "b"], "category": [cell, "Toys"]})
    catalogue, _ = catalogue_from_frame(items)
    assert catalogue.categories["category"] == (expected, ("Toys",))


def test_words_for_a_missing_value_are_no_text() -> None:
    items = pd.DataFrame({"item_id": ["a", "b"], "title": ["nan", "A"], "description": "NULL"})
    catalogue, lines = catalogue_from_frame(items)
    assert catalogue.texts.tolist() == ["", "A"]
    assert lines[0] == "2 items in the items file, 1 of them with text"
