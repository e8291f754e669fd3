"""A log and its items file share one code space, and are stored whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trecs.data import dataset as module
from trecs.data.dataset import Dataset, align, load_dataset, open_dataset, save_dataset
from trecs.data.log import log_from_frame
from trecs.errors import DataError, UsageError

T = 893_286_600
EVENTS = pd.DataFrame(
    {
        "user_id": ["u1", "u2", "u1", "u2"],
        "item_id": ["c", "a", "x", "a"],
        "timestamp": [T + 2, T + 1, T + 3, T + 4],
    }
)
ITEMS = pd.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "title": ["A", "B", "C"],
        "genres": ["g|h", "", "h"],
        "release_year": ["1971", "", "1970"],
    }
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    EVENTS.to_csv(tmp_path / "events.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    return load_dataset(tmp_path / "events.csv", tmp_path / "items.csv")[0]


def assert_same(left: Dataset, right: Dataset) -> None:
    for name in ("user", "item", "timestamp_s", "user_ids", "item_ids"):
        np.testing.assert_array_equal(getattr(left.log, name), getattr(right.log, name))
    for name in ("item_ids", "titles", "texts", "release_time_s"):
        np.testing.assert_array_equal(getattr(left.catalogue, name), getattr(right.catalogue, name))
    assert left.catalogue.categories == right.catalogue.categories
    np.testing.assert_array_equal(left.listed, right.listed)


def test_items_of_the_log_come_first_then_those_of_the_items_file(dataset: Dataset) -> None:
    assert dataset.catalogue.item_ids.tolist() == ["a", "c", "x", "b"]
    assert dataset.log.item_ids is dataset.catalogue.item_ids
    assert dataset.log.item.tolist() == [0, 1, 2, 0]
    assert dataset.listed.tolist() == [True, True, False, True]
    assert dataset.num_items == 4


def test_the_catalogue_follows_the_code_space(dataset: Dataset) -> None:
    assert dataset.catalogue.titles.tolist() == ["A", "C", "", "B"]
    assert dataset.catalogue.categories == {"genres": (("g", "h"), ("h",), (), ())}
    np.testing.assert_array_equal(
        dataset.catalogue.release_time_s, [365 * 86_400, 0, np.nan, np.nan]
    )


def test_items_without_a_row_are_reported(tmp_path: Path) -> None:
    EVENTS.to_csv(tmp_path / "events.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    _, lines = load_dataset(tmp_path / "events.csv", tmp_path / "items.csv")
    assert lines[-1] == (
        "warning: 1 item (25.0% of the events) without a row in the items file: 'x'"
    )


def test_a_log_without_items_file_has_no_text(tmp_path: Path) -> None:
    EVENTS.to_parquet(tmp_path / "events.pq")
    dataset, _ = load_dataset(tmp_path / "events.pq")
    assert dataset.catalogue.item_ids.tolist() == ["a", "c", "x"]
    assert dataset.catalogue.texts.tolist() == ["", "", ""]
    assert dataset.catalogue.categories == {}
    assert dataset.catalogue.release_time_s is None
    assert not dataset.listed.any()


def test_the_item_column_of_the_log_is_that_of_the_items_file_where_it_is_there(
    tmp_path: Path,
) -> None:
    EVENTS.rename(columns={"item_id": "thing"}).to_csv(tmp_path / "events.csv", index=False)
    for name in ("thing", "item_id"):
        ITEMS.rename(columns={"item_id": name}).to_csv(tmp_path / "items.csv", index=False)
        dataset, _ = load_dataset(
            tmp_path / "events.csv", tmp_path / "items.csv", item_column="thing"
        )
        assert dataset.listed.tolist() == [True, True, False, True]


def test_round_trip_is_exact_also_over_a_former_data_set(dataset: Dataset, tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "saved"
    for _ in range(2):
        save_dataset(dataset, directory)
        assert sorted(path.name for path in directory.iterdir()) == [
            "events.parquet",
            "items.parquet",
        ]
    assert [path.name for path in directory.parent.iterdir()] == ["saved"]
    opened = open_dataset(directory)
    assert_same(opened, dataset)
    assert opened.log.item_ids is opened.catalogue.item_ids
    assert_same(load_dataset(directory)[0], dataset)


def test_stored_items_beside_another_log_are_those_that_were_listed(
    dataset: Dataset, tmp_path: Path
) -> None:
    save_dataset(dataset, tmp_path / "saved")
    log, stored = tmp_path / "events.csv", tmp_path / "saved" / "items.parquet"
    beside, lines = load_dataset(log, stored)
    assert_same(beside, dataset)
    assert "3 items in trecs' own form" in lines
    # Columns that the user names are read by their names, as in any other file.
    named, _ = load_dataset(log, stored, text_columns=["title"])
    assert named.catalogue.texts.tolist() == ["A", "C", "", "B"]


def test_round_trip_without_items_file(tmp_path: Path) -> None:
    dataset = align(log_from_frame(EVENTS)[0], None)
    save_dataset(dataset, tmp_path / "saved")
    opened = open_dataset(tmp_path / "saved")
    assert opened.catalogue.release_time_s is None
    assert opened.catalogue.titles.tolist() == ["", "", ""]
    assert not opened.listed.any()


def test_a_directory_of_plain_tables_is_opened_too(dataset: Dataset, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    EVENTS.to_parquet(plain / "events.parquet")
    ITEMS.assign(genres=[["g", "h"], [], ["h"]]).to_parquet(plain / "items.parquet")
    assert_same(load_dataset(plain)[0], dataset)
    assert_same(open_dataset(plain), dataset)


def test_an_interrupted_save_leaves_the_former_data_set(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "saved"
    save_dataset(dataset, directory)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt("stopped")

    monkeypatch.setattr(module, "write_items", fail)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        save_dataset(dataset, directory)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        save_dataset(dataset, tmp_path / "new")
    assert_same(open_dataset(directory), dataset)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_directory_with_other_files_is_not_overwritten(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"holds other files \(.*'thesis\.tex'.*\); give the data"):
        save_dataset(dataset, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_opening_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*nowhere"):
        open_dataset(tmp_path / "nowhere")


def test_a_cut_log_is_read_back_with_its_own_items(dataset: Dataset, tmp_path: Path) -> None:
    cut = Dataset(dataset.log.select(slice(1, None)), dataset.catalogue, dataset.listed)
    save_dataset(cut, tmp_path / "cut")
    back = open_dataset(tmp_path / "cut")
    assert [back.log.item_ids[i] for i in back.log.item] == ["c", "x", "a"]
    # Users without an event are not kept.
    log = replace(cut.log, user=back.log.user, user_ids=back.log.user_ids)
    assert_same(replace(cut, log=log), back)


def test_of_its_own_form_ratings_can_be_left_out_and_other_columns_stay(tmp_path: Path) -> None:
    EVENTS.assign(rating=3.0).to_csv(tmp_path / "events.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    save_dataset(load_dataset(tmp_path / "events.csv", tmp_path / "items.csv")[0], tmp_path / "d")
    assert load_dataset(tmp_path / "d")[0].log.rating is not None
    found, lines = load_dataset(tmp_path / "d", rating_column="none", user_column="who")
    assert found.log.rating is None
    assert lines[-1] == "of no effect on trecs' own form of data: user_column"


def test_how_the_items_file_was_read_is_kept(dataset: Dataset, tmp_path: Path) -> None:
    columns = dataset.catalogue.columns
    assert columns is not None
    assert (columns.texts, columns.separators) == (("title",), {"genres": "|"})
    save_dataset(dataset, tmp_path / "saved")
    assert open_dataset(tmp_path / "saved").catalogue.columns == columns


def test_a_column_may_be_named_for_one_of_two_files(tmp_path: Path) -> None:
    EVENTS.to_csv(tmp_path / "events.csv", index=False)
    items = ITEMS.rename(columns={"item_id": "key"}).assign(item_id=["1", "2", "3"])
    items.to_csv(tmp_path / "items.csv", index=False)
    users = pd.DataFrame({"who": ["u1"], "user_id": ["9"], "bio": ["Likes films."]})
    users.to_csv(tmp_path / "users.csv", index=False)
    paths = [tmp_path / name for name in ("events.csv", "items.csv", "users.csv")]
    dataset, _ = load_dataset(*paths, item_column="key", user_column="who")
    assert dataset.listed.tolist() == [True, True, False, True]
    with pytest.raises(DataError, match="there is no column 'nowhere'.*--item-column"):
        load_dataset(*paths, item_column="nowhere", user_column="who")


def test_the_id_of_an_items_file_comes_before_its_sku(tmp_path: Path) -> None:
    EVENTS.to_csv(tmp_path / "events.csv", index=False)
    items = ITEMS.rename(columns={"item_id": "id"}).assign(sku=["1", "2", "3"])
    items.to_csv(tmp_path / "items.csv", index=False)
    dataset, _ = load_dataset(tmp_path / "events.csv", tmp_path / "items.csv")
    assert dataset.listed.tolist() == [True, True, False, True]
