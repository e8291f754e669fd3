"""Answers without excluded items and within categories, from the graph to the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from serving_process import serving
from serving_shop import Shop, request
from shop_world import NUM_ITEMS

from trecs.cli import main
from trecs.errors import UsageError
from trecs.serving import Client
from trecs.serving.categories import ItemCategories, category_names
from trecs.serving.client_payload import filter_inputs
from trecs.serving.server import Server

USER = "u4"


def _filtered(
    shop: Shop, users: Sequence[str], exclude: list[list[str]], categories: list[list[str]]
) -> tuple[list[list[str]], np.ndarray]:
    """Ids without the empty places, and scores."""
    inputs = request(users, [shop.history(user) for user in users], [shop.as_of_s] * len(users))
    for name, lists in (("excluded_item_ids", exclude), ("allowed_categories", categories)):
        inputs[name] = tf.constant(lists, tf.string, [len(users), len(lists[0])])
    answer = shop.loaded.signatures["recommend_filtered"](**inputs)
    ids = [[i.decode() for i in row if i] for row in answer["item_ids"].numpy()]
    return ids, answer["scores"].numpy()


def _unfiltered(shop: Shop, user: str) -> list[str]:
    """All that the user may be recommended, best first."""
    return [item.item_id for item in shop.recommender.recommend(user, at=shop.as_of_s, k=20)]


def _number(item: str) -> int:
    return 0 if item == "new" else int(item.removeprefix("i"))


def test_without_filters_it_is_recommend(shop: Shop):
    ids, scores = _filtered(shop, [USER], [[""]], [[""]])
    plain = shop.ask([USER], [shop.history(USER)], [shop.as_of_s], "recommend")

    assert ids[0] == [i.decode() for i in plain["item_ids"][0] if i]
    np.testing.assert_array_equal(scores, plain["scores"])


def test_excluded_items_make_room_for_the_next(shop: Shop):
    best = _unfiltered(shop, USER)
    ids, _ = _filtered(shop, [USER], [[best[0], "not sold here", "", best[2]]], [[""]])

    assert ids[0] == [best[1], *best[3:]]


def test_one_of_the_categories_is_enough(shop: Shop):
    ids, _ = _filtered(shop, [USER], [[""]], [["genres=kind1", "genres=shape2", ""]])

    best = _unfiltered(shop, USER)
    # 31 items less 12 of the history: the unfiltered list holds everything that is left.
    assert len(best) == 19
    of_kind = [i for i in best if i != "new" and (_number(i) % 3 == 1 or _number(i) % 4 == 2)]
    assert ids[0] == of_kind
    assert 0 < len(of_kind) < len(best)


def test_rows_are_filtered_each_by_its_own(shop: Shop):
    best = _unfiltered(shop, USER)
    users, categories = [USER] * 3, [["genres=shape9"], [""], ["genres=kind0"]]
    ids, _ = _filtered(shop, users, [[""], [best[0]], [""]], categories)

    assert ids[0] == ["new"]
    assert ids[1] == best[1:]
    assert ids[2] == [i for i in best if _number(i) % 3 == 0]


@pytest.mark.parametrize("name", ["kind1", "genres=Kind1", "genres=kind1 ", "title=Thing 1"])
def test_a_name_that_no_item_has_allows_none(shop: Shop, name: str):
    ids, scores = _filtered(shop, [USER], [[""]], [[name]])

    assert ids == [[]]
    assert np.isfinite(scores).all()


def test_items_of_the_history_stay_out_whatever_is_allowed(shop: Shop):
    ids, _ = _filtered(shop, [USER], [[""]], [["genres=kind0", "genres=kind1", "genres=kind2"]])

    assert not {item for item, _ in shop.history(USER)} & set(ids[0])


def test_names_are_column_and_value():
    columns = {"genres": [("Comedy", "War"), ()], "brand": [("A=B",), ("C",)]}
    assert category_names(columns, 2) == [["genres=Comedy", "genres=War", "brand=A=B"], ["brand=C"]]


def test_members_of_each_category_by_hand():
    table = ItemCategories([["a=1"], ["b=1", "a=1"], [], ["b=1"]])
    names = tf.constant([["a=1", ""], ["b=1", "a=1"], ["", ""], ["c=1", ""]])

    allowed = table.allowed(names).numpy()
    assert allowed.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert table.allowed(tf.zeros([2, 0], tf.string)).numpy().all()


def test_a_catalogue_without_categories_allows_all_or_none():
    table = ItemCategories([[], []])
    assert table.allowed(tf.constant([[""], ["a=1"]])).numpy().tolist() == [[True] * 2, [False] * 2]


def test_the_recommender_filters_and_knows_the_categories(shop: Shop):
    best = _unfiltered(shop, USER)
    found = shop.recommender.recommend(
        USER, at=shop.as_of_s, exclude=best[:1], categories=["genres=kind2", "genres=kind0"]
    )
    expected = [i for i in best[1:] if _number(i) % 3 != 1]
    assert [item.item_id for item in found] == expected[:10]
    with pytest.raises(UsageError, match=r"no item has the category 'kind2'; .*'genres=kind"):
        shop.recommender.recommend(USER, at=shop.as_of_s, categories=["kind2"])


def test_a_single_string_is_no_list():
    with pytest.raises(UsageError, match="are lists of strings, got 'i1' and"):
        filter_inputs("i1", [], 1)


@pytest.fixture(scope="module")
def server(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(shop, tmp_path_factory.mktemp("filtered") / "shop") as server:
        yield server


@pytest.mark.parametrize("api", ["http", "grpc"])
def test_the_client_filters(shop: Shop, server: Server, api: str):
    port = server.rest_port if api == "http" else server.grpc_port
    client = Client(f"{api}://127.0.0.1:{port}", "shop")
    best = _unfiltered(shop, USER)
    history = shop.history(USER)

    found = client.recommend(USER, history, shop.as_of_s, exclude=best[:3])
    assert [item.item_id for item in found] == best[3:13]
    many = client.recommend_many(
        [USER, USER], [history, history], [shop.as_of_s] * 2, categories=["genres=shape1"]
    )
    assert [[i.item_id for i in found] for found in many] == [
        [i for i in best if i != "new" and _number(i) % 4 == 1]
    ] * 2
    client.close()


def test_the_command_filters(shop: Shop, capsys: pytest.CaptureFixture[str]):
    best = _unfiltered(shop, USER)
    command = ["recommend", str(shop.version), "--user", USER, "--json", "--at", str(shop.as_of_s)]
    filters = ["--exclude", best[0], "--exclude", best[1], "--category", "genres=kind0"]

    assert main([*command, *filters]) == 0
    ids = [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]
    assert ids == [i for i in best[2:] if _number(i) % 3 == 0][:10]
    assert main([*command, "--category", "kind0"]) == 2
    assert "no item has the category 'kind0'" in capsys.readouterr().err


def test_items_and_categories_lie_beside_the_graph(shop: Shop):
    import pandas as pd

    items = pd.read_parquet(Path(shop.version) / "assets.extra" / "items.parquet")
    by_id = items.set_index("item_id")["categories"]
    assert by_id["i7"].tolist() == ["genres=kind1", "genres=shape3"]
    assert len(items) == NUM_ITEMS + 1


def test_a_category_named_many_times_is_read_once():
    categories = ItemCategories([["g=a"], ["g=b"], ["g=a", "g=b"], []])
    plain = categories.allowed(tf.constant([["g=a", ""], ["g=b", "g=a"], ["", ""]]))
    often = categories.allowed(
        tf.constant([["g=a"] * 2000, ["g=b", "g=a"] * 1000, ["", ""] * 1000])
    )
    np.testing.assert_array_equal(often, plain)
    assert plain.numpy().tolist() == [
        [True, False, True, False], [True, True, True, False], [True] * 4,
    ]  # fmt: skip
