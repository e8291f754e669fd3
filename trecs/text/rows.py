"""Texts as rows of tokens of one width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.bert import Bert

_TEXTS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Rows:
    """Tokens without [CLS] and [SEP], padded on the right.

    Attributes:
      tokens: int32 [n, width].
      lengths: int32 [n], at least 1.
    """

    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lengths)

    def first(self, num: int) -> Rows:
        """The first `num` rows, or all."""
        return Rows(self.tokens[:num], self.lengths[:num])


def cut_rows(bert: Bert, texts: Sequence[str], width: int) -> Rows:
    """Tokenise texts; one of more than `width` tokens becomes several rows.

    Args:
      bert: whose tokenizer is used.
      texts: strings; those without a token give no row.
      width: tokens of a row.
    """
    parts = [
        _cut(bert.tokenize(tf.constant(list(texts[start : start + _TEXTS_AT_ONCE]))), width, bert)
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    return concatenate(parts or [Rows(np.zeros((0, width), np.int32), np.zeros(0, np.int32))])


def concatenate(parts: Sequence[Rows]) -> Rows:
    """The rows of several, one after another."""
    return Rows(
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )


def _cut(ragged: tf.RaggedTensor, width: int, bert: Bert) -> Rows:
    flat, row_lengths = ragged.flat_values.numpy(), ragged.row_lengths().numpy()
    num_rows = -(-row_lengths // width)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(row_lengths) - row_lengths, row_lengths)
    first_row = np.cumsum(num_rows) - num_rows
    row = np.repeat(first_row, row_lengths) + place // width
    tokens = np.full((int(num_rows.sum()), width), bert.tokenizer.pad_token_id, np.int32)
    tokens[row, place % width] = flat
    return Rows(tokens, np.bincount(row, minlength=len(tokens)).astype(np.int32))
