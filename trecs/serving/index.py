"""Indexes of candidates as vectors whose inner product with a query is the score.

TFRS's `BruteForce` layer is not used here: it excludes seen items by asking for k + history more
and filtering, which fails where a history is longer than the catalogue, and it is a Keras 2 layer,
which a module of plain TensorFlow must not hold.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.serving.additions import Additions
from trecs.serving.request import UNKNOWN_CANDIDATE

# The lowest number of bfloat16, in which an index may keep its vectors, and one of float32.
NO_SCORE = -(2.0 - 2.0**-7) * 2.0**127
"""Score of a place that no candidate is left for; finite, since JSON has no infinity."""


class CandidateIndex(tf.Module):
    """What the signatures ask of an index of N candidates.

    A candidate's vector is [item vector; trend; bias], a query's [query; trend weights; 1].

    Args:
      item_ids: str [N].
    """

    def __init__(self, item_ids: NDArray[np.object_]) -> None:
        super().__init__(name="index")
        self.num_candidates = len(item_ids)
        ids = [str(item_id) for item_id in item_ids]
        # The last entry is what an empty place is called.
        self.item_ids = tf.Variable([*ids, ""], trainable=False, name="item_ids")
        self.lookup = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(ids, np.arange(len(ids), dtype=np.int32)),
            default_value=UNKNOWN_CANDIDATE,
        )

    def candidate(self, item_ids: tf.Tensor) -> tf.Tensor:
        """Candidate numbers of ids, int32 of the same shape; UNKNOWN_CANDIDATE for others."""
        return self.lookup.lookup(item_ids)

    @abstractmethod
    def describe(self) -> dict[str, str | float]:
        """What the metadata say of it: its kind, and what was measured."""

    @abstractmethod
    def item_vectors(self, row: tf.Tensor) -> tf.Tensor:
        """Item vectors [..., D] of item rows (int32 [...]): padding, unknown, then candidates."""

    @abstractmethod
    def embedding(self, candidate: tf.Tensor) -> tf.Tensor:
        """Vectors [B, D + K + 1] of candidates (int32 [B]); of an unknown item without trend."""

    @abstractmethod
    def top_k(
        self,
        query: tf.Tensor,
        additions: Additions,
        excluded: tf.Tensor,
        k: int,
        allowed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k best candidates of each query.

        Args:
          query: float32 [B, D + K + 1].
          additions: what scores have on top of the inner product.
          excluded: int32 [B, E] candidates to leave out; negative numbers are ignored.
          k: at most N.
          allowed: bool [B, N], the candidates that may be taken; all of them where None.

        Returns:
          Ids (string) and scores (float32), both [B, k], best first. Where fewer than k candidates
          are left, the rest have the id "" and the score NO_SCORE.
        """


class ExactIndex(CandidateIndex):
    """Scores every candidate.

    The columns are kept apart so that a refresh can rewrite the trend alone.

    Args:
      item_ids: str [N].
      vectors: float32 [N + 2, D], by item row: padding, unknown, then the candidates.
      bias: float32 [N].
      trend: float32 [N, K], as of the export.
    """

    def __init__(
        self,
        item_ids: NDArray[np.object_],
        vectors: NDArray[np.float32],
        bias: NDArray[np.float32],
        trend: NDArray[np.float32],
    ) -> None:
        super().__init__(item_ids)
        self.vectors = tf.Variable(vectors, trainable=False, name="vectors")
        self.bias = tf.Variable(bias, trainable=False, name="bias")
        self.trend = tf.Variable(trend, trainable=False, name="trend")

    def describe(self) -> dict[str, str | float]:
        """As `CandidateIndex.describe`."""
        return {"kind": "exact"}

    def item_vectors(self, row: tf.Tensor) -> tf.Tensor:
        """As `CandidateIndex.item_vectors`."""
        return rows_of(self.vectors, row)

    def embedding(self, candidate: tf.Tensor) -> tf.Tensor:
        """As `CandidateIndex.embedding`."""
        known = tf.cast(candidate != UNKNOWN_CANDIDATE, tf.float32)[:, None]
        place = tf.maximum(candidate, 0)
        vector = rows_of(self.vectors, candidate + 2)
        trend = tf.gather(self.trend, place) * known
        bias = tf.gather(self.bias, place)[:, None] * known
        return tf.concat([vector, trend, bias], axis=1)

    def top_k(
        self,
        query: tf.Tensor,
        additions: Additions,
        excluded: tf.Tensor,
        k: int,
        allowed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `CandidateIndex.top_k`."""
        width, kinds = self.vectors.shape[1], self.trend.shape[1]
        scores = tf.matmul(query[:, :width], self.vectors[2:], transpose_b=True)
        scores += tf.matmul(query[:, width : width + kinds], self.trend, transpose_b=True)
        scores += self.bias + additions.neighbours()
        if additions.own is not None:
            own = additions.own
            place = tf.stack([own.query, own.candidate], axis=1)
            scores = tf.tensor_scatter_nd_add(scores, place, own.value)
        if allowed is not None:
            scores = tf.where(allowed, scores, NO_SCORE)
        place = left_out(excluded)
        gone = tf.fill(tf.shape(place)[:1], NO_SCORE)
        scores = tf.tensor_scatter_nd_update(scores, place, gone)
        values, best = tf.math.top_k(scores, k)
        best = tf.where(values > NO_SCORE, best, self.num_candidates)
        return tf.gather(self.item_ids, best), values


def rows_of(variable: tf.Variable, place: tf.Tensor) -> tf.Tensor:
    """Rows of a variable that is also read whole.

    `tf.gather` of a variable itself makes TensorFlow copy all of it at each later read.
    """
    return tf.gather(tf.convert_to_tensor(variable), place)


def left_out(excluded: tf.Tensor) -> tf.Tensor:
    """Query and candidate, int32 [n, 2], of the numbers in `excluded` that are not negative."""
    row = tf.broadcast_to(tf.range(tf.shape(excluded)[0])[:, None], tf.shape(excluded))
    return tf.boolean_mask(tf.stack([row, excluded], axis=-1), excluded >= 0)
