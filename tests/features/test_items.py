"""The item table, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import Dataset, align
from trecs.data.log import log_from_frame
from trecs.features.items import (
    NEW_ID,
    START_ID,
    ItemTable,
    build_item_table,
    num_category_rows,
    num_id_rows,
    text_scale,
)
from trecs.features.vocabulary import Vocabulary, fit_vocabulary


@pytest.fixture
def dataset() -> Dataset:
    """Item codes: y, x, z (later), w (listed only)."""
    events = pd.DataFrame(
        {"user_id": [*"bac"], "item_id": [*"yxz"], "timestamp": [10**8, 10**8 + 1, 10**8 + 2]}
    )
    items = pd.DataFrame(
        {
            "item_id": [*"wxyz"],
            "title": ["W", "X", "Y", "Z"],
            "genres": ["war", "war|drama", "comedy", "western|drama"],
            "release_year": [1974, 1970, 1972, None],
        }
    )
    return align(log_from_frame(events)[0], catalogue_from_frame(items)[0])


@pytest.fixture
def vocabulary(dataset: Dataset) -> Vocabulary:
    return fit_vocabulary(dataset, np.array([0, 1]))


@pytest.fixture
def table(dataset: Dataset, vocabulary: Vocabulary) -> ItemTable:
    nan = np.nan
    text = np.array([[1, 0], [3, 0], [nan, nan], [2, 5]], np.float32)
    return build_item_table(dataset, vocabulary, text)


def test_trained_items_stand_before_the_others(table: ItemTable) -> None:
    assert table.item_ids.tolist() == ["y", "x", "z", "w"]
    assert (table.num_trained, table.num_candidates) == (2, 4)
    np.testing.assert_array_equal(table.row_of_code, [2, 3, 4, 5])


def test_only_trained_items_have_an_id_of_their_own(
    table: ItemTable, vocabulary: Vocabulary
) -> None:
    np.testing.assert_array_equal(table.id_index, [START_ID, NEW_ID, 2, 3, NEW_ID, NEW_ID])
    assert num_id_rows(vocabulary) == 4


def test_text_is_centred_on_the_trained_items_and_scaled_to_mean_square_one(
    table: ItemTable,
) -> None:
    # Mean (2, 0), deviations (-1, 0) and (1, 0), so mean square 1/2.
    root = np.sqrt(2)
    expected = [[0, 0], [0, 0], [-root, 0], [root, 0], [0, 0], [0, 5 * root]]
    np.testing.assert_allclose(table.text, expected, atol=1e-4)


def test_trained_items_of_one_text_do_not_blow_up_the_others() -> None:
    one = np.array([[0.1, -0.7]], np.float32)
    for times in (1, 7, 1000):
        centre, scale = text_scale(np.repeat(one, times, axis=0))
        np.testing.assert_array_equal(centre, one[0])
        assert scale == 1


def test_category_rows_count_from_one_and_leave_out_unseen_values(
    table: ItemTable, vocabulary: Vocabulary
) -> None:
    # comedy 1, drama 2, war 3; western has not trained.
    values = [sorted(row[row > 0].tolist()) for row in table.categories]
    assert values == [[], [], [1], [2, 3], [2], [3]]
    assert num_category_rows(vocabulary) == 4


def test_release_is_standardised_and_says_where_it_is_known(table: ItemTable) -> None:
    # 1970 and 1972 train: mean 1971, and 1974 is three of their deviations above it, about.
    expected = [[0, 0], [0, 0], [1, 1], [-1, 1], [0, 0], [3, 1]]
    np.testing.assert_allclose(table.release, expected, atol=5e-3)


def test_an_extreme_release_time_is_clipped(dataset: Dataset, vocabulary: Vocabulary) -> None:
    release = dataset.catalogue.release_time_s.copy()
    release[3] = 1e12
    changed = replace(dataset, catalogue=replace(dataset.catalogue, release_time_s=release))
    table = build_item_table(changed, vocabulary, np.zeros((4, 0), np.float32))
    assert table.release[5].tolist() == [5, 1]


def test_no_text_is_a_table_of_no_columns(dataset: Dataset, vocabulary: Vocabulary) -> None:
    table = build_item_table(dataset, vocabulary, np.zeros((4, 0), np.float32))
    assert table.text.shape == (6, 0)


def test_no_more_than_eight_values_of_a_column_are_kept(dataset: Dataset) -> None:
    many = tuple(f"v{i}" for i in range(12))
    catalogue = replace(dataset.catalogue, categories={"tags": (many, (), (), ())})
    changed = replace(dataset, catalogue=catalogue)
    vocabulary = fit_vocabulary(changed, np.array([0, 1]))
    table = build_item_table(changed, vocabulary, np.zeros((4, 0), np.float32))
    assert (table.categories[2] > 0).sum() == 8


def test_a_trained_item_that_the_dataset_lacks_is_named(
    dataset: Dataset, vocabulary: Vocabulary
) -> None:
    foreign = replace(vocabulary, item_ids=("y", "gone"))
    with pytest.raises(ValueError, match=r"1 trained items are not in the dataset, .*'gone'"):
        build_item_table(dataset, foreign, np.zeros((4, 0), np.float32))
