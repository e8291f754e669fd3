"""An export with an inverted file: chosen by settings, measured, refused where it finds little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from serving_shop import Shop, request

import trecs
from trecs.cli import main
from trecs.errors import UsageError
from trecs.serving.index import ExactIndex
from trecs.serving.index_choice import (
    EXACT_MAX_ITEMS,
    inverted_file,
    is_exact,
    recall_by_probes,
)
from trecs.serving.inverted_file import Cells
from trecs.settings import ServingConfig


@pytest.fixture(scope="module")
def exported(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With every cell probed, so that nothing is missed."""
    folder = tmp_path_factory.mktemp("inverted") / "shop"
    serving = ServingConfig("inverted-file", min_recall=1.0)
    return trecs.export(shop.run, folder, k=20, serving=serving)


def _index(version: Path) -> dict[str, float | str]:
    return json.loads((version / "assets.extra" / "metadata.json").read_text("utf-8"))["index"]


@pytest.mark.parametrize(
    ("choice", "num_items", "exact"),
    [
        ("auto", EXACT_MAX_ITEMS, True),
        ("auto", EXACT_MAX_ITEMS + 1, False),
        ("exact", 10**7, True),
        ("inverted-file", 10, False),
    ],
)
def test_auto_scores_small_catalogues_whole(choice: str, num_items: int, exact: bool):
    assert is_exact(ServingConfig(choice), num_items) == exact


def test_recall_is_the_share_of_the_best_whose_cells_are_probed():
    vectors = np.zeros((20, 1), np.float32)
    vectors[:10, 0] = 1 + np.arange(10)
    # Of the ten best, seven lie in cell 0, three in cell 2; cell 1 looks better than cell 2.
    cell = np.array([2] * 3 + [0] * 7 + [1] * 10)
    cells = Cells(
        np.array([[9], [3], [1]], np.float32), (cell * 20 + np.arange(20)).astype("i4"), 20
    )

    queries = np.ones((4, 1), np.float32)
    assert recall_by_probes(vectors, vectors, cells, queries).tolist() == [0.7, 0.7, 1.0]
    # As stored, two of the three in cell 2 come after two of the worst: they are lost.
    stored = vectors.copy()
    stored[[0, 1], 0], stored[[10, 11], 0] = 0, 5
    assert recall_by_probes(vectors, stored, cells, queries).tolist() == [0.7, 0.7, 0.8]


def test_rounded_vectors_take_half_the_place_and_what_they_lose_is_measured(
    shop: Shop, exported: Path, tmp_path: Path
):
    serving = ServingConfig("inverted-file", storage="bfloat16", min_recall=0.8)
    rounded = trecs.export(shop.run, tmp_path / "shop", k=20, serving=serving)
    assert _index(rounded)["storage"] == "bfloat16"
    assert 0.8 <= _index(rounded)["recall@10"] < 1
    models = [tf.saved_model.load(str(version)) for version in (exported, rounded)]
    users = [f"u{n}" for n in range(40)]
    inputs = request(users, [shop.history(user) for user in users], [shop.as_of_s] * 40)
    exact, near = (model.signatures["recommend"](**inputs)["scores"].numpy() for model in models)
    np.testing.assert_allclose(near, exact, rtol=0.03, atol=0.03)
    assert (near != exact).any()


def test_rounding_that_loses_too_much_is_refused():
    # Their sums are apart by less than bfloat16 tells.
    part = np.random.default_rng(1).random(40)
    sums = np.linspace(1, 1.001, 40)
    vectors = np.stack([part, sums - part], axis=1).astype(np.float32)
    ids = np.array([f"i{n}" for n in range(40)], object)
    nothing = np.zeros((40, 0), np.float32)
    exact = ExactIndex(ids, np.concatenate([0 * vectors[:2], vectors]), 0 * vectors[:, 0], nothing)
    queries = np.ones((4, 3), np.float32)
    impossible = ServingConfig("inverted-file", storage="bfloat16", min_recall=1.0)
    with pytest.raises(UsageError, match="storage=bfloat16 rounds the vectors"):
        inverted_file(exact, queries, impossible)


def test_the_export_answers_as_the_exact_one(shop: Shop, exported: Path):
    users = [f"u{n}" for n in range(40)]
    inputs = request(users, [shop.history(user) for user in users], [shop.as_of_s] * 40)
    inputs |= {
        "excluded_item_ids": tf.constant([["i3"]] * 40),
        "allowed_categories": tf.constant([[""], ["genres=kind1"]] * 20),
    }
    answers = [
        model.signatures["recommend_filtered"](**inputs)
        for model in (shop.loaded, tf.saved_model.load(str(exported)))
    ]

    ids, scores = ([answer[name].numpy() for answer in answers] for name in ("item_ids", "scores"))
    np.testing.assert_array_equal(ids[0], ids[1])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_the_metadata_say_what_was_measured(shop: Shop, exported: Path):
    assert _index(shop.version) == {"kind": "exact"}
    found = _index(exported)
    assert found["kind"] == "inverted-file"
    assert found["recall@10"] == 1
    assert 1 <= found["probes"] <= found["cells"] == 11


def test_too_few_probes_are_refused_and_nothing_is_written(shop: Shop, tmp_path: Path):
    with pytest.raises(UsageError, match=r"probes=1 finds 0\.\d+ of the .*; probe \d+ cells"):
        trecs.export(shop.run, tmp_path / "m", serving=ServingConfig("inverted-file", probes=1))
    assert not [path for path in (tmp_path / "m").glob("*") if path.name.isdigit()]


def test_the_command_sets_the_index_and_nothing_else(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["export", str(shop.run.directory), "--to", str(tmp_path / "m"), "--set"]
    assert main([*command, "serving.index=inverted-file", "--set", "serving.min_recall=0.9"]) == 0
    assert _index(tmp_path / "m" / "1")["recall@10"] >= 0.9
    assert main([*command, "model.dropout=0.5"]) == 2
    assert "an export may set keys of [serving], got model.dropout=0.5" in capsys.readouterr().err
