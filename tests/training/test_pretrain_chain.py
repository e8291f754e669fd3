"""From a Chinese shop to answers: pretrain, train on the preset, export, recommend."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from shop_world import NUM_ITEMS, SETTINGS, shop_events

from trecs.api import export_text
from trecs.cli import main
from trecs.errors import ConfigError
from trecs.run import Run
from trecs.text.bert import cached_text_vectors

KINDS = ("红茶", "绿茶", "咖啡", "牛奶", "果汁")
PLACES = ("云南", "福建", "四川", "江苏", "台湾", "广东")
TITLES = [f"{PLACES[n // 5]}{KINDS[n % 5]} 新品 🍵" for n in range(NUM_ITEMS)]
PRETRAINING = (
    "pretraining.steps=6",
    "pretraining.batch_rows=8",
    "pretraining.max_tokens=16",
    "pretraining.warmup_steps=2",
    "pretraining.vocabulary_size=200",
    "pretraining.num_layers=1",
    "pretraining.hidden_dim=16",
    "pretraining.held_out_share=0.1",
)


def sets(settings):
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chinese")
    shop_events().to_csv(folder / "events.csv", index=False)
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(NUM_ITEMS)], "title": TITLES})
    items.to_csv(folder / "items.csv", index=False)
    data = [str(folder / "events.csv"), "--items", str(folder / "items.csv")]
    command = ["pretrain", "--corpus", *data, "--out", str(folder / "bert"), *sets(PRETRAINING)]
    assert main(command) == 0
    settings = [text for text in SETTINGS if not text.startswith("text.")] + ["rating.loss=none"]
    command = ["train", *data, "--out", str(folder / "run"), "--bert", str(folder / "bert")]
    assert main([*command, *sets(settings)]) == 0
    return folder


def test_histories_and_items_are_pretrained_on(shop):
    report = json.loads((shop / "bert" / "pretraining.json").read_text("utf-8"))
    assert set(report["after"]) == {"events.csv items", "events.csv histories"}


def test_the_run_reads_the_preset(shop):
    claim = json.loads((shop / "run" / "run.json").read_text("utf-8"))
    assert claim["config"]["text"]["preset"] == str(shop / "bert")
    vectors = np.load(shop / "run" / "text_vectors.npy")
    assert vectors.shape == (NUM_ITEMS, 16)
    assert len(np.unique(vectors.round(4), axis=0)) == NUM_ITEMS
    again = cached_text_vectors(str(shop / "bert"), TITLES, 64)
    np.testing.assert_allclose(np.sort(vectors, axis=0), np.sort(again, axis=0), atol=1e-5)


def test_the_exported_model_answers_in_chinese(shop, capsys):
    model = str(shop / "model")
    assert main(["export", str(shop / "run"), "--to", model, "-k", "5"]) == 0
    capsys.readouterr()
    command = ["recommend", model, "--user", "u1", "--at", "2020-11-01T12:00:00Z", "-k", "3"]
    assert main([*command, "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert len(items) == 3
    assert {item["title"] for item in items} <= set(TITLES)


def test_texts_become_the_vectors_of_new_items(shop):
    texts = shop / "new_texts"
    command = ["export", str(shop / "run"), "--to", str(shop / "second"), "--text-to", str(texts)]
    assert main(command) == 0
    encode = tf.saved_model.load(str(texts / "1")).signatures["encode_item_text"]
    found = encode(text=tf.constant(["", TITLES[0]]))["embedding"].numpy()
    run = Run.open(shop / "run")
    model = run.model()
    # Without text a new item is the shared new id alone; a text adds its projection.
    new_id = model.item_tower.id_embedding.embeddings.numpy()[0]
    np.testing.assert_allclose(found[0], new_id, atol=1e-6)
    row = run.items.row_of_code[run.dataset.catalogue.titles.tolist().index(TITLES[0])]
    text = run.items.text[row] @ model.item_tower.text_projection.kernel.numpy()
    np.testing.assert_allclose(found[1], new_id + text, atol=1e-4)
    metadata = json.loads((texts / "1" / "assets.extra" / "metadata.json").read_text())
    assert "FastWordpieceTokenizeWithOffsets" in metadata["custom_ops"]


def test_a_run_without_text_has_no_model_from_texts(shop, tmp_path):
    data = [str(shop / "events.csv"), "--out", str(tmp_path / "run")]
    settings = [*SETTINGS, "training.epochs=1", "rating.loss=none"]
    assert main(["train", *data, *sets(settings)]) == 0
    with pytest.raises(ConfigError, match="needs a run that trained with text, got .*'none'"):
        export_text(Run.open(tmp_path / "run"), tmp_path / "texts")
