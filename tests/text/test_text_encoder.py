"""The BERT inside the model: once a text, same vectors, same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_bert import tiny_bert

from trecs.features.items import ItemTable
from trecs.models.item_tensors import ItemTensors
from trecs.text.bert import Bert, encode_texts
from trecs.text.encoder import TextEncoder, text_tokens

TEXTS = ["playing", "", "a b c", "playing", "plays", "d e", ""]
"""Of seven item rows: two have the same text, two have none."""
CENTRE, SCALE = np.linspace(-0.5, 0.5, 8).astype(np.float32), 2.0


def encoder_of(bert, tuning="full", tuned_layers=1):
    return TextEncoder(bert.backbone, 0, CENTRE.tolist(), SCALE, tuning, tuned_layers)


def table(text):
    num = len(text)
    return ItemTable(
        item_ids=np.array([f"i{n}" for n in range(num - 2)], object),
        num_trained=num - 2,
        row_of_code=np.arange(2, num, dtype=np.int32),
        id_index=np.arange(num, dtype=np.int32),
        text=text.astype(np.float32),
        categories=np.zeros((num, 1), np.int32),
        release=np.zeros((num, 2), np.float32),
    )


def expected_vectors(bert):
    vectors = (encode_texts(bert, TEXTS, 16) - CENTRE) / SCALE
    return np.where(np.isnan(vectors), 0, vectors)


def gradients(tape, loss, encoder):
    found = tape.gradient(loss, [w.value for w in encoder.trainable_weights])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found]


def test_distinct_texts_are_numbered_once_and_empty_ones_not():
    tokens = text_tokens(tiny_bert(), TEXTS, 16)
    assert tokens.number.tolist() == [2, -1, 0, 2, 3, 1, -1]
    assert len(tokens.token_ids) == 4


def test_vectors_are_those_of_the_frozen_bert_on_its_scale():
    bert = tiny_bert()
    tokens = text_tokens(bert, TEXTS, 16)
    found = encoder_of(bert).encode_all(tokens.token_ids).numpy()
    np.testing.assert_allclose(
        found[tokens.number[[0, 2, 4]]], expected_vectors(bert)[[0, 2, 4]], atol=1e-5
    )


def test_texts_encoded_once_have_the_gradients_of_every_occurrence():
    bert = tiny_bert()
    encoder, tokens = encoder_of(bert), text_tokens(bert, TEXTS, 16)
    items = ItemTensors(table(np.zeros((7, 8))), tokens)
    # Item rows as they stand in histories and targets: some often, one with no text.
    rows = tf.constant([0, 3, 3, 2, 0, 4, 6, 2, 2])
    weight = tf.constant(np.random.default_rng(1).normal(size=(9, 8)), tf.float32)
    with tf.GradientTape() as tape:
        once = items.encode_fresh(encoder, None, tf.zeros([7, 8]), rows)
        loss = tf.reduce_sum(tf.tanh(tf.gather(once, rows)) * weight)
    ours = gradients(tape, loss, encoder)
    number = tokens.number[rows.numpy()]
    with tf.GradientTape() as tape:
        every = encoder(tf.gather(tokens.token_ids, np.maximum(number, 0)))
        every *= (number >= 0).astype(np.float32)[:, None]
        again = tf.reduce_sum(tf.tanh(every) * weight)
    theirs = gradients(tape, again, encoder)
    assert float(loss) == pytest.approx(float(again), abs=1e-5)
    assert max(np.abs(gradient).max() for gradient in ours) > 1e-2
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_only_fresh_rows_are_encoded_and_the_others_keep_their_vectors():
    bert = tiny_bert()
    items = ItemTensors(table(np.zeros((7, 8))), text_tokens(bert, TEXTS, 16))
    stored = tf.fill([4, 8], 7.0)
    rows = tf.constant([5, 0, 6, 2])
    found = items.encode_fresh(encoder_of(bert), rows, stored, tf.constant([0, 0, 3, 6])).numpy()
    np.testing.assert_allclose(found[1], expected_vectors(bert)[0], atol=1e-5)
    np.testing.assert_array_equal(found[[0, 2, 3]], 7.0)


def test_refresh_gives_every_item_its_vector_and_nothing_to_those_without_text():
    bert = tiny_bert()
    items = ItemTensors(table(np.ones((7, 8))), text_tokens(bert, TEXTS, 16))
    items.refresh(encoder_of(bert))
    found = items.rows()["text"].numpy()
    np.testing.assert_allclose(found, expected_vectors(bert), atol=1e-5)


def test_full_trains_all_but_what_no_vector_reads():
    encoder = encoder_of(tiny_bert(num_layers=2))
    fixed = {id(w) for w in encoder.backbone.pooled_dense.weights}
    rest = [w for w in encoder.backbone.weights if id(w) not in fixed]
    assert {id(w) for w in encoder.trainable_weights} == {id(w) for w in rest}


def test_last_n_trains_the_last_layers_alone():
    encoder = encoder_of(tiny_bert(num_layers=2), "last-n", tuned_layers=1)
    last = encoder.backbone.transformer_layers[1]
    assert {id(w) for w in encoder.trainable_weights} == {id(w) for w in last.weights}


def test_lora_trains_two_matrices_beside_each_query_and_value_and_their_biases():
    encoder = encoder_of(tiny_bert(num_layers=2), "lora")
    names = [w.name for w in encoder.trainable_weights]
    assert sorted(names) == ["bias"] * 4 + ["lora_kernel_a"] * 4 + ["lora_kernel_b"] * 4


@pytest.mark.parametrize("tuning", ["full", "lora", "last-n"])
def test_config_and_saved_weights_rebuild_the_encoder(tuning, tmp_path):
    encoder = encoder_of(tiny_bert(num_layers=2), tuning)
    rng = np.random.default_rng(3)
    for weight in encoder.trainable_weights:
        weight.assign(weight + rng.normal(scale=0.2, size=weight.shape))
    token_ids = text_tokens(tiny_bert(), ["plays a", "b"], 16).token_ids
    again = TextEncoder.from_config(encoder.get_config())
    inputs = keras.Input((None,), dtype="int32")
    holder, other = (keras.Model(inputs, layer(inputs)) for layer in (encoder, again))
    holder.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(again(token_ids), encoder(token_ids), atol=1e-5)
    # LoRA's matrices are merged when they are saved: a BERT of its own reads them too.
    plain = Bert(again.backbone, None)
    assert not any(
        np.abs(w.numpy()).max() > 0 for w in plain.backbone.weights if w.name == "lora_kernel_b"
    )
