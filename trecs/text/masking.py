"""Batches for pretraining: rows packed for BERT, with other tokens masked every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """Packs and masks batches of rows by keras-nlp's generator (Devlin et al. 2019, 3.1).

    Of the chosen tokens, 80 % become [MASK], 10 % a random token, 10 % stay. [CLS] and [SEP] are
    never chosen, and of every row at least one token is. To be called in a graph, where the
    generator works on tensors and TensorFlow's seed holds.

    Args:
      bert: gives the vocabulary.
      rule: what to choose.
    """

    def __init__(self, bert: Bert, rule: MaskingRule) -> None:
        tokenizer = bert.tokenizer
        self._special = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
        self._whole_words = rule.whole_words
        pieces = tokenizer.get_vocabulary()
        self._starts_word = np.array([not piece.startswith(_SUFFIX) for piece in pieces])
        self._generator = keras_nlp.layers.MaskedLMMaskGenerator(
            vocabulary_size=len(pieces),
            mask_selection_rate=rule.rate,
            mask_token_id=tokenizer.mask_token_id,
            unselectable_token_ids=[],
        )

    def __call__(self, tokens: tf.Tensor, lengths: tf.Tensor) -> Batch:
        """Mask rows anew.

        Args:
          tokens: int32 [B, width], as `Rows.tokens`.
          lengths: int32 [B].

        Returns:
          A batch with W of the longest row and 2, and weights of 1, or 0 for padding.
        """
        pad = self._special[2]
        ragged = tf.RaggedTensor.from_tensor(tokens, lengths=lengths)
        masked = self._generator(self._by_word(ragged) if self._whole_words else ragged)
        token_ids = self._pack(ragged)
        positions = masked["mask_positions"]
        return {
            "token_ids": token_ids,
            "masked_ids": self._pack(masked["token_ids"]),
            # One later, for [CLS].
            "mask_positions": tf.cast(positions.to_tensor(-1), tf.int32) + 1,
            "mask_labels": tf.cast(masked["mask_ids"].to_tensor(), tf.int32),
            "mask_weight": tf.ones_like(positions, tf.float32).to_tensor(),
            "next_weight": tf.cast(token_ids[:, 1:] != pad, tf.float32),
        }

    def _by_word(self, ragged: tf.RaggedTensor) -> tf.RaggedTensor:
        """[B, (tokens)] to [B, (words), (tokens)]; a row's first token starts a word."""
        starts = tf.gather(self._starts_word, ragged.values)
        row_starts = tf.scatter_nd(
            ragged.row_starts()[:, None],
            tf.ones_like(ragged.row_starts(), tf.int32),
            tf.shape(ragged.values, tf.int64),
        )
        starts = starts | (row_starts > 0)
        word = tf.cumsum(tf.cast(starts, tf.int64)) - 1
        words_of_row = tf.math.segment_sum(tf.cast(starts, tf.int64), ragged.value_rowids())
        words = tf.RaggedTensor.from_value_rowids(ragged.values, word)
        return tf.RaggedTensor.from_row_lengths(words, words_of_row)

    def _pack(self, ragged: tf.RaggedTensor) -> tf.Tensor:
        cls, sep, pad = self._special
        beside = tf.ones([ragged.nrows(), 1], tf.int32)
        packed = tf.concat([beside * cls, tf.cast(ragged, tf.int32), beside * sep], axis=1)
        return packed.to_tensor(pad)


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
      A data set of `Batch`.
    """
    tf.random.set_seed(seed)
    tokens, lengths = tf.constant(rows.tokens), tf.constant(rows.lengths)

    def batch(chosen: tf.Tensor) -> Any:
        return masker(tf.gather(tokens, chosen), tf.gather(lengths, chosen))

    # Sequential, so that the random generators' states follow the batches.
    return tf.data.Dataset.from_tensor_slices(order).map(batch)
