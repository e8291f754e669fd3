"""The fitted state comes from the training events alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import Dataset, align
from trecs.data.log import events_frame, log_from_frame
from trecs.features.items import build_item_table
from trecs.features.vocabulary import Vocabulary, fit_vocabulary

YEAR_S = 365 * 86_400


def tiny(times: tuple[int, ...] = (10, 20, 30, 40)) -> Dataset:
    """b takes y; a takes x, a takes y; then c takes z, which is released last."""
    events = pd.DataFrame(
        {"user_id": [*"baac"], "item_id": [*"yxyz"], "timestamp": np.array(times) + YEAR_S}
    )
    items = pd.DataFrame(
        {
            "item_id": [*"xyz"],
            "title": ["X", "Y", "Z"],
            "genres": ["war|drama", "comedy", "western"],
            "release_year": [1970, 1972, 2020],
        }
    )
    return align(log_from_frame(events)[0], catalogue_from_frame(items)[0])


def test_the_state_is_that_of_the_training_events() -> None:
    fitted = fit_vocabulary(tiny(), np.array([0, 1, 2]))
    assert fitted == Vocabulary(
        user_ids=("b", "a"),
        item_ids=("y", "x"),
        item_counts=(2, 1),
        category_values={"genres": ("comedy", "drama", "war")},
        release_mean_s=YEAR_S,
        release_std_s=YEAR_S,
        season=False,
    )


@pytest.mark.parametrize(("span_s", "season"), [(2 * YEAR_S, True), (2 * YEAR_S - 1, False)])
def test_two_years_of_training_show_the_season(span_s: int, season: bool) -> None:
    dataset = tiny((0, 1, span_s, 9 * YEAR_S))
    assert fit_vocabulary(dataset, np.array([0, 1, 2])).season is season


def test_a_catalogue_without_release_times_has_no_scale() -> None:
    dataset = tiny()
    bare = replace(dataset, catalogue=replace(dataset.catalogue, release_time_s=None))
    fitted = fit_vocabulary(bare, np.array([0, 1]))
    assert (fitted.release_mean_s, fitted.release_std_s) == (0, 0)


def test_what_lies_outside_the_training_events_changes_no_fitted_state(world: Dataset) -> None:
    frame = events_frame(world.log)
    num_train = int(0.8 * len(frame))
    cut_s = int(frame["timestamp"].iloc[num_train])
    train = np.flatnonzero(world.log.timestamp_s < cut_s)
    # Later events of other users and items, with other values, and another crowd of items.
    later = pd.DataFrame(
        {
            "user_id": [f"stranger{i}" for i in range(50)],
            "item_id": [f"novelty{i % 7}" for i in range(50)],
            "timestamp": cut_s + np.arange(50) * YEAR_S // 4,
            "rating": 5.0,
        }
    )
    known = frame.iloc[: len(train)]
    catalogue = world.catalogue
    items = pd.DataFrame(
        {
            "item_id": catalogue.item_ids,
            "title": catalogue.titles,
            "genres": ["|".join(values) for values in catalogue.categories["genres"]],
            "release_year": pd.to_datetime(catalogue.release_time_s, unit="s").year,
        }
    )
    trained = items["item_id"].isin(known["item_id"])
    items.loc[~trained, "genres"] = "opera"
    items.loc[~trained, "release_year"] = 2020
    changed = align(
        log_from_frame(pd.concat([later, known]))[0],
        catalogue_from_frame(items, text_columns=["title"], category_columns=["genres"])[0],
    )
    fitted = fit_vocabulary(world, train)
    again = fit_vocabulary(changed, np.arange(len(train)))
    assert again == fitted


def test_text_is_centred_on_the_training_items_alone(world: Dataset) -> None:
    fitted = fit_vocabulary(world, np.arange(30))
    vectors = np.random.default_rng(0).normal(size=(world.num_items, 4)).astype(np.float32)
    table = build_item_table(world, fitted, vectors)
    changed = vectors.copy()
    changed[~np.isin(world.catalogue.item_ids, fitted.item_ids)] += 100
    again = build_item_table(world, fitted, changed)
    last = 2 + len(fitted.item_ids)
    assert last < len(table.text)
    np.testing.assert_array_equal(again.text[:last], table.text[:last])


def test_the_state_survives_its_file(world: Dataset, tmp_path: Path) -> None:
    fitted = fit_vocabulary(world, np.arange(100))
    fitted.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == fitted


def test_nothing_to_fit_is_an_error(world: Dataset) -> None:
    with pytest.raises(ValueError, match="fitting needs training events, got 0"):
        fit_vocabulary(world, np.array([], np.int64))
