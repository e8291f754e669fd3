"""A BERT that is tuned with the rest: trains, saves, loads, resumes, exports."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hugging_face_folder import write_folder
from shop_world import NUM_ITEMS, SETTINGS, shop_events

from trecs import api
from trecs.config import load_config
from trecs.data.loading import load_data
from trecs.errors import ConfigError
from trecs.run import Run
from trecs.serving.client import Recommender
from trecs.text.bert import encode_texts, load_bert

WORDS = ("matrix", "toy", "story", "amelie", "cafe", "红", "楼", "梦")
TITLES = [f"the {WORDS[n % 8]} of {WORDS[n // 8]}" for n in range(NUM_ITEMS)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    write_folder(folder / "bert")
    shop_events().to_csv(folder / "events.csv", index=False)
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(NUM_ITEMS)], "title": TITLES})
    items.to_csv(folder / "items.csv", index=False)
    return folder


def config_of(shop, tuning, *more):
    settings = [text for text in SETTINGS if not text.startswith("text.")]
    own = [f"text.preset={shop / 'bert'}", f"text.tuning={tuning}", "text.tuned_layers=1"]
    own += ["text.learning_rate=0.001", "rating.loss=none"]
    return load_config(overrides=[*settings, *own, *more])


def data_of(shop):
    return load_data(shop / "events.csv", shop / "items.csv")[0]


@pytest.fixture(
    scope="module",
    params=["full", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("lora", "last-n"))],
)
def trained(request, shop):
    run = api.train(data_of(shop), shop / request.param, config_of(shop, request.param), verbose=0)
    return shop, run


def test_training_changes_the_bert_and_the_vectors_are_its_own(trained):
    shop, run = trained
    texts = run.dataset.catalogue.texts.tolist()
    before = encode_texts(load_bert(str(shop / "bert")), texts, 64)
    np.testing.assert_allclose(run.text_vectors, before, atol=1e-4)
    after = encode_texts(run.bert(run.model()), texts, 64)
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(run.trained_text_vectors, after, atol=1e-4)
    np.testing.assert_allclose(
        run.items.text[run.items.row_of_code],
        (after - run.text_scale[0]) / run.text_scale[1],
        atol=1e-3,
    )


def test_a_reopened_run_and_its_export_score_as_the_trained_one(trained):
    _, run = trained
    again = Run.open(run.directory)
    for ours, theirs in zip(again.model().encode_items(), run.model().encode_items(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    folder = api.export(run, run.directory.with_name(f"{run.directory.name}_model"))
    loaded = tf.saved_model.load(str(folder))
    ids = run.items.item_ids.tolist()
    found = loaded.signatures["encode_item"](item_id=tf.constant(ids))["embedding"][:, :8]
    np.testing.assert_allclose(found, run.model().encode_items()[0][2:], atol=1e-5)
    assert len(Recommender(folder).recommend("u1", k=3)) == 3


def test_the_model_from_texts_holds_the_tuned_bert(trained):
    _, run = trained
    folder = api.export_text(run, run.directory.with_name(f"{run.directory.name}_texts"))
    encode = tf.saved_model.load(str(folder)).signatures["encode_item_text"]
    found = encode(text=tf.constant(TITLES[:3]))["embedding"].numpy()
    tower = run.model().item_tower
    code = [run.dataset.catalogue.titles.tolist().index(title) for title in TITLES[:3]]
    text = run.items.text[run.items.row_of_code[code]] @ tower.text_projection.kernel.numpy()
    np.testing.assert_allclose(found, tower.id_embedding.embeddings.numpy()[0] + text, atol=1e-3)


class StopInSecondEpoch(keras.callbacks.Callback):
    """Ends training after its third step, as a kill would."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 2:
            raise InterruptedError("stopped")


@pytest.mark.slow
def test_a_stopped_run_ends_with_the_weights_of_an_unstopped_one(shop):
    # Inside an epoch, the vectors of the last refresh stand for the texts of others.
    config = config_of(shop, "full", "training.checkpoint_steps=1")
    dataset = data_of(shop)
    whole = api.train(dataset, shop / "whole", config, verbose=0)
    with pytest.raises(InterruptedError, match="stopped"):
        api.train(dataset, shop / "stopped", config, callbacks=[StopInSecondEpoch()], verbose=0)
    assert len(Run.open(shop / "stopped").learning_curve) == 1
    resumed = api.train(dataset, shop / "stopped", config, verbose=0)
    for ours, theirs in zip(resumed.model().weights, whole.model().weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_two_replicas_tune_as_one_device_does(loss, shop):
    script = Path(__file__).with_name("tuned_replica_step.py")
    done = subprocess.run(
        [sys.executable, str(script), loss, str(shop / "bert")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["replicas"] == 2
    assert found["largest_gradient_of_the_bert"] > 1e-3
    assert found["largest_difference"] < 1e-5


def test_tuning_without_a_bert_is_refused():
    with pytest.raises(ConfigError, match=r"text.tuning = 'full' needs a BERT, got .*'none'"):
        load_config(overrides=["text.preset=none", "text.tuning=full"])
