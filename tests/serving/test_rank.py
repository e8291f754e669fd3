"""The served ratings are the live head's, with and without ratings of the history."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from serving_shop import Shop, request

import trecs
from trecs.api.rating import measure_ratings, rating_head
from trecs.errors import UsageError
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking_data import fit_scale
from trecs.training.rating import predict_rows
from trecs.training.rating_batches import rating_rows
from trecs.training.rating_setup import user_rows


def live_ratings(shop: Shop, candidates: np.ndarray, at_s: int, rated: bool) -> np.ndarray:
    """What the live head says of candidates (item codes) for every user at a time, [U, C]."""
    run, log = shop.run, shop.run.dataset.log
    users = np.repeat(np.arange(log.num_users, dtype=np.int32), len(candidates))
    asked = replace(
        log,
        user=np.append(log.user, users),
        item=np.append(log.item, np.tile(candidates, log.num_users)).astype(np.int32),
        timestamp_s=np.append(log.timestamp_s, np.full(len(users), at_s)),
        rating=np.append(log.rating, np.full(len(users), 3.0)).astype(np.float32),
    )
    known = np.arange(log.num_events)
    scale = fit_scale(log.rating[run.split.train])
    rows = rating_rows(
        asked,
        run.items.row_of_code,
        user_rows(log, run.vocabulary),
        scale,
        known,
        np.arange(log.num_events, asked.num_events),
    )
    if not rated:
        rows.events["rating"][:] = np.nan
    predicted = np.zeros(asked.num_events, np.float32)
    head = rating_head(run)
    predicted[rows.targets["event"]] = predict_rows(head, ItemTensors(run.items), rows)
    return predicted[log.num_events :].reshape(log.num_users, -1)


def ask(shop: Shop, candidates, what, ratings=None, at_s=None):
    log = shop.run.dataset.log
    users = log.user_ids.tolist()
    at_s = shop.as_of_s if at_s is None else at_s
    inputs = request(users, [shop.history(user) for user in users], [at_s] * len(users))
    inputs["candidate_item_ids"] = tf.constant([candidates] * len(users))
    if ratings is not None:
        inputs["history_ratings"] = tf.constant(ratings, tf.float32)
    return shop.loaded.signatures[what](**inputs)["predictions"].numpy()


def history_ratings(shop: Shop) -> np.ndarray:
    users = shop.run.dataset.log.user_ids.tolist()
    found = [shop.recommender.history(user)["rating"].to_numpy(np.float32) for user in users]
    width = max(map(len, found))
    return np.stack([np.pad(r, (0, width - len(r)), constant_values=np.nan) for r in found])


def test_served_ratings_are_the_live_heads(shop: Shop):
    codes = np.array([0, 7, 3])
    ids = shop.run.dataset.log.item_ids[codes].tolist()
    rated = ask(shop, ids, "rank_rated", history_ratings(shop))
    np.testing.assert_allclose(rated, live_ratings(shop, codes, shop.as_of_s, True), atol=1e-4)
    unrated = ask(shop, ids, "rank")
    np.testing.assert_allclose(unrated, live_ratings(shop, codes, shop.as_of_s, False), atol=1e-4)
    assert np.abs(rated - unrated).max() > 0.01


def test_events_at_or_after_the_request_and_their_ratings_move_nothing(shop: Shop):
    ratings, at_s = history_ratings(shop), shop.as_of_s - 20 * 86_400
    log = shop.run.dataset.log
    changed = ratings.copy()
    for row, user in enumerate(log.user_ids):
        times = shop.recommender.history(user)["timestamp"].to_numpy()
        changed[row, : len(times)][times >= at_s] = 1.0
    assert not np.array_equal(changed, ratings, equal_nan=True)
    answers = [ask(shop, ["i1", "i2"], "rank_rated", r, at_s) for r in (ratings, changed)]
    np.testing.assert_array_equal(*answers)


def test_unknown_users_items_and_empty_histories_are_rated(shop: Shop):
    inputs = request(["nobody", "u1"], [[], [("no such item", 5)]], [shop.as_of_s] * 2)
    candidates = tf.constant([["i1", "no such item"], ["new", ""]])
    answer = shop.loaded.signatures["rank"](**inputs, candidate_item_ids=candidates)
    predicted = answer["predictions"].numpy()
    assert predicted.shape == (2, 2)
    assert np.isfinite(predicted).all()
    assert predicted.min() >= 1
    assert predicted.max() <= 5


def test_rerank_orders_the_whole_list_by_predicted_rating(shop: Shop):
    plain = shop.recommender.recommend("u2", at=shop.as_of_s, k=20)
    ranked = shop.recommender.recommend("u2", at=shop.as_of_s, k=5, rerank=True)
    scores = [item.score for item in ranked]
    assert scores == sorted(scores, reverse=True)
    assert {item.item_id for item in ranked} <= {item.item_id for item in plain}
    users = shop.run.dataset.log.user_ids.tolist()
    ids = [item.item_id for item in plain]
    expected = ask(shop, ids, "rank_rated", history_ratings(shop))[users.index("u2")]
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][:5], atol=1e-4)


def test_a_run_without_a_head_exports_no_rank_and_cannot_rerank(unrated_run, tmp_path):
    assert measure_ratings(unrated_run) is None
    version = trecs.export(unrated_run, tmp_path / "model", k=5)
    recommender = trecs.Recommender(version)
    assert "rating" not in recommender.history("u1").columns
    with pytest.raises(UsageError, match="predicts no ratings"):
        recommender.recommend("u1", k=5, rerank=True)


def test_evaluation_says_the_errors_of_the_head_beside_the_means(shop: Shop):
    found = measure_ratings(shop.run)
    assert list(found) == ["model", "global_mean", "bias", "bias_as_of"]
    assert all(set(errors) == {"mse", "rmse", "mae"} for errors in found.values())
    # An item's rating is its own in the shop, whoever rates.
    assert found["model"]["rmse"] < found["global_mean"]["rmse"]
