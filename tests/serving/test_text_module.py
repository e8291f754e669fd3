"""Raw strings in, item vectors out, after a round trip through a SavedModel."""

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from trecs.models.item_tower import ItemTower
from trecs.serving.text_module import TextModule
from trecs.text.bert import Bert, encode_texts

TEXTS = ["红茶 🍵", "Amélie", "a toy story that is longer than the six tokens", ""]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "红", "茶", "🍵", "amelie", "a", "toy"]


@pytest.fixture(scope="module")
def parts():
    keras.utils.set_random_seed(4)
    backbone = keras_nlp.models.BertBackbone(11, 1, 2, 8, 16, max_sequence_length=6)
    tokenizer = keras_nlp.models.BertTokenizer(VOCABULARY, lowercase=True, strip_accents=True)
    tower = ItemTower(num_ids=5, num_category_values=3, embedding_dim=4)
    names = {"id_index": (None,), "text": (None, 8), "categories": (None, 1), "release": (None, 2)}
    tower.build(names)
    return Bert(backbone, tokenizer), tower


@pytest.fixture(scope="module")
def module(parts):
    bert, tower = parts
    return TextModule(bert, 64, tower, np.full(8, 0.25, np.float32), 2.0)


def test_the_saved_model_answers_as_the_parts_do(parts, module, tmp_path):
    bert, tower = parts
    tf.saved_model.save(module, str(tmp_path), signatures=module.signatures())
    loaded = tf.saved_model.load(str(tmp_path)).signatures["encode_item_text"]
    found = loaded(text=tf.constant(TEXTS))["embedding"].numpy()
    text = (encode_texts(bert, TEXTS, 6) - 0.25) / 2
    text[3] = 0
    id_vector = tower.id_embedding.embeddings.numpy()[0]
    expected = id_vector + text @ tower.text_projection.kernel.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_ops_that_a_server_must_have_are_listed(module):
    ops = module.custom_ops()
    assert "FastWordpieceTokenizeWithOffsets" in ops
    assert not {"MatMul", "StaticRegexReplace", "RegexReplace"} & set(ops)


def test_without_users_texts_there_is_no_signature_for_them(module):
    assert set(module.signatures()) == {"encode_item_text", "serving_default"}
