from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from serving_shop import Shop

import trecs
from trecs.errors import UsageError


def test_the_newest_version_is_taken_by_number_not_by_name(shop: Shop, tmp_path: Path):
    for version in ("2", "10"):
        shutil.copytree(shop.version, tmp_path / version)

    assert trecs.Recommender(tmp_path).directory == tmp_path / "10"
    assert trecs.Recommender(tmp_path / "2").directory == tmp_path / "2"


def test_a_known_user_is_served_from_the_history_at_export(shop: Shop):
    history = pd.DataFrame(shop.history("u2"), columns=["item_id", "timestamp"])
    found = shop.recommender.recommend("u2", at=shop.as_of_s, k=5)

    assert found == shop.recommender.recommend("u2", history, shop.as_of_s, 5)
    assert len(found) == 5
    assert not {item.item_id for item in found} & set(history["item_id"])


def test_ids_and_times_of_a_history_may_be_numbers_and_must_be_usable(shop: Shop):
    recommend = shop.recommender.recommend
    history = pd.DataFrame(shop.history("u2"), columns=["item_id", "timestamp"])
    pairs = list(history.itertuples(index=False, name=None))

    assert recommend("u2", pairs, shop.as_of_s) == recommend("u2", history, shop.as_of_s)
    assert recommend("u2", pairs, shop.as_of_s, rerank=True)
    wrong = (history["timestamp"] * 1000, pd.to_datetime(history["timestamp"], unit="s"), np.nan)
    for times in wrong:
        with pytest.raises(UsageError, match="UTC epoch seconds of 1900 to 2999"):
            recommend("u2", history.assign(timestamp=times), shop.as_of_s)


def test_titles_come_with_the_items(shop: Shop):
    for item in shop.recommender.recommend("u2", at=shop.as_of_s, k=20):
        number = item.item_id.removeprefix("i")
        assert item.title == ("New thing" if item.item_id == "new" else f"Thing {number}")


def test_no_time_means_now(shop: Shop):
    before = shop.recommender.recommend("u2", at=int(time.time()))
    assert [i.item_id for i in shop.recommender.recommend("u2")] == [i.item_id for i in before]


def test_an_unknown_user_has_no_history_and_gets_an_answer(shop: Shop):
    assert len(shop.recommender.history("nobody")) == 0
    assert len(shop.recommender.recommend("nobody", at=shop.as_of_s)) == 10


def test_empty_places_are_left_out(shop: Shop):
    items = [*(f"i{n}" for n in range(1, 30)), "new"]
    history = pd.DataFrame({"item_id": items, "timestamp": shop.as_of_s - 100})

    found = shop.recommender.recommend("u2", history, shop.as_of_s)
    assert [item.item_id for item in found] == ["i0"]


@pytest.mark.parametrize("k", [0, -1, 21])
def test_k_out_of_range_is_an_error(shop: Shop, k: int):
    with pytest.raises(UsageError, match=f"k must be from 1 to 20, .* got {k}"):
        shop.recommender.recommend("u2", at=shop.as_of_s, k=k)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_versions_is_an_error(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="expected a model folder with numbered versions"):
        trecs.Recommender(tmp_path / name)


def test_a_saved_model_of_others_is_an_error(shop: Shop, tmp_path: Path):
    shutil.copytree(shop.version, tmp_path / "1", ignore=shutil.ignore_patterns("assets.extra"))

    with pytest.raises(UsageError, match="was not exported by trecs"):
        trecs.Recommender(tmp_path)
