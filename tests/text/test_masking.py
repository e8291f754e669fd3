"""Rows and masks: what is hidden, what stays, and that a seed gives it again."""

import numpy as np
import pytest
from tiny_bert import VOCABULARY, tiny_bert, tokens_of

from trecs.text.masking import Masker, MaskingRule, masked_batches
from trecs.text.rows import Rows, cut_rows

CLS, SEP, PAD = 2, 3, 0


@pytest.fixture(scope="module")
def bert():
    return tiny_bert()


@pytest.fixture(scope="module")
def rows(bert):
    return cut_rows(bert, ["playing players"] * 40 + ["a b c playing"] * 24, 8)


def batches(bert, rows, rule, seed=1, epochs=1):
    order = np.tile(np.arange(len(rows)), epochs).reshape(-1, 16)
    return [
        {name: tensor.numpy() for name, tensor in batch.items()}
        for batch in masked_batches(rows, Masker(bert, rule), order, seed)
    ]


def test_long_texts_become_several_rows_and_empty_ones_none(bert):
    rows = cut_rows(bert, ["a b c d e", "", "PLAYING"], 3)
    expected = [tokens_of(*"abc"), [*tokens_of(*"de"), PAD], [*tokens_of("play", "##ing"), PAD]]
    assert rows.tokens.tolist() == expected
    assert rows.lengths.tolist() == [3, 2, 2]


def test_labels_are_the_tokens_that_stood_at_the_masked_positions(bert, rows):
    for batch in batches(bert, rows, MaskingRule(0.3, whole_words=True)):
        there = np.take_along_axis(batch["token_ids"], batch["mask_positions"], axis=1)
        real = batch["mask_weight"] == 1
        np.testing.assert_array_equal(there[real], batch["mask_labels"][real])
        assert not np.isin(batch["mask_labels"][real], [CLS, SEP, PAD]).any()
        hidden = np.zeros(batch["token_ids"].shape, bool)
        np.put_along_axis(hidden, np.where(real, batch["mask_positions"], 0), True, axis=1)
        changed = batch["token_ids"] != batch["masked_ids"]
        assert not (changed & ~hidden).any()


def test_every_row_has_a_masked_token_and_is_packed(bert, rows):
    for batch in batches(bert, rows, MaskingRule(0.05, whole_words=True)):
        assert (batch["mask_weight"].sum(axis=1) >= 1).all()
        assert (batch["token_ids"][:, 0] == CLS).all()
        assert ((batch["token_ids"] == SEP).sum(axis=1) == 1).all()
        # [CLS] has no predecessor; each other token and [SEP] is a next token.
        expected = (batch["token_ids"] != PAD).sum(axis=1) - 1
        np.testing.assert_array_equal(batch["next_weight"].sum(axis=1), expected)


def test_whole_words_are_masked_whole(bert, rows):
    starts = np.array([not piece.startswith("##") for piece in VOCABULARY])
    for batch in batches(bert, rows, MaskingRule(0.3, whole_words=True)):
        for tokens, positions, weight in zip(
            batch["token_ids"], batch["mask_positions"], batch["mask_weight"], strict=True
        ):
            chosen = np.zeros(len(tokens), bool)
            chosen[positions[weight == 1]] = True
            word = np.cumsum(starts[tokens])
            for number in np.unique(word):
                assert len(set(chosen[word == number])) == 1


def test_single_pieces_are_masked_alone_without_the_rule(bert):
    rows = cut_rows(bert, ["playing"] * 64, 8)
    batch = batches(bert, rows, MaskingRule(0.4, whole_words=False))[0]
    assert (batch["mask_weight"].sum(axis=1) == 1).all()


def test_eighty_percent_are_hidden_ten_changed_ten_kept(bert):
    rows = Rows(np.full((1600, 8), tokens_of("k")[0], np.int32), np.full(1600, 8, np.int32))
    share = np.zeros(3)
    for batch in batches(bert, rows, MaskingRule(0.5, whole_words=False)):
        at = np.take_along_axis(batch["masked_ids"], batch["mask_positions"], axis=1)
        mask, kept = at == tokens_of("[MASK]")[0], at == tokens_of("k")[0]
        share += [mask.mean(), kept.mean(), (~mask & ~kept).mean()]
    # A random token is [MASK] or k itself once in 35 each.
    np.testing.assert_allclose(share / 100, [0.803, 0.103, 0.094], atol=0.02)


def test_the_same_seed_masks_alike_and_a_skip_changes_nothing(bert, rows):
    rule = MaskingRule(0.3, whole_words=True)
    order = np.tile(np.arange(64), 4).reshape(-1, 16)
    masker = Masker(bert, rule)
    whole = [b["masked_ids"].numpy() for b in masked_batches(rows, masker, order, 5)]
    skipped = [b["masked_ids"].numpy() for b in masked_batches(rows, masker, order, 5).skip(9)]
    other = [b["masked_ids"].numpy() for b in masked_batches(rows, masker, order, 6)]
    for ours, theirs in zip(whole[9:], skipped, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any((a != b).any() for a, b in zip(whole, other, strict=True))


def test_masks_of_a_row_differ_from_pass_to_pass(bert, rows):
    rule = MaskingRule(0.3, whole_words=True)
    first, *_, last = batches(bert, rows, rule, epochs=2)[::4]
    assert (first["masked_ids"] != last["masked_ids"]).any()
