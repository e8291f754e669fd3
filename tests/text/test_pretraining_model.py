"""Both losses against hand arithmetic, and the causal mask against shorter texts."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tiny_bert import VOCABULARY, tiny_bert, tokens_of

from trecs.text.held_out import HeldOut, to_text
from trecs.text.masking import Masker, MaskingRule
from trecs.text.pretraining_model import PretrainingModel
from trecs.text.rows import cut_rows

TOKENS = tf.constant([tokens_of("[CLS]", "a", "play", "##ing", "b", "[SEP]", "[PAD]", "[PAD]")])


def hidden(model, tokens, causal):
    return model.hidden(tf.constant(tokens), causal=causal, training=False).numpy()


@pytest.mark.parametrize("num_layers", [1, 3])
def test_under_the_causal_mask_a_later_token_changes_nothing_before_it(num_layers):
    model = PretrainingModel(tiny_bert(num_layers), 1.0, 1.0)
    changed = TOKENS.numpy()
    changed[0, 3] = tokens_of("z")[0]
    before, after = hidden(model, TOKENS, True), hidden(model, changed, True)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:6] - after[:, 3:6]).max(axis=-1).min() > 1e-3
    both_sides = hidden(model, TOKENS, False) - hidden(model, changed, False)
    assert np.abs(both_sides[:, :3]).max(axis=-1).min() > 1e-3


def test_one_causal_layer_sees_what_the_whole_model_sees_of_the_text_up_to_there():
    model = PretrainingModel(tiny_bert(1), 1.0, 1.0)
    causal = hidden(model, TOKENS, True)
    for end in range(1, 7):
        prefix = hidden(model, TOKENS[:, :end], False)
        np.testing.assert_allclose(causal[:, end - 1], prefix[:, -1], atol=1e-5)


def test_a_model_that_knows_nothing_loses_the_log_of_the_vocabulary():
    bert = tiny_bert()
    bert.backbone.token_embedding.embeddings.assign(tf.zeros([len(VOCABULARY), 8]))
    model = PretrainingModel(bert, 1.0, 1.0)
    rows = cut_rows(bert, ["a b c playing", "players", "x y"] * 30, 8)
    losses = HeldOut(model, {"c": rows}, Masker(bert, MaskingRule(0.3, True))).losses()["c"]
    assert losses["mlm_loss"] == pytest.approx(math.log(35), abs=1e-5)
    assert losses["causal_loss"] == pytest.approx(math.log(35), abs=1e-5)
    assert losses["mlm_perplexity"] == pytest.approx(35, rel=1e-4)


def test_the_head_gives_the_loss_of_the_token_that_it_favours():
    bert = tiny_bert()
    model = PretrainingModel(bert, 1.0, 1.0)
    bert.backbone.token_embedding.embeddings.assign(tf.zeros([len(VOCABULARY), 8]))
    favoured = np.zeros(len(VOCABULARY), np.float32)
    favoured[tokens_of("a")] = 3.0
    model.head._bias.assign(favoured)
    batch = {
        "token_ids": TOKENS[:, :3],
        "masked_ids": TOKENS[:, :3],
        "mask_positions": tf.constant([[1, 2]]),
        "mask_labels": tf.constant([tokens_of("a", "play")]),
        "mask_weight": tf.constant([[0.5, 0.25]]),
        "next_weight": tf.constant([[1.0, 2.0]]),
    }
    total = math.log(34 + math.exp(3))
    assert float(model.masked_loss(batch)) == pytest.approx(0.5 * (total - 3) + 0.25 * total, 1e-5)
    assert float(model.causal_loss(batch)) == pytest.approx((total - 3) + 2 * total, 1e-5)


def test_measuring_twice_gives_the_same_figures():
    bert = tiny_bert()
    model = PretrainingModel(bert, 1.0, 1.0)
    masker = Masker(bert, MaskingRule(0.3, True))
    rows = {"one": cut_rows(bert, ["a b c d e f"] * 70, 8), "two": cut_rows(bert, ["play"], 8)}
    held_out = HeldOut(model, rows, masker)
    assert held_out.losses() == held_out.losses() == HeldOut(model, rows, masker).losses()


def test_the_table_shows_the_change_of_each_loss():
    before = {
        "mlm_loss": 5.0,
        "mlm_perplexity": 148.4,
        "causal_loss": 4.0,
        "causal_perplexity": 54.6,
    }
    after = {**before, "mlm_loss": 4.0, "mlm_perplexity": 54.6}
    lines = to_text({"shop items": before}, {"shop items": after}).splitlines()
    assert lines[1].split() == [
        "shop",
        "items,",
        "mlm",
        "5.000",
        "4.000",
        "-20%",
        "148.4",
        "to",
        "54.6",
    ]
    assert lines[2].split()[-5:] == ["4.000", "+0%", "54.6", "to", "54.6"]
