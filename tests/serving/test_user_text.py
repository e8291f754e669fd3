"""Users' profile texts from the file to the served answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hugging_face_folder import write_folder
from live_model import ask_live
from serving_shop import Shop
from serving_shop import request as ask_for
from shop_world import DAYS, NUM_ITEMS, NUM_USERS, SETTINGS, START_S, shop_events

import trecs
from trecs.cli import main
from trecs.data.sequences import build_sequences
from trecs.data.users import UserTexts
from trecs.evaluation.protocol import make_requests
from trecs.features.users import profile_scale
from trecs.run import Run
from trecs.serving.refresh_state import load_state
from trecs.serving.server_inputs import InputSpec, check_shape, check_values
from trecs.serving.server_settings import RequestError, ServerSettings
from trecs.text.bert import encode_texts, load_bert

WORDS = ("matrix", "toy", "story", "amelie", "cafe", "红", "楼", "梦")
FUTURE_S = START_S + 90 * 86_400
"""After all events."""


@dataclass(frozen=True)
class ProfiledShop:
    """A shop whose users have texts, and its model from raw texts."""

    shop: Shop
    encode: tf.types.experimental.GenericFunction
    folder: Path


@pytest.fixture(scope="module", params=["frozen", pytest.param("lora", marks=pytest.mark.slow)])
def profiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ProfiledShop:
    """The items' BERT is tuned or not; the users' stays frozen."""
    folder = tmp_path_factory.mktemp("users")
    write_folder(folder / "bert")
    late = pd.DataFrame({"item_id": ["i1", "i2", "i3"], "rating": 3.0})
    # Of the test window alone.
    late = late.assign(user_id="late", timestamp=START_S + DAYS * 86_400 - np.arange(3) * 600)
    pd.concat([shop_events(), late]).to_csv(folder / "events.csv", index=False)
    titles = [f"the {WORDS[n % 8]} of {WORDS[n // 8]}" for n in range(NUM_ITEMS)]
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(NUM_ITEMS)], "title": titles})
    items.to_csv(folder / "items.csv", index=False)
    # The first user has no row, the second no text.
    ids = [*(f"u{n}" for n in range(1, NUM_USERS)), "late", "to come"]
    texts = ["", *(f"a {WORDS[n % 8]} {WORDS[n % 5]}" for n in range(len(ids) - 1))]
    users = pd.DataFrame({"user_id": ids, "profile": texts})
    users.to_csv(folder / "users.csv", index=False)
    command = train_command(folder, request.param)
    command += ["--users", str(folder / "users.csv"), "--out", str(folder / "run")]
    assert main(command) == 0
    export = ["export", str(folder / "run"), "--to", str(folder / "model"), "-k", "20"]
    assert main([*export, "--text-to", str(folder / "text")]) == 0
    version = folder / "model" / "1"
    recommender = trecs.Recommender(version)
    shop = Shop(Run.open(folder / "run"), version, tf.saved_model.load(str(version)), recommender)
    encode = tf.saved_model.load(str(folder / "text" / "1")).signatures["encode_user_text"]
    return ProfiledShop(shop, encode, folder)


def train_command(folder: Path, tuning: str) -> list[str]:
    """Without the users and the run's folder."""
    command = ["train", str(folder / "events.csv"), "--items", str(folder / "items.csv")]
    settings = [text for text in SETTINGS if not text.startswith("text.")]
    text = [f"text.preset={folder / 'bert'}", f"text.tuning={tuning}", "text.learning_rate=0.001"]
    for setting in [*settings, *text, "rating.epochs=1"]:
        command += ["--set", setting]
    return command


def query(shop: Shop, user_ids: list[str]) -> np.ndarray:
    histories = [shop.history("u3")] * len(user_ids)
    times = [FUTURE_S] * len(user_ids)
    return shop.ask(user_ids, histories, times, "encode_query")["embedding"]


def test_profiles_add_one_weight_and_a_run_without_them_has_none(profiled: ProfiledShop) -> None:
    run = profiled.shop.run
    without = Run(run.directory, run.config, replace(run.dataset, users=None), run.text_vectors)
    ours, plain = run.model(), without.untrained_model()
    kinds = [
        # Keras numbers layers of a name in one process: dense_7.
        [(re.sub(r"_\d+\b", "", weight.path), tuple(weight.shape)) for weight in model.weights]
        for model in (ours, plain)
    ]
    kinds[0].remove(("profile_projection/kernel", (16, 8)))
    assert kinds[0] == kinds[1]
    assert np.abs(ours.profile_projection.kernel.numpy()).max() > 1e-3


def test_another_text_of_a_user_changes_that_users_scores_and_nobody_elses(
    profiled: ProfiledShop,
) -> None:
    run = profiled.shop.run
    users = run.dataset.users
    texts, vectors = users.texts.copy(), run.profile_vectors.copy()
    place = users.user_ids.tolist().index("late")
    texts[place] = "a naive film"
    vectors[place] = encode_texts(load_bert(run.config.text.preset), [texts[place]], 64)[0]
    changed = replace(run.dataset, users=UserTexts(users.user_ids, texts))
    other = Run(run.directory, run.config, changed, run.text_vectors, vectors)
    log = run.dataset.log
    requests = make_requests(log, build_sequences(log), run.split.test, "strict")
    before, after = (each.scorer(each.model()).score(requests) for each in (run, other))
    of_late = log.user_ids[requests.user] == "late"
    assert of_late.sum() == 3
    np.testing.assert_array_equal(after[~of_late], before[~of_late])
    assert np.abs(after[of_late] - before[of_late]).max(axis=1).min() > 1e-4


def test_the_export_answers_as_the_live_model_does(profiled: ProfiledShop) -> None:
    run, shop = profiled.shop.run, profiled.shop
    vectors = run.trained_text_vectors
    live = ask_live(run, run.dataset, vectors, shop.as_of_s, FUTURE_S)
    times = [FUTURE_S] * len(live.user_ids)
    ids, scores = shop.recommend(live.user_ids, live.histories, times)
    assert "late" in live.user_ids
    expected_ids, expected = live.best(10)
    np.testing.assert_allclose(scores[:, :10], expected, atol=1e-4)
    assert [row[:10] for row in ids] == expected_ids


def test_users_without_a_text_and_unknown_ones_have_no_profile(profiled: ProfiledShop) -> None:
    users, shop = profiled.shop.run.users, profiled.shop
    row = {user_id: number + 1 for number, user_id in enumerate(users.user_ids)}
    without = [0, row["u0"], row["u1"]]
    assert not users.profile[without].any()
    assert np.delete(users.profile, without, axis=0).any(axis=1).all()
    assert shop.recommender.metadata["users_with_profile"] == NUM_USERS
    zeros = {"profile": tf.zeros([2, 8])}
    inputs = ask_for(["x", "u1"], [shop.history("u3")] * 2, [FUTURE_S] * 2)
    given = shop.loaded.signatures["recommend_with_profile"](**inputs, **zeros)
    plain = shop.loaded.signatures["recommend"](**inputs)
    np.testing.assert_allclose(given["scores"], plain["scores"], atol=1e-5)


def test_a_user_to_come_is_served_by_its_text(profiled: ProfiledShop) -> None:
    """By its id, or under a new id by what `encode_user_text` makes of the same text."""
    shop, texts = profiled.shop, profiled.shop.run.dataset.users.texts
    known, unknown = query(shop, ["to come", "x"])
    assert np.abs(known - unknown).max() > 1e-4
    profile = profiled.encode(text=tf.constant(texts[-1:].tolist()))["embedding"]
    asked = [shop.history("u3")], [FUTURE_S]
    ask = shop.loaded.signatures["recommend_with_profile"]
    given = ask(**ask_for(["x"], *asked), profile=profile)
    by_id = shop.loaded.signatures["recommend"](**ask_for(["to come"], *asked))
    np.testing.assert_array_equal(given["item_ids"], by_id["item_ids"])
    np.testing.assert_allclose(given["scores"], by_id["scores"], atol=1e-4)


def test_encode_user_text_is_the_profiles_part_of_the_query(profiled: ProfiledShop) -> None:
    run = profiled.shop.run
    texts = ["a red film of the matrix", "", "toy"]
    raw = encode_texts(load_bert(run.config.text.preset), texts, 64)
    centre, scale = profile_scale(run.vocabulary, run.dataset.users, run.profile_vectors)
    kernel = run.model().profile_projection.kernel.numpy()
    expected = np.nan_to_num((raw - centre) / scale) @ kernel
    found = profiled.encode(text=tf.constant(texts))["embedding"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not found[1].any()


def test_a_refreshed_version_keeps_the_profiles(profiled: ProfiledShop) -> None:
    model = profiled.folder / "model"
    # One item fewer, or there would be nothing to refresh.
    fewer = profiled.folder / "fewer.csv"
    pd.read_csv(profiled.folder / "items.csv")[:-1].to_csv(fewer, index=False)
    version = trecs.refresh(model, items=fewer)
    assert version.name == "2"
    ids = ["u1", "u2", "late", "to come", "x"]
    refreshed = replace(profiled.shop, loaded=tf.saved_model.load(str(version)))
    np.testing.assert_allclose(query(refreshed, ids), query(profiled.shop, ids), atol=1e-5)
    users, run_users = load_state(version).users, profiled.shop.run.users
    assert users.user_ids == run_users.user_ids
    np.testing.assert_array_equal(users.profile, run_users.profile)


def test_a_server_refuses_a_profile_of_another_width(profiled: ProfiledShop) -> None:
    signature = profiled.shop.loaded.signatures["recommend_with_profile"]
    spec = InputSpec.of(signature.structured_input_signature[1]["profile"])
    check_shape("profile", (3, 8), spec, ServerSettings())
    with pytest.raises(RequestError, match=r"a row of profile needs the shape \[8\], got \[2\]"):
        check_shape("profile", (3, 2), spec, ServerSettings())


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_server_refuses_a_profile_that_is_not_finite(number: float) -> None:
    row = {
        "user_id": np.array([b"u1"], object),
        "request_time": np.array([1_700_000_000]),
        "history_item_ids": np.zeros((1, 0), object),
        "history_timestamps": np.zeros((1, 0), np.int64),
        "profile": np.zeros((1, 8), np.float32),
    }
    check_values(row)
    row["profile"][0, 3] = number
    with pytest.raises(RequestError, match=f"profile needs finite numbers, got {number}"):
        check_values(row)


def test_ratings_take_a_user_known_by_its_text_alone_for_a_new_one(profiled: ProfiledShop) -> None:
    inputs = ask_for(["to come", "x"], [profiled.shop.history("u3")] * 2, [FUTURE_S] * 2)
    candidates = tf.constant([["i1", "i5"]] * 2)
    rank = profiled.shop.loaded.signatures["rank"]
    found = rank(**inputs, candidate_item_ids=candidates)["predictions"].numpy()
    np.testing.assert_array_equal(found[0], found[1])


def test_the_same_run_with_other_texts_is_refused(profiled: ProfiledShop, capsys) -> None:
    users = pd.read_csv(profiled.folder / "users.csv")
    users.loc[3, "profile"] = "someone else"
    users.to_csv(profiled.folder / "other.csv", index=False)
    command = train_command(profiled.folder, profiled.shop.run.config.text.tuning)
    command += ["--out", str(profiled.shop.run.directory)]
    assert main([*command, "--users", str(profiled.folder / "other.csv")]) == 2
    assert "the data are not the same" in capsys.readouterr().err
