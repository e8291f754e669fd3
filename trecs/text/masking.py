"""Batches for pretraining: rows packed for BERT, with other tokens masked every time."""

from __future__ import annotations

from dataclasses import dataclass

import keras_nlp
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.bert import Bert
from trecs.text.rows import Rows

_SUFFIX = "##"

Batch = dict[str, tf.Tensor]
"""token_ids, masked_ids: int32 [B, W]. mask_positions, mask_labels: int32 [B, M]. mask_weight:
float32 [B, M]. next_weight: float32 [B, W - 1], of predicting token j + 1 at j."""

BATCH_SIGNATURE = {
    **dict.fromkeys(
        ("token_ids", "masked_ids", "mask_positions", "mask_labels"),
        tf.TensorSpec([None, None], tf.int32),
    ),
    **dict.fromkeys(("mask_weight", "next_weight"), tf.TensorSpec([None, None], tf.float32)),
}
"""The same as tensor specifications."""


@dataclass(frozen=True)
class MaskingRule:
    """Which tokens the masked loss predicts.

    Attributes:
      rate: share of them.
      whole_words: whether all pieces of a word are chosen together.
    """

    rate: float
    whole_words: bool


class Masker:
    """Packs and masks rows by keras-nlp's generator (Devlin et al. 2019, section 3.1).

    Of the chosen tokens, 80 % become [MASK], 10 % a random token, 10 % stay. [CLS] and [SEP] are
    never chosen, and of every row at least one token is. To be called in a graph, where the
    generator works on tensors and TensorFlow's seed holds.

    Args:
      bert: gives the vocabulary.
      rule: what to choose.
    """

    def __init__(self, bert: Bert, rule: MaskingRule) -> None:
        tokenizer = bert.tokenizer
        self._cls, self._sep = tokenizer.cls_token_id, tokenizer.sep_token_id
        self.pad = tokenizer.pad_token_id
        self._whole_words = rule.whole_words
        pieces = tokenizer.get_vocabulary()
        self._starts_word = np.array([not piece.startswith(_SUFFIX) for piece in pieces])
        self._generator = keras_nlp.layers.MaskedLMMaskGenerator(
            vocabulary_size=len(pieces),
            mask_selection_rate=rule.rate,
            mask_token_id=tokenizer.mask_token_id,
            unselectable_token_ids=[],
        )

    def __call__(self, tokens: tf.Tensor) -> Batch:
        """Mask a row, int32 [n]: a batch's tensors without their first dimension, W is n + 2."""
        masked = self._generator(self._by_word(tokens) if self._whole_words else tokens[None])
        positions = tf.cast(masked["mask_positions"].flat_values, tf.int32)
        hidden = masked["token_ids"]
        hidden = hidden.flat_values if isinstance(hidden, tf.RaggedTensor) else hidden[0]
        return {
            "token_ids": self._pack(tokens),
            "masked_ids": self._pack(hidden),
            # One later, for [CLS].
            "mask_positions": positions + 1,
            "mask_labels": tf.cast(masked["mask_ids"].flat_values, tf.int32),
            "mask_weight": tf.ones_like(positions, tf.float32),
            "next_weight": tf.ones([tf.shape(tokens)[0] + 1]),
        }

    def _by_word(self, tokens: tf.Tensor) -> tf.RaggedTensor:
        """[n] to [1, (words), (tokens)]; the first token starts a word."""
        starts = tf.concat([[True], tf.gather(self._starts_word, tokens[1:])], axis=0)
        word = tf.cumsum(tf.cast(starts, tf.int64)) - 1
        words = tf.RaggedTensor.from_value_rowids(tokens, word)
        return tf.RaggedTensor.from_row_lengths(words, [words.nrows()])

    def _pack(self, tokens: tf.Tensor) -> tf.Tensor:
        return tf.concat([[self._cls], tf.cast(tokens, tf.int32), [self._sep]], axis=0)


def masked_batches(
    rows: Rows, masker: Masker, order: NDArray[np.int64], seed: int
) -> tf.data.Dataset:
    """Batches of rows in an order, masked by a seed.

    The same seed and order give the same masks, also after a `skip`, which does the masking that it
    skips.

    Args:
      rows: n rows.
      masker: packs and masks them.
      order: int64 [num_batches, B], numbers of rows.
      seed: of the masks, a non-negative int32.

    Returns:
      A data set of `Batch`, with W of the batch's longest row; weights are 1, or 0 for padding.
    """
    tf.random.set_seed(seed)
    tokens, lengths = tf.constant(rows.tokens), tf.constant(rows.lengths)
    padding = {name: tf.zeros([], spec.dtype) for name, spec in BATCH_SIGNATURE.items()}
    padding |= dict.fromkeys(("token_ids", "masked_ids"), tf.constant(masker.pad))
    # Row by row and in order. The generator takes batches too, but shuffles their rows in a
    # parallel loop, so that the same seed would mask them in another way each time.
    masked = tf.data.Dataset.from_tensor_slices(order.reshape(-1)).map(
        lambda row: masker(tokens[row][: lengths[row]])
    )
    return masked.padded_batch(order.shape[1], padding_values=padding)
