"""What the exported graph answers to requests of every kind."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from serving_shop import Shop, request
from shop_world import NUM_ITEMS, NUM_USERS

from trecs.api import deploy
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models.neighbours import NUM_RECENT
from trecs.serving.request import own_items

YEAR_S = 365 * 86_400
ALL_ITEMS = [*(f"i{n}" for n in range(NUM_ITEMS)), "new"]


def test_own_items_of_many_users_and_millions_of_items_are_told_apart():
    users, num_items = 1024, 5_000_000
    candidate = num_items - 1 - tf.range(users)[:, None] * tf.constant([[1, 1]])
    times = tf.broadcast_to(tf.constant([[10, 20]], tf.int64), [users, 2])
    count, at_s = tf.fill([users], 2), tf.fill([users], tf.constant(30, tf.int64))
    own = own_items(candidate, times, count, at_s, num_items)
    np.testing.assert_array_equal(own.query, np.arange(users))
    np.testing.assert_array_equal(own.row, candidate[:, 0] + FIRST_ITEM_ROW)
    assert set(own.count.numpy()) == {2}


def test_request_time_alone_changes_the_ranked_lists(shop: Shop):
    users = [f"u{n}" for n in range(NUM_USERS)]
    histories = [shop.history(user) for user in users]
    soon, _ = shop.recommend(users, histories, [shop.as_of_s] * NUM_USERS)
    later, _ = shop.recommend(users, histories, [shop.as_of_s + YEAR_S] * NUM_USERS)

    differing = sum(a != b for a, b in zip(soon, later, strict=True))
    assert differing > NUM_USERS // 2


@pytest.mark.parametrize(
    ("user", "history"),
    [
        ("nobody", [("i1", 1_600_000_000), ("i2", 1_600_000_100)]),
        ("u1", [("not sold here", 1_600_000_000), ("i2", 1_600_000_100)]),
        ("u1", []),
        ("nobody", []),
        ("", []),
        ("u1", [("", 0), ("i4", 1_600_000_000), ("", 0)]),
        ("u1", [(f"i{n % 7}", 1_600_000_000 + n) for n in range(10_000)]),
        ("u1", [("i4", -5), ("i5", 0)]),
    ],
    ids=[
        "unknown user",
        "unknown item",
        "empty history",
        "unknown user without history",
        "empty user id",
        "padding",
        "10,000 events",
        "times before 1970",
    ],
)
def test_every_request_gets_a_full_list_with_finite_scores(shop: Shop, user, history):
    ids, scores = shop.recommend([user], [history], [shop.as_of_s])

    assert np.isfinite(scores).all()
    assert (np.diff(scores[0]) <= 0).all()
    assert set(ids[0]) <= set(ALL_ITEMS)
    assert len(set(ids[0])) == 20
    assert not set(ids[0]) & {item for item, _ in history}


def test_a_user_who_has_had_everything_gets_empty_places_with_finite_scores(shop: Shop):
    history = [(item, shop.as_of_s - 100 - n) for n, item in enumerate(ALL_ITEMS)]
    ids, scores = shop.recommend(["u1"], [history], [shop.as_of_s])

    assert ids[0] == [""] * 20
    assert np.isfinite(scores).all()


def test_places_that_no_item_is_left_for_come_last(shop: Shop):
    history = [(item, shop.as_of_s - 100 - n) for n, item in enumerate(ALL_ITEMS[3:])]
    ids, _ = shop.recommend(["u1"], [history], [shop.as_of_s])

    assert sorted(ids[0][:3]) == ["i0", "i1", "i2"]
    assert ids[0][3:] == [""] * 17


def test_a_batch_of_mixed_lengths_is_answered_as_each_alone(shop: Shop):
    users = ["u0", "nobody", "u2", "u3"]
    histories = [shop.history("u0"), [], shop.history("u2")[:2], shop.history("u3")[:9]]
    times = [shop.as_of_s + 1000 * n for n in range(4)]
    ids, scores = shop.recommend(users, histories, times)

    for row in range(4):
        alone, alone_scores = shop.recommend([users[row]], [histories[row]], [times[row]])
        assert alone[0] == ids[row]
        np.testing.assert_allclose(alone_scores[0], scores[row], atol=1e-5, rtol=0)


def test_an_empty_batch_has_an_empty_answer(shop: Shop):
    ids, scores = shop.recommend([], [], [])

    assert ids == []
    assert scores.shape == (0, 20)


def test_events_at_or_after_the_request_are_ignored(shop: Shop):
    history, at_s = shop.history("u4")[:5], shop.history("u4")[4][1] + 60
    future = [("i7", at_s), ("i8", at_s + 1), ("i9", at_s + YEAR_S)]
    without, without_scores = shop.recommend(["u4"], [history], [at_s])
    ids, scores = shop.recommend(["u4"], [[*future, *history]], [at_s])

    assert ids == without
    np.testing.assert_array_equal(scores, without_scores)


def test_the_order_of_a_history_in_the_request_does_not_matter(shop: Shop):
    history = shop.history("u6")
    ids, scores = shop.recommend(["u6"], [history], [shop.as_of_s])
    turned, turned_scores = shop.recommend(["u6"], [history[::-1]], [shop.as_of_s])

    assert turned == ids
    np.testing.assert_array_equal(turned_scores, scores)


def test_items_of_the_history_never_come_back(shop: Shop):
    users = [f"u{n}" for n in range(NUM_USERS)]
    histories = [shop.history(user) for user in users]
    ids, _ = shop.recommend(users, histories, [shop.as_of_s] * NUM_USERS)

    for row, history in zip(ids, histories, strict=True):
        assert not set(row) & {item for item, _ in history}


def test_inner_products_of_the_embeddings_are_the_scores_without_an_event(shop: Shop):
    query = shop.ask(["u8"], [[]], [shop.as_of_s], "encode_query")["embedding"]
    ids, scores = shop.recommend(["u8"], [[]], [shop.as_of_s])
    known = [item for item in ids[0] if item]
    items = _encode_items(shop, known)

    assert len(known) >= 10
    np.testing.assert_allclose(items @ query[0], scores[0, : len(known)], atol=1e-5, rtol=0)


def test_with_events_the_neighbour_terms_are_on_top_of_the_inner_products(shop: Shop):
    model, run = shop.run.model(), shop.run
    history = shop.history("u8")
    query = shop.ask(["u8"], [history], [shop.as_of_s], "encode_query")["embedding"]
    ids, scores = shop.recommend(["u8"], [history], [shop.as_of_s])
    known = [item for item in ids[0] if item]

    candidates = run.items.item_ids.tolist()
    recent = np.full((1, NUM_RECENT), -1, np.int32)
    recent[0, -len(history) :] = [candidates.index(item) for item, _ in history]
    on_top = model.score_neighbours(deploy(run, 1).neighbours(), tf.constant(recent)).numpy()[0]
    expected = _encode_items(shop, known) @ query[0]
    expected += on_top[[candidates.index(item) for item in known]]
    np.testing.assert_allclose(expected, scores[0, : len(known)], atol=1e-5, rtol=0)


def test_unknown_items_share_one_finite_embedding(shop: Shop):
    items = _encode_items(shop, ["no such item", "nor this", "i1"])

    assert np.isfinite(items).all()
    np.testing.assert_array_equal(items[0], items[1])
    assert not np.array_equal(items[0], items[2])


def test_serving_default_is_recommend(shop: Shop):
    asked = (["u9"], [shop.history("u9")], [shop.as_of_s])
    default, recommend = (shop.ask(*asked, name) for name in ("serving_default", "recommend"))

    np.testing.assert_array_equal(default["item_ids"], recommend["item_ids"])
    np.testing.assert_array_equal(default["scores"], recommend["scores"])


def test_signatures_have_the_documented_inputs(shop: Shop):
    _, inputs = shop.loaded.signatures["recommend"].structured_input_signature
    found = {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in inputs.items()}

    assert found == {
        "user_id": ("string", [None]),
        "history_item_ids": ("string", [None, None]),
        "history_timestamps": ("int64", [None, None]),
        "request_time": ("int64", [None]),
    }
    assert set(request(["u1"], [[]], [0])) == set(found)


def _encode_items(shop: Shop, item_ids: list[str]) -> np.ndarray:
    import tensorflow as tf

    encode = shop.loaded.signatures["encode_item"]
    return encode(item_id=tf.constant(item_ids))["embedding"].numpy()
