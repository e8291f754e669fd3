"""Which items have which categories, by names that callers can write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def category_names(
    categories: Mapping[str, Sequence[Sequence[str]]], num_items: int
) -> list[list[str]]:
    """The categories of each item as "column=value", in the order of the columns.

    Args:
      categories: by column, the values of each item; see `trecs.data.catalogue.Catalogue`.
      num_items: how many items there are.

    Example:
      >>> category_names({"genres": [("Comedy", "War"), ()], "year": [("1994",), ("1995",)]}, 2)
      [['genres=Comedy', 'genres=War', 'year=1994'], ['year=1995']]
    """
    names: list[list[str]] = [[] for _ in range(num_items)]
    for column, values in categories.items():
        for own, of_item in zip(names, values, strict=True):
            own.extend(f"{column}={value}" for value in of_item)
    return names


class ItemCategories(tf.Module):
    """The candidates of each category.

    Args:
      names: N lists, the categories of each candidate.
    """

    def __init__(self, names: Sequence[Sequence[str]]) -> None:
        super().__init__(name="item_categories")
        self._num_candidates = len(names)
        # "" pads requests: a category that no candidate has, and so is one that nobody knows.
        known = ["", *sorted({name for own in names for name in own})]
        self._num_categories = len(known)
        self._lookup = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(known), tf.range(len(known), dtype=tf.int32)
            ),
            default_value=0,
        )
        begin, member = _members(names, known)
        self._begin = tf.Variable(begin, trainable=False, name="begin")
        self._member = tf.Variable(member, trainable=False, name="member")

    def allowed(self, names: tf.Tensor) -> tf.Tensor:
        """Which candidates have one of the categories, bool [B, N].

        Args:
          names: string [B, C], "" is padding. A row without names allows every candidate; names
            that no candidate has allow none.
        """
        row = tf.range(tf.shape(names)[0], dtype=tf.int64)[:, None]
        named = row * self._num_categories + tf.cast(self._lookup.lookup(names), tf.int64)
        # Each of a row once: repeated, a large category would take memory each time.
        named = tf.unique(tf.reshape(named, [-1])).y
        number = named % self._num_categories
        begin, end = tf.gather(self._begin, number), tf.gather(self._begin, number + 1)
        length = end - begin
        shift = begin - tf.cumsum(length, exclusive=True)
        place = tf.range(tf.reduce_sum(length)) + tf.repeat(shift, length)
        row = tf.repeat(tf.cast(named // self._num_categories, tf.int32), length)
        every = tf.reduce_all(names == "", axis=1)
        allowed = tf.broadcast_to(every[:, None], [tf.shape(names)[0], self._num_candidates])
        has = tf.stack([row, tf.gather(self._member, place)], axis=1)
        return tf.tensor_scatter_nd_update(allowed, has, tf.ones_like(row, tf.bool))


def _members(
    names: Sequence[Sequence[str]], known: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where each category's candidates begin, [G + 1], and the candidates by category."""
    number_of = {name: number for number, name in enumerate(known)}
    number = np.array([number_of[name] for own in names for name in own], np.int32)
    candidate = np.repeat(np.arange(len(names), dtype=np.int32), [len(own) for own in names])
    order = np.argsort(number, kind="stable")
    begin = np.zeros(len(known) + 1, np.int32)
    np.cumsum(np.bincount(number, minlength=len(known)), out=begin[1:])
    return begin, candidate[order]
