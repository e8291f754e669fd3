"""A refreshed version answers as the trained model would with all that is known by then."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from live_model import ask_live
from serving_process import copy_version
from serving_shop import Shop
from shop_world import NUM_ITEMS, shop_items

import trecs
from trecs.api import deploy
from trecs.config import load_config
from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import align
from trecs.data.log import events_frame, log_from_frame
from trecs.data.store import open_log
from trecs.errors import DataError, UsageError
from trecs.serving.deployment import Deployment
from trecs.serving.export import versions
from trecs.serving.index import NO_SCORE
from trecs.serving.refresh_data import extend, read_newer_events, read_newer_items
from trecs.serving.refresh_state import load_state

DAY_S = 86_400
GONE, NEW = "i3", "brand"
"""An item that everybody may have had and that leaves the catalogue, and one that enters it."""


def newer_events(run: trecs.Run) -> pd.DataFrame:
    """13 events on three days: of known users and a new one, of known items and the new one."""
    start = int(run.dataset.log.timestamp_s[-1]) + DAY_S
    rows = [("u1", f"i{n}", start + n * 3600) for n in (2, 3, 5, 7)]
    rows += [("visitor", f"i{n}", start + DAY_S + n * 3600) for n in (3, 5, 8)]
    rows += [(f"u{n}", NEW, start + 2 * DAY_S + n * 60) for n in range(5)]
    rows += [("visitor", NEW, start + 2 * DAY_S + 7200)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def newer_items() -> pd.DataFrame:
    items = shop_items()
    row = pd.DataFrame({"item_id": [NEW], "title": ["Brand thing"], "genres": ["kind1|shape2"]})
    return pd.concat([items[items["item_id"] != GONE], row], ignore_index=True)


@pytest.fixture(scope="module")
def files(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("newer")
    newer_events(shop.run).to_parquet(folder / "events.parquet")
    newer_items().to_csv(folder / "items.csv", index=False)
    return folder / "events.parquet", folder / "items.csv"


@pytest.fixture(scope="module")
def refreshed(shop: Shop, files: tuple[Path, Path], tmp_path_factory) -> Shop:
    model = copy_version(shop, tmp_path_factory.mktemp("refreshed") / "shop", 1).parent
    said: list[str] = []
    version = trecs.refresh(model, *files, say=said.append)
    assert version == model / "2"
    rating = pd.read_parquet(version / "assets.extra" / "histories.parquet")["rating"]
    # Those of the training stay, although the newer events have none.
    assert rating.notna().sum() == shop.run.dataset.log.num_events
    assert rating.isna().sum() == len(newer_events(shop.run))
    return Shop(shop.run, version, tf.saved_model.load(str(version)), trecs.Recommender(version))


def test_it_answers_as_the_live_model_with_the_new_state(shop: Shop, refreshed: Shop):
    old = events_frame(shop.run.dataset.log).drop(columns="rating")
    frame = pd.concat([old, newer_events(shop.run)])
    items = pd.concat([newer_items(), shop_items().query("item_id == @GONE")])
    dataset = align(log_from_frame(frame)[0], catalogue_from_frame(items)[0])
    as_of_s = int(frame["timestamp"].max()) + 1
    no_text = np.zeros((dataset.num_items, 0), np.float32)
    live = ask_live(shop.run, dataset, no_text, as_of_s, as_of_s)
    live.scores[:, live.item_ids == GONE] = -np.inf
    best, scores = live.best(10)

    ids, found = refreshed.recommend(live.user_ids, live.histories, [as_of_s] * len(best))

    assert refreshed.as_of_s == as_of_s
    assert [row[:10] for row in ids] == best
    np.testing.assert_allclose(found[:, :10], scores, atol=1e-5, rtol=0)
    assert sum(NEW in row for row in ids) > 20


def test_an_item_gone_is_never_recommended_and_still_understood(shop: Shop, refreshed: Shop):
    at_s = refreshed.as_of_s
    every = [(f"i{n}", at_s - 100 * n - 100) for n in range(30) if f"i{n}" != GONE]

    ids, scores = refreshed.recommend(["x"], [every], [at_s])
    before, _ = shop.recommend(["x"], [every], [at_s])
    assert set(ids[0]) == {"new", NEW, ""}
    assert scores[0][ids[0].index("")] == np.float32(NO_SCORE)
    assert set(before[0]) == {"new", GONE, ""}
    histories = [[(GONE, at_s - 60)], [("no such item", at_s - 60)]]
    query = refreshed.ask(["x", "x"], histories, [at_s, at_s], "encode_query")["embedding"]
    was = shop.ask(["x", "x"], histories, [at_s, at_s], "encode_query")["embedding"]
    assert np.abs(query[0] - query[1]).max() > 1e-3
    np.testing.assert_allclose(query, was, atol=1e-6)


def test_a_new_item_counts_in_histories(shop: Shop, refreshed: Shop):
    at_s = refreshed.as_of_s
    histories = [[(NEW, at_s - 60)], [("no such item", at_s - 60)]]
    query = refreshed.ask(["x", "x"], histories, [at_s, at_s], "encode_query")["embedding"]
    assert np.abs(query[0] - query[1]).max() > 1e-3


def test_known_histories_are_renewed(refreshed: Shop):
    assert [item for item, _ in refreshed.history("visitor")] == ["i3", "i5", "i8", NEW]
    assert [item for item, _ in refreshed.history("u1")][-5:] == ["i2", "i3", "i5", "i7", NEW]
    assert refreshed.recommender.recommend("visitor", at=refreshed.as_of_s, k=3)[0].title


def _arrays(deployment: Deployment) -> dict[str, np.ndarray]:
    index, neighbours = deployment.index(), deployment.neighbours()
    named = {v.name: v.numpy() for v in (*index.variables, *neighbours.variables)}
    histories = deployment.histories()
    return named | {name: histories[name].to_numpy() for name in histories}


def _assert_same(one: Deployment, other: Deployment) -> None:
    first, second = _arrays(one), _arrays(other)
    assert one.as_of_s == other.as_of_s
    assert len(first) > 7
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def _log(frame: pd.DataFrame):
    return log_from_frame(frame)[0]


def test_events_that_are_known_do_not_count_again(shop: Shop):
    deployment, newer = deploy(shop.run, 5), newer_events(shop.run)
    old = events_frame(shop.run.dataset.log)[["user_id", "item_id", "timestamp"]]
    overlapping = pd.concat([newer, old.tail(50), newer.head(3)])

    _assert_same(extend(deployment, _log(overlapping), None), extend(deployment, _log(newer), None))


def test_ratings_of_newer_events_stand_beside_the_known_ones(shop: Shop):
    deployment, newer = deploy(shop.run, 5), newer_events(shop.run)
    rated = extend(deployment, _log(newer.assign(rating=2.0)), None)

    known = deployment.dataset.log.rating
    np.testing.assert_array_equal(rated.dataset.log.rating, [*known, *[2.0] * 13])
    unrated = extend(deployment, _log(newer), None).dataset.log.rating
    np.testing.assert_array_equal(unrated, [*known, *[np.nan] * 13])


def test_two_refreshes_in_a_row_are_one_with_both_files(shop: Shop):
    deployment, newer = deploy(shop.run, 5), newer_events(shop.run)
    first = extend(deployment, _log(newer[:7]), None)

    _assert_same(extend(first, _log(newer[7:]), None), extend(deployment, _log(newer), None))


def test_events_from_the_moment_on_change_nothing(shop: Shop):
    deployment, newer = deploy(shop.run, 5), newer_events(shop.run)
    moment = int(newer["timestamp"][7])
    other = newer.assign(item_id=np.where(newer["timestamp"] < moment, newer["item_id"], "i0"))

    past = extend(deployment, _log(newer[:7]), None, moment)
    _assert_same(extend(deployment, _log(newer), None, moment), past)
    _assert_same(extend(deployment, _log(other), None, moment), past)


def test_the_counts_are_those_of_all_events_and_evaluation_keeps_the_training_ones(shop: Shop):
    deployment = deploy(shop.run, 5)
    log = shop.run.dataset.log
    last = log.num_events - 1
    assert last not in shop.run.split.train
    follows = deployment.neighbours().tables["transitions"][1].numpy()
    trained = shop.run.neighbour_tables[0].weight

    assert np.count_nonzero(follows) > np.count_nonzero(trained)


def test_items_of_the_events_are_offered_where_no_items_file_says_otherwise(shop: Shop):
    deployment = deploy(shop.run, 5)
    items = catalogue_from_frame(shop_items().query("item_id != @GONE"))[0]
    gone = extend(deployment, None, items)
    after = extend(gone, _log(newer_events(shop.run)), None)

    offered = dict(zip(after.dataset.catalogue.item_ids, after.offered, strict=True))
    assert offered[NEW]
    # It was bought again, but only an items file puts an item back.
    assert not offered[GONE]
    assert extend(after, None, catalogue_from_frame(shop_items())[0]).offered.sum() == 31


def test_export_with_an_items_file_is_a_refresh_with_it(shop: Shop, files, tmp_path: Path):
    said: list[str] = []
    version = trecs.export(shop.run, tmp_path / "m", k=20, items=files[1], say=said.append)
    found = trecs.Recommender(version)
    ids = {item.item_id for user in ("u0", "u1", "x") for item in found.recommend(user, k=20)}

    assert GONE not in ids
    assert "0 new events, 1 new item, 1 item no longer offered" in said
    assert found.metadata["k"] == 20


def test_nothing_new_writes_nothing(shop: Shop, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    events = tmp_path / "events.csv"
    events_frame(shop.run.dataset.log).tail(3).to_csv(events, index=False)
    said: list[str] = []

    assert trecs.refresh(model, events, say=said.append) == model / "1"
    assert said[-1] == "all events are known already: version 1 stays the newest"
    assert versions(model) == [1]


def test_events_and_a_catalogue_as_they_were_write_nothing(refreshed: Shop, files):
    model = refreshed.version.parent
    said: list[str] = []

    assert trecs.refresh(model, *files, say=said.append) == model / "2"
    assert said[-1] == "all events and items are known already: version 2 stays the newest"
    assert versions(model) == [1, 2]


def test_newer_files_may_lack_the_columns_that_the_first_were_named_by(shop: Shop, files, tmp_path):
    log = pd.read_parquet(files[0]).rename(columns={"item_id": "page"})
    log.to_parquet(tmp_path / "log.parquet")
    config = load_config(overrides=["data.item_column=page", "data.rating_column=stars2"])

    catalogue, _ = read_newer_items(files[1], config, shop.run.vocabulary, None, with_text=False)
    newer, _ = read_newer_events(tmp_path / "log.parquet", config, with_rating=True)

    assert catalogue.num_items == len(newer_items())
    assert newer.num_events == len(log)
    assert newer.rating is None


def test_events_of_nobody_and_nothing_known_are_refused(shop: Shop, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    events = newer_events(shop.run)
    # As a frame with gaps would write whole numbers.
    other = events.assign(user_id=events["user_id"] + ".0", item_id=events["item_id"] + ".0")
    other.to_parquet(tmp_path / "other.parquet")
    _refused(model, DataError, "no user and no item of the newer", tmp_path / "other.parquet")


def test_two_refreshes_at_once_both_count(shop: Shop, tmp_path: Path):
    model, newer = copy_version(shop, tmp_path / "shop", 1).parent, newer_events(shop.run)
    newer[:7].to_parquet(tmp_path / "a.parquet")
    newer[7:].to_parquet(tmp_path / "b.parquet")
    threads = [
        threading.Thread(target=trecs.refresh, args=(model, tmp_path / f"{name}.parquet"))
        for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert versions(model) == [1, 2, 3]
    found = trecs.Recommender(model)
    assert found.metadata["num_events"] == shop.run.dataset.log.num_events + 13


def _refused(model: Path, error: type[Exception], match: str, *arguments) -> None:
    with pytest.raises(error, match=match):
        trecs.refresh(model, *arguments)
    assert versions(model) == [1]
    assert not list(model.glob(".partial-*"))


def test_unusable_files_are_refused_and_nothing_is_written(shop: Shop, files, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    events, items = tmp_path / "events.csv", tmp_path / "items.csv"
    _refused(model, UsageError, "needs newer events or an items file, but neither came")
    events.write_text("user_id,item_id,timestamp\nu1,,1700000000\n")
    _refused(model, DataError, "ids in 'item_id' are missing", events)
    newer_items().drop(columns="genres").to_csv(items, index=False)
    _refused(model, DataError, "no column of categories is 'genres'", None, items)
    newer_items().head(3).to_csv(items, index=False)
    _refused(model, DataError, "28 of the 31 items offered so far are not in it", None, items)
    newer_items().assign(item_id=range(31)).to_csv(items, index=False)
    _refused(model, DataError, "none of the items that have events is in", None, items)
    _refused(
        model,
        UsageError,
        "must not be a day and more before",
        files[0],
        None,
        1_600_000_000,
    )


def test_a_folder_that_cannot_be_refreshed_says_why(shop: Shop, files, tmp_path: Path):
    with pytest.raises(UsageError, match="expected a model folder with numbered versions"):
        trecs.refresh(tmp_path / "nowhere", files[0])
    model = copy_version(shop, tmp_path / "shop", 1).parent
    histories = model / "1" / "assets.extra" / "histories.parquet"
    pd.read_parquet(histories).head(0).to_parquet(histories, index=False)
    _refused(model, UsageError, "should have the 480 events .* got 0", files[0])
    (model / "1" / "assets.extra" / "refresh" / "model.weights.h5").unlink()
    _refused(model, UsageError, "a refresh needs what `trecs export` keeps", files[0])


def test_a_newer_items_file_is_read_as_the_first_was(shop: Shop, tmp_path: Path):
    columns = shop.run.dataset.catalogue.columns
    assert columns is not None
    assert columns.texts == ("title",)
    assert columns.separators == {"genres": "|"}
    items = newer_items()
    # Another separator would be found, and another text.
    items.loc[3, "genres"] = "kind0;shape1"
    items["note"] = [f"please order {n} of these soon" for n in range(len(items))]
    items.to_csv(tmp_path / "items.csv", index=False)
    found, _ = read_newer_items(
        tmp_path / "items.csv", shop.run.config, shop.run.vocabulary, columns, with_text=False
    )
    assert found.texts.tolist() == items["title"].tolist()
    first = map(tuple, items["genres"][:3].str.split("|"))
    assert found.categories["genres"][:4] == (*first, ("kind0;shape1",))
    items.drop(columns="title").to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(DataError, match="no column is the text 'title'"):
        read_newer_items(
            tmp_path / "items.csv", shop.run.config, shop.run.vocabulary, columns, with_text=False
        )


def test_the_trend_of_a_refresh_after_midnight_is_of_whole_days(shop: Shop):
    deployment = deploy(shop.run, 5)
    log = deployment.dataset.log
    midnight = (int(log.timestamp_s[-1]) // DAY_S + 1) * DAY_S
    yesterday = [("visitor", "i3", midnight - 3600 - n) for n in range(9)]
    rows = [*yesterday, ("visitor", "i5", midnight + 300)]
    newer = _log(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    after = extend(deployment, newer, None, midnight + 600)
    trend = after.trend()
    features = trend.features(trend.row(tf.constant([after.as_of_s], tf.int64)))[0].numpy()
    places = {name: n for n, name in enumerate(after.items.item_ids)}
    assert after.as_of_s == midnight + 600
    # log(1 + count) of the last day: yesterday's evening is in it.
    in_a_day = log.timestamp_s >= midnight + 600 - DAY_S
    known = sum(log.item_ids[log.item[in_a_day]] == "i3")
    np.testing.assert_allclose(features[0, places["i3"]], np.log1p(9 + known), rtol=1e-6)


def test_an_hour_without_events_still_renews_the_items(shop: Shop, files, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    (tmp_path / "quiet.csv").write_text("user_id,product\n")
    _refused(model, DataError, "no column looks like", tmp_path / "quiet.csv")
    (tmp_path / "quiet.csv").write_text("user_id,item_id,timestamp\n")
    said: list[str] = []
    assert trecs.refresh(model, tmp_path / "quiet.csv", say=said.append) == model / "1"
    assert "quiet.csv has no events" in said[0]
    assert trecs.refresh(model, tmp_path / "quiet.csv", files[1]) == model / "2"


def test_the_lists_grow_to_what_was_asked_for_when_there_are_more_items(shop: Shop, tmp_path):
    version = trecs.export(shop.run, tmp_path / "m", k=100)
    assert trecs.Recommender(version).metadata["k"] == NUM_ITEMS + 1
    assert load_state(version).k == 100
    with pytest.raises(UsageError, match="a version is a number from 0, got -1"):
        trecs.export(shop.run, tmp_path / "m", version=-1)


def test_a_catalogue_of_other_values_is_refused(shop: Shop, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    items = newer_items()
    items.assign(genres=items["genres"].str.upper()).to_csv(tmp_path / "upper.csv", index=False)
    message = "no value of 'genres' is one that the model was trained with: it has 'KIND0'"
    _refused(model, DataError, message, None, tmp_path / "upper.csv")


def test_new_values_are_said(shop: Shop, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    said: list[str] = []
    newer_items().replace({"genres": "kind1|shape2"}, "kind1|shape7").to_csv(
        tmp_path / "items.csv", index=False
    )
    trecs.refresh(model, None, tmp_path / "items.csv", say=said.append)
    assert any("values of 'genres' are new to the model" in line for line in said)


def test_events_of_a_clock_that_runs_ahead_stop_nothing(shop: Shop, tmp_path: Path):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    events, now = newer_events(shop.run), int(time.time())
    ahead = pd.DataFrame({"user_id": ["u1"], "item_id": ["i1"], "timestamp": [now + 9 * DAY_S]})
    pd.concat([events, ahead]).to_parquet(tmp_path / "ahead.parquet")
    trecs.refresh(model, tmp_path / "ahead.parquet", at_s=now)
    known = load_state(model / "2").dataset.log
    assert known.num_events == shop.run.dataset.log.num_events + len(events)
    # One that is known already is no reason to wait for it.
    soon = ahead.assign(timestamp=now + 3600)
    soon.to_parquet(tmp_path / "soon.parquet")
    trecs.refresh(model, tmp_path / "soon.parquet")
    late = ahead.assign(timestamp=now - 60)
    late.to_parquet(tmp_path / "late.parquet")
    assert trecs.refresh(model, tmp_path / "late.parquet", at_s=now).name == "4"
    assert load_state(model / "4").as_of_s == now + 3601


def test_stored_ids_keep_their_blanks(shop: Shop, tmp_path: Path):
    histories = pd.read_parquet(shop.version / "assets.extra" / "histories.parquet")
    stored = histories.assign(user_id=" " + histories["user_id"])
    stored.to_parquet(tmp_path / "log.parquet", index=False)
    assert set(open_log(tmp_path / "log.parquet").user_ids) == set(stored["user_id"])


def test_items_no_longer_offered_are_not_explained(refreshed: Shop):
    with pytest.raises(UsageError, match=rf"items that are still offered, got \['{GONE}'\]"):
        refreshed.recommender.explain("u3", ["i1", GONE])
    card = (refreshed.version / "assets.extra" / "model_card.md").read_text()
    assert f"| items | {len(newer_items())}, of {len(newer_items()) + 1} that" in card
