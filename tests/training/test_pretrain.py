"""`trecs pretrain` from texts to a preset: resume, what loads it, errors."""

import json

import keras_nlp
import numpy as np
import pandas as pd
import pytest

from trecs.config import load_config
from trecs.errors import ConfigError, DataError, UsageError
from trecs.text.bert import encode_texts, load_bert
from trecs.training import pretraining
from trecs.training.pretrain import pretrain, read_corpora

SETTINGS = [
    "pretraining.steps=12",
    "pretraining.batch_rows=8",
    "pretraining.max_tokens=12",
    "pretraining.checkpoint_steps=3",
    "pretraining.warmup_steps=2",
    "pretraining.learning_rate=0.02",
    "pretraining.vocabulary_size=300",
    "pretraining.num_layers=1",
    "pretraining.hidden_dim=16",
    "pretraining.held_out_share=0.1",
]
SUBJECTS = ("红楼梦", "西遊記", "حكاية", "Amélie", "toy 🎬", "dream", "river")
OBJECTS = ("电影", "小说", "ليلة", "story", "café", "night")
TEXTS = [f"{a} {b} {n % 3}" for n in range(3) for a in SUBJECTS for b in OBJECTS]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "catalogue.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(texts, tmp_path_factory):
    """An uninterrupted pretraining."""
    out = tmp_path_factory.mktemp("whole") / "bert"
    return out, pretrain([texts], out, load_config(overrides=SETTINGS), verbose=0)


def test_both_losses_fall_on_held_out_texts(whole):
    _, report = whole
    before, after = report["before"]["catalogue.txt"], report["after"]["catalogue.txt"]
    # A fresh BERT knows nothing: the log of the number of pieces.
    assert before["mlm_loss"] == pytest.approx(before["causal_loss"], abs=0.1)
    assert after["mlm_loss"] < 0.9 * before["mlm_loss"]
    assert after["causal_loss"] < 0.9 * before["causal_loss"]


def test_the_result_is_a_preset_that_keras_nlp_loads(whole):
    out, report = whole
    backbone = keras_nlp.models.BertBackbone.from_preset(str(out))
    ours = load_bert(str(out))
    for a, b in zip(backbone.weights, ours.backbone.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert json.loads((out / "pretraining.json").read_text("utf-8")) == report
    names = {path.name for path in out.iterdir()}
    assert not names & {"start", "checkpoints", "part"}


def test_every_script_has_its_characters_in_the_vocabulary(whole):
    bert = load_bert(str(whole[0]))
    tokens = bert.tokenize(TEXTS).flat_values.numpy()
    assert bert.tokenizer.token_to_id("[UNK]") not in tokens
    assert len(np.unique(encode_texts(bert, TEXTS, 12).round(4), axis=0)) == len(set(TEXTS))


@pytest.mark.parametrize("killed_after", [pytest.param(2, marks=pytest.mark.slow), 7])
def test_a_resumed_pretraining_equals_an_uninterrupted_one(
    killed_after, whole, texts, tmp_path, monkeypatch
):
    count_step = pretraining._Saver.on_train_batch_end

    def kill(self, batch, logs=None):
        count_step(self, batch, logs)
        if int(self._progress.step) == killed_after:
            raise RuntimeError("killed")

    config = load_config(overrides=SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(pretraining._Saver, "on_train_batch_end", kill)
        with pytest.raises(RuntimeError, match="killed"):
            pretrain([texts], tmp_path / "bert", config, verbose=0)
    report = pretrain([texts], tmp_path / "bert", config, verbose=0)
    assert report == whole[1]
    ours, theirs = load_bert(str(tmp_path / "bert")), load_bert(str(whole[0]))
    for a, b in zip(ours.backbone.weights, theirs.backbone.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_a_finished_pretraining_is_returned_and_other_settings_are_refused(whole, texts):
    out, report = whole
    assert pretrain([texts], out, load_config(overrides=SETTINGS), verbose=0) == report
    other = load_config(overrides=[*SETTINGS, "pretraining.steps=13"])
    with pytest.raises(ConfigError, match=r"other settings or texts, .*Give another --out"):
        pretrain([texts], out, other, verbose=0)


def test_pretraining_goes_on_from_a_preset_with_its_vocabulary(whole, texts, tmp_path):
    config = load_config(overrides=[*SETTINGS, "pretraining.steps=1"])
    report = pretrain([texts], tmp_path / "more", config, bert=str(whole[0]), verbose=0)
    ours, theirs = (load_bert(str(path)).tokenizer for path in (tmp_path / "more", whole[0]))
    assert ours.get_vocabulary() == theirs.get_vocabulary()
    assert set(report["after"]) == {"catalogue.txt"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pretraining.mlm_weight=0", "pretraining.causal_weight=0"], "must be above 0"),
        (["pretraining.num_heads=3"], "num_heads must divide pretraining.hidden_dim"),
    ],
)
def test_settings_that_cannot_work_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=overrides)


def test_rows_longer_than_a_preset_reads_are_refused(whole, texts, tmp_path):
    config = load_config(overrides=[*SETTINGS, "pretraining.max_tokens=30"])
    with pytest.raises(ConfigError, match=r"max_tokens = 30, but .* reads 12 tokens at most"):
        pretrain([texts], tmp_path / "bert", config, bert=str(whole[0]), verbose=0)


def test_a_folder_with_other_things_is_left_alone(texts, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="must be a new or empty folder"):
        pretrain([texts], tmp_path, load_config(overrides=SETTINGS), verbose=0)


def test_no_corpus_and_one_text_are_errors(tmp_path):
    config = load_config(overrides=SETTINGS)
    with pytest.raises(UsageError, match="needs a corpus at least"):
        pretrain([], tmp_path / "a", config)
    (tmp_path / "one.txt").write_text("only this")
    with pytest.raises(DataError, match="two distinct texts at least"):
        pretrain([tmp_path / "one.txt"], tmp_path / "b", config)


def test_the_events_that_a_split_holds_out_are_in_no_corpus(tmp_path):
    rows = [
        (f"u{user}", f"i{(user + n) % 8}" if n < 7 else f"last{user}", 1_600_000_000 + 100 * n)
        for user in range(8)
        for n in range(8)
    ]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    events.to_csv(tmp_path / "events.csv", index=False)
    names = events["item_id"].unique()
    titles = [f"the film called {name}" for name in names]
    pd.DataFrame({"item_id": names, "title": titles}).to_csv(tmp_path / "items.csv", index=False)
    source = (tmp_path / "events.csv", tmp_path / "items.csv")
    for kind in ("temporal", "leave-last-out"):
        config = load_config(overrides=[f"split.kind={kind}"])
        corpora = read_corpora([source[0]], source[1], config, lambda line: None)
        texts = [text for c in corpora for text in [*c.train.tolist(), *c.held_out.tolist()]]
        assert not any("last" in text for text in texts)
        assert any("i3" in text for text in texts)


def test_texts_without_a_token_are_an_error(tmp_path):
    path = tmp_path / "blank.txt"
    path.write_text("\n".join("\u200b" * n for n in range(1, 41)), encoding="utf-8")
    real = tmp_path / "real.txt"
    real.write_text("\n".join(TEXTS), encoding="utf-8")
    with pytest.raises(DataError, match=r"no held-out text of blank\.txt has a token"):
        pretrain([real, path], tmp_path / "bert", load_config(overrides=SETTINGS), verbose=0)
