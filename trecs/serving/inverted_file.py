"""An index of stock operations for large catalogues: near candidates lie together in cells.

A request scores the cells' centroids, and then, exactly, the candidates of the best cells (`probes`
of them) and those that an addition or an exclusion names. Where that leaves fewer than k, and where
categories are asked for, all cells are scored: the answer is then the exact one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.spec import FIRST_ITEM_ROW
from trecs.serving.additions import Additions, Pairs, joined
from trecs.serving.index import NO_SCORE, CandidateIndex, left_out, rows_of
from trecs.serving.kmeans import balanced_cells, fit_centroids, means, score_metric

_SLACK = 1.15
_MAX_BIAS = 1e6


class Cells(NamedTuple):
    """Where the candidates lie.

    Attributes:
      centroid: float32 [C, W], the mean of each cell's candidates.
      slot: int32 [N], cell times capacity plus the place in the cell, of each candidate.
      capacity: places in a cell.
    """

    centroid: NDArray[np.float32]
    slot: NDArray[np.int32]
    capacity: int


def make_cells(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> Cells:
    """About 2 sqrt(N) cells of near vectors, near in what they score for such queries.

    Args:
      vectors: [N, W] of candidates, [item vector; trend; bias].
      queries: [Q, W], a sample of requests.
    """
    # Items that are not offered have a bias that would outweigh all else.
    clipped = vectors.copy()
    clipped[:, -1] = np.where(np.abs(vectors[:, -1]) < _MAX_BIAS, vectors[:, -1], 0)
    num_cells = min(len(vectors), max(1, round(2 * np.sqrt(len(vectors)))))
    capacity = int(np.ceil(_SLACK * len(vectors) / num_cells))
    mapped = clipped @ score_metric(queries)
    cell = balanced_cells(mapped, fit_centroids(mapped, num_cells), capacity)
    order = np.argsort(cell, kind="stable")
    count = np.bincount(cell, minlength=num_cells)
    place = np.empty(len(cell), np.int64)
    place[order] = np.arange(len(cell)) - (np.cumsum(count) - count)[cell[order]]
    slot = (cell.astype(np.int64) * capacity + place).astype(np.int32)
    return Cells(means(clipped, cell, num_cells), slot, capacity)


class InvertedFile(CandidateIndex):
    """Scores the candidates of the most promising cells.

    Args:
      item_ids: str [N].
      vectors: float32 [N, W], [item vector; trend; bias] of each candidate.
      special: float32 [2, D], item vectors of padding and of an unknown item.
      cells: where the candidates lie.
      probes: cells that are scored, at most C.
      storage: `float32`, or `bfloat16`, which rounds the vectors; scores are float32 sums.
      recall: share of the exact top 10 that these were measured to hold; NaN where it was not.
    """

    def __init__(
        self,
        item_ids: NDArray[np.object_],
        vectors: NDArray[np.float32],
        special: NDArray[np.float32],
        cells: Cells,
        probes: int,
        storage: str = "float32",
        recall: float = float("nan"),
    ) -> None:
        super().__init__(item_ids)
        self.num_cells, self.capacity = len(cells.centroid), cells.capacity
        self.probes, self.recall = probes, recall
        places = self.num_cells * cells.capacity
        stored = np.zeros((places, vectors.shape[1]), np.float32)
        stored[:, -1] = NO_SCORE
        stored[cells.slot] = vectors
        at = np.full(places, self.num_candidates, np.int32)
        at[cells.slot] = np.arange(self.num_candidates)
        shape = (self.num_cells, cells.capacity, vectors.shape[1])
        kept = tf.cast(stored.reshape(shape), storage)
        self.cells = tf.Variable(kept, trainable=False, name="cells")
        self.special = tf.Variable(special, trainable=False, name="special")
        self.centroid = tf.Variable(cells.centroid, trainable=False, name="centroid")
        self.slot = tf.Variable(cells.slot, trainable=False, name="slot")
        self.candidate_at = tf.Variable(at, trainable=False, name="candidate_at")

    def describe(self) -> dict[str, str | float]:
        """As `CandidateIndex.describe`."""
        sizes = {"cells": self.num_cells, "capacity": self.capacity, "probes": self.probes}
        measured = {"storage": self.cells.dtype.name, "recall@10": self.recall}
        return {"kind": "inverted-file", **sizes, **measured}

    def item_vectors(self, row: tf.Tensor) -> tf.Tensor:
        """As `CandidateIndex.item_vectors`."""
        width = self.special.shape[1]
        own = self._vectors(tf.maximum(row - FIRST_ITEM_ROW, 0))[..., :width]
        special = tf.gather(self.special, tf.minimum(row, FIRST_ITEM_ROW - 1))
        return tf.where(row[..., None] >= FIRST_ITEM_ROW, own, special)

    def embedding(self, candidate: tf.Tensor) -> tf.Tensor:
        """As `CandidateIndex.embedding`."""
        rest = self.cells.shape[2] - self.special.shape[1]
        unknown = tf.pad(self.special[FIRST_ITEM_ROW - 1 :], [[0, 0], [0, rest]])
        return tf.where(candidate[:, None] >= 0, self._vectors(tf.maximum(candidate, 0)), unknown)

    def top_k(
        self,
        query: tf.Tensor,
        additions: Additions,
        excluded: tf.Tensor,
        k: int,
        allowed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As `CandidateIndex.top_k`, found in the probed cells."""
        place = left_out(excluded)
        gone = Pairs(place[:, 0], place[:, 1], tf.fill(tf.shape(place)[:1], NO_SCORE))
        parts = [Pairs(*additions.neighbour_pairs()), gone]
        if additions.own is not None:
            parts.append(additions.own)
        named = joined(parts, self.num_candidates)
        values, best = self._probe(query, named, k)
        short = values[:, -1] <= NO_SCORE
        if allowed is not None:
            short |= ~tf.reduce_all(allowed, axis=1)
        values, best = tf.cond(
            tf.reduce_any(short),
            lambda: self._replace(short, query, named, allowed, (values, best)),
            lambda: (values, best),
        )
        best = tf.where(values > NO_SCORE, best, self.num_candidates)
        return tf.gather(self.item_ids, best), tf.maximum(values, NO_SCORE)

    def _vectors(self, candidate: tf.Tensor) -> tf.Tensor:
        slot = tf.gather(self.slot, candidate)
        vectors = tf.gather(tf.reshape(self.cells, [-1, self.cells.shape[2]]), slot)
        return tf.cast(vectors, tf.float32)

    def _probe(self, query: tf.Tensor, named: Pairs, k: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores and candidates, [B, k], of the probed cells and the named pairs."""
        batch = tf.shape(query)[0]
        found = tf.math.top_k(tf.matmul(query, self.centroid, transpose_b=True), self.probes)
        cell = found.indices
        # A request at a time: the cells of many at once would not fit the processor's caches.
        scores = tf.map_fn(
            lambda one: tf.linalg.matvec(
                tf.reshape(
                    tf.cast(rows_of(self.cells, one[1]), tf.float32), [-1, self.cells.shape[2]]
                ),
                one[0],
            ),
            (query, cell),
            fn_output_signature=tf.TensorSpec([self.probes * self.capacity]),
        )
        scores = self._without(scores, cell, named)
        pool = min(k, self.probes * self.capacity)
        values, place = tf.math.top_k(scores, pool)
        probed = tf.gather(cell, place // self.capacity, batch_dims=1)
        probed = tf.gather(self.candidate_at, probed * self.capacity + place % self.capacity)
        own = tf.reduce_sum(self._vectors(named.candidate) * tf.gather(query, named.query), axis=1)
        order = tf.argsort(named.query, stable=True)
        rows = tf.gather(named.query, order)
        own_values, own_candidates = (
            tf.RaggedTensor.from_value_rowids(tf.gather(of, order), rows, batch)
            for of in (tf.maximum(own + named.value, NO_SCORE), named.candidate)
        )
        # At least k places, so that there are k to take.
        empty = tf.fill([batch, k], NO_SCORE)
        values = tf.concat([values, own_values.to_tensor(NO_SCORE), empty], axis=1)
        nobody = tf.fill([batch, k], self.num_candidates)
        candidates = tf.concat([probed, own_candidates.to_tensor(0), nobody], axis=1)
        values, place = tf.math.top_k(values, k)
        return values, tf.gather(candidates, place, batch_dims=1)

    def _without(self, scores: tf.Tensor, cell: tf.Tensor, named: Pairs) -> tf.Tensor:
        """The probed scores, NO_SCORE in place of the named pairs: these are scored apart."""
        batch = tf.shape(cell)[0]
        row = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(cell))
        probe = tf.broadcast_to(tf.range(1, self.probes + 1)[None], tf.shape(cell))
        probe_of_cell = tf.scatter_nd(
            tf.stack([row, cell], axis=-1), probe, [batch, self.num_cells]
        )
        slot = tf.gather(self.slot, named.candidate)
        at = tf.stack([named.query, slot // self.capacity], axis=1)
        probe = tf.gather_nd(probe_of_cell, at) - 1
        place = tf.stack([named.query, probe * self.capacity + slot % self.capacity], axis=1)
        place = tf.boolean_mask(place, probe >= 0)
        return tf.tensor_scatter_nd_update(scores, place, tf.fill(tf.shape(place)[:1], NO_SCORE))

    def _replace(
        self,
        short: tf.Tensor,
        query: tf.Tensor,
        named: Pairs,
        allowed: tf.Tensor | None,
        found: tuple[tf.Tensor, tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The rows that `short` marks scored over all cells, the others as they were found."""
        row = tf.where(short)
        scores = tf.matmul(
            tf.boolean_mask(query, short),
            tf.cast(tf.reshape(self.cells, [-1, self.cells.shape[2]]), tf.float32),
            transpose_b=True,
        )
        mine = tf.gather(short, named.query)
        number = tf.cumsum(tf.cast(short, tf.int32)) - 1
        at = tf.boolean_mask(
            tf.stack([tf.gather(number, named.query), tf.gather(self.slot, named.candidate)], 1),
            mine,
        )
        scores = tf.tensor_scatter_nd_add(scores, at, tf.boolean_mask(named.value, mine))
        if allowed is not None:
            passing = tf.pad(tf.boolean_mask(allowed, short), [[0, 0], [0, 1]])
            passing = tf.gather(passing, self.candidate_at, axis=1)
            scores = tf.where(passing, scores, NO_SCORE)
        values, slot = tf.math.top_k(scores, found[0].shape[1])
        candidate = tf.gather(self.candidate_at, slot)
        return (
            tf.tensor_scatter_nd_update(found[0], row, values),
            tf.tensor_scatter_nd_update(found[1], row, candidate),
        )
