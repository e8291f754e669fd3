"""New items from text: encoded by the BERT of the training, frozen or tuned."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hugging_face_folder import write_folder
from shop_world import NUM_ITEMS, SETTINGS, shop_events

import trecs
from trecs.errors import ConfigError
from trecs.serving.refresh_state import load_state
from trecs.text.bert import encode_texts

WORDS = ("matrix", "toy", "story", "amelie", "cafe", "红", "楼", "梦")
TITLES = [f"the {WORDS[n % 8]} of {WORDS[n // 8]}" for n in range(NUM_ITEMS)]
NEW_TITLE = "a naive film of the red dream"


@dataclass(frozen=True)
class TextShop:
    """A run with text, its model folder refreshed once with a new item, and the items file."""

    run: trecs.Run
    model: Path
    items: Path
    bert: Path


@pytest.fixture(scope="module", params=["frozen", pytest.param("lora", marks=pytest.mark.slow)])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextShop:
    folder = tmp_path_factory.mktemp("text")
    write_folder(folder / "bert")
    shop_events().to_csv(folder / "events.csv", index=False)
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(NUM_ITEMS)], "title": TITLES})
    items.to_csv(folder / "items.csv", index=False)
    settings = [text for text in SETTINGS if not text.startswith("text.")]
    own = [f"text.preset={folder / 'bert'}", f"text.tuning={request.param}"]
    own += ["text.learning_rate=0.001", "rating.loss=none"]
    config = trecs.load_config(overrides=[*settings, *own])
    dataset, _ = trecs.load_data(folder / "events.csv", folder / "items.csv", config)
    run = trecs.train(dataset, folder / "run", config, verbose=0)
    trecs.export(run, folder / "model", k=NUM_ITEMS + 2)
    new = pd.DataFrame({"item_id": ["brand"], "title": [NEW_TITLE]})
    changed = items.replace({"title": {TITLES[4]: TITLES[5]}})
    pd.concat([new, changed]).to_csv(folder / "newer.csv", index=False)
    trecs.refresh(folder / "model", items=folder / "newer.csv")
    return TextShop(run, folder / "model", folder / "newer.csv", folder / "bert")


def test_a_new_items_vector_is_the_towers_of_its_text_with_the_id_hidden(shop: TextShop):
    model = shop.run.model()
    (raw,) = encode_texts(shop.run.bert(model), [NEW_TITLE], 64)
    centre, scale = shop.run.text_scale
    features = {
        "id_index": np.zeros(1, np.int32),
        "text": ((raw - centre) / scale)[None].astype(np.float32),
        "categories": np.zeros((1, 1), np.int32),
        "release": np.zeros((1, 2), np.float32),
    }
    expected, _ = model.item_tower(features)

    state = load_state(shop.model / "2")
    index = state.index()
    place = index.item_ids.numpy().tolist().index(b"brand")
    np.testing.assert_allclose(index.vectors.numpy()[place + 2], expected[0], atol=1e-4)
    assert np.abs(index.vectors.numpy()[place + 2] - index.vectors.numpy()[1]).max() > 1e-3


def test_known_texts_keep_their_vectors_and_a_changed_title_takes_its_texts_vector(shop: TextShop):
    before, after = load_state(shop.model / "1"), load_state(shop.model / "2")
    vector_of = [
        dict(zip(state.dataset.catalogue.item_ids, state.text_vectors, strict=True))
        for state in (before, after)
    ]
    np.testing.assert_array_equal(vector_of[1]["i4"], vector_of[0]["i5"])
    for n in (0, 3, 5, 29):
        np.testing.assert_array_equal(vector_of[1][f"i{n}"], vector_of[0][f"i{n}"])
    np.testing.assert_array_equal(before.text_scale[0], after.text_scale[0])


def test_the_new_item_is_recommended_by_its_title(shop: TextShop):
    others = {"item_id": [f"i{n}" for n in range(1, NUM_ITEMS)], "timestamp": 1_600_000_000}
    found = trecs.Recommender(shop.model).recommend("x", pd.DataFrame(others), k=3)
    assert sorted(item.title for item in found) == [NEW_TITLE, TITLES[0]]


def test_a_bert_that_cannot_be_reached_is_said_and_nothing_is_written(shop: TextShop, tmp_path):
    """Only where there is a text that is not known, and the BERT is not the version's own."""
    shutil.copytree(shop.model, tmp_path / "model")
    moved = shop.bert.rename(tmp_path / "bert")
    try:
        items = pd.read_csv(shop.items)
        # One item fewer: another version, and no text that is new.
        items[:-1].to_csv(tmp_path / "items.csv", index=False)
        version = trecs.refresh(tmp_path / "model", items=tmp_path / "items.csv")
        assert version.name == "3"
        items.loc[3, "title"] = "the matrix of dreams"
        items.to_csv(tmp_path / "items.csv", index=False)
        if shop.run.config.text.tuning != "frozen":
            assert trecs.refresh(tmp_path / "model", items=tmp_path / "items.csv").name == "4"
            return
        with pytest.raises(ConfigError, match="no BERT could be loaded from text.preset"):
            trecs.refresh(tmp_path / "model", items=tmp_path / "items.csv")
        names = sorted(path.name for path in (tmp_path / "model").iterdir())
        assert names == [".lock", "1", "2", "3"]
    finally:
        moved.rename(shop.bert)
