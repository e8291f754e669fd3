"""Explanations are faithful: parts add up, and an event removed changes the score by its effect."""

import numpy as np
import pytest
from serving_shop import Shop, request

from trecs.cli import main
from trecs.errors import UsageError
from trecs.serving.score_parts import PARTS

DAY_S = 86_400


@pytest.fixture(scope="module")
def explained(shop: Shop):
    at = shop.as_of_s
    ids, scores = shop.recommend(["u3"], [shop.history("u3")], [at])
    scored = {i: score for i, score in zip(ids[0], scores[0].tolist(), strict=True) if i}
    return shop.recommender.explain("u3", list(scored), at=at), scored


def score_of(shop: Shop, item: str, history, at):
    ids, scores = shop.recommend(["u3"], [history], [at])
    return dict(zip(ids[0], scores[0].tolist(), strict=True)).get(item)


def test_parts_add_up_to_the_score_that_recommend_gives(explained):
    found, scores = explained
    assert [one.item_id for one in found] == list(scores)
    for one in found:
        assert tuple(one.parts) == PARTS
        assert sum(one.parts.values()) == pytest.approx(scores[one.item_id], abs=1e-4)
        assert one.score == pytest.approx(scores[one.item_id], abs=1e-4)


def test_counts_and_trend_have_a_part_of_their_own(explained):
    found, _ = explained
    largest = {name: max(abs(one.parts[name]) for one in found) for name in PARTS}
    assert largest["transitions"] > 0.01
    assert largest["ease"] > 0.01
    assert largest["taken ever"] > 0.01
    # The shop filters seen items, so it has no repeat term.
    assert largest["repeats"] == 0


def test_removing_an_event_changes_the_score_by_what_it_says(shop: Shop, explained):
    found, scores = explained
    history = shop.history("u3")
    checked = 0
    for one in found[:3]:
        assert len(one.events) == len(history)
        for effect in one.events[:4]:
            rest = [event for event in history if event != (effect.item_id, effect.timestamp)]
            without = score_of(shop, one.item_id, rest, shop.as_of_s)
            # The list is cut: an item can fall out of it.
            if without is not None:
                change = scores[one.item_id] - without
                assert effect.effect == pytest.approx(change, abs=1e-3)
                checked += 1
    assert checked > 6
    sizes = [abs(event.effect) for event in found[0].events]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0.01


def test_events_at_or_after_the_request_do_not_appear(shop: Shop):
    history = shop.recommender.history("u3")
    times = np.sort(history["timestamp"].to_numpy())
    (one,) = shop.recommender.explain("u3", ["i1"], at=int(times[4]) - 1)
    assert [event.timestamp for event in sorted(one.events, key=lambda e: e.timestamp)] == list(
        times[:4]
    )


def test_an_empty_history_has_parts_and_no_events(shop: Shop):
    (one,) = shop.recommender.explain("nobody", ["new"], at=shop.as_of_s)
    assert one.events == ()
    assert one.parts["not seen yet"] != 0
    assert one.parts["transitions"] == one.parts["ease"] == 0


def test_seen_items_can_be_explained_too(shop: Shop):
    item = shop.history("u3")[0][0]
    (one,) = shop.recommender.explain("u3", [item], at=shop.as_of_s)
    assert np.isfinite(one.score)


def test_pairs_explain_as_a_frame_does(shop: Shop):
    history, at = shop.recommender.history("u3"), shop.as_of_s
    pairs = list(zip(history["item_id"], history["timestamp"].tolist(), strict=True))
    explain = shop.recommender.explain
    assert explain("u3", ["i1"], pairs[::-1], at) == explain("u3", ["i1"], history, at)


def test_an_unknown_item_is_refused(shop: Shop):
    with pytest.raises(UsageError, match=r"expected items of the catalogue, got \['nothing'\]"):
        shop.recommender.explain("u3", ["i1", "nothing"])


def test_the_signature_answers_several_users_at_once(shop: Shop):
    inputs = request(["u1", "u2"], [shop.history("u1"), []], [shop.as_of_s] * 2)
    answer = shop.loaded.signatures["explain"](**inputs, item_ids=[["i1", "i2"], ["i2", "no"]])
    for row in answer["names"].numpy():
        assert [name.decode() for name in row] == list(PARTS)
    parts = answer["parts"].numpy()
    assert parts.shape == (2, 2, len(PARTS))
    one = shop.recommender.explain("u1", ["i2"], at=shop.as_of_s)[0]
    np.testing.assert_allclose(parts[0, 1], list(one.parts.values()), atol=1e-5)


def test_the_command_prints_parts_and_events(shop: Shop, capsys):
    command = ["recommend", str(shop.version), "--user", "u3", "--at", str(shop.as_of_s), "-k", "2"]
    assert main([*command, "--explain"]) == 0
    out = capsys.readouterr().out
    assert "transitions +" in out
    assert "without" in out
