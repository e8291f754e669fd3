"""The item table, the items' texts where these are tuned, and users' profiles, as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.items import ItemTable
from trecs.features.users import UserTable
from trecs.text.encoder import TextEncoder, TextTokens


class ItemTensors:
    """An item table as non-trainable variables.

    A plain object: Keras neither tracks nor saves it, since the features are data that a re-index
    may replace, and they would be the largest part of every checkpoint. Variables, not constants,
    so that each replica has its own copy.

    Args:
      table: M rows of features.
      tokens: of the items' texts; None where the BERT is frozen and the table's vectors hold.
    """

    def __init__(self, table: ItemTable, tokens: TextTokens | None = None) -> None:
        self.num_rows = len(table.id_index)
        self.num_trained = table.num_trained
        self._columns = {
            name: _variable(getattr(table, name), f"item_{name}")
            for name in ("id_index", "text", "categories", "release")
        }
        self._tuned = tokens is not None
        if tokens is None:
            tokens = TextTokens(np.zeros(0, np.int32), np.zeros((0, 0), np.int32))
        # Constants: every replica reads them, and none writes.
        self._number, self._token_ids = tf.constant(tokens.number), tf.constant(tokens.token_ids)

    @property
    def state(self) -> list[tf.Variable]:
        """What changes in training: the text vectors [M, H], where the BERT is tuned."""
        return [self._columns["text"]] if self._tuned else []

    @property
    def texts(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The text number of each row and the tokens of each text, as `TextTokens`."""
        return self._number, self._token_ids

    def rows(self, rows: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Features of item rows (int32 [R]), or of all rows."""
        if rows is None:
            return {name: tf.convert_to_tensor(c) for name, c in self._columns.items()}
        return {name: tf.gather(column, rows) for name, column in self._columns.items()}

    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the features, with any number of rows."""
        return {name: (None, *column.shape[1:]) for name, column in self._columns.items()}

    def encode_fresh(
        self, encoder: TextEncoder, rows: tf.Tensor | None, text: tf.Tensor, fresh: tf.Tensor
    ) -> tf.Tensor:
        """Text vectors in which those of some items are encoded now, with a gradient.

        Each distinct text is encoded once, and its vector stands wherever the text does.

        Args:
          encoder: the BERT.
          rows: int32 [R], item rows; None for all.
          text: float32 [R, H], their vectors of the last refresh.
          fresh: int32 [n], item rows in any order, any number of times; those not among `rows` are
            left out.
        """
        number = self._number if rows is None else tf.gather(self._number, rows)
        asked = tf.scatter_nd(fresh[:, None], tf.ones_like(fresh), [self.num_rows]) > 0
        asked = asked if rows is None else tf.gather(asked, rows)
        place = tf.where(asked & (number >= 0))
        unique, index = tf.unique(tf.gather_nd(number, place))
        vectors = encoder(tf.gather(self._token_ids, unique))
        return tf.tensor_scatter_nd_update(text, place, tf.gather(vectors, index))

    def refresh(self, encoder: TextEncoder) -> None:
        """Encode all texts with the BERT's present weights."""
        vectors = tf.gather(encoder.encode_all(self._token_ids), tf.maximum(self._number, 0))
        self._columns["text"].assign(tf.where((self._number >= 0)[:, None], vectors, 0))


def profile_variable(users: UserTable) -> tf.Variable | None:
    """The profile vectors [R, H] by user row, which no training changes; None where H is 0."""
    if not users.profile_dim:
        return None
    return tf.Variable(users.profile, trainable=False, name="user_profile")


def _variable(values: NDArray[Any], name: str) -> tf.Variable | tf.Tensor:
    """The values as a variable; where there are none as a constant.

    TensorFlow dies when a worker sends an empty variable to the others.
    """
    return tf.Variable(values, trainable=False, name=name) if values.size else tf.constant(values)
