"""Which index an export gets, and how many cells an inverted file probes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from trecs.errors import UsageError
from trecs.serving.client_payload import query_inputs
from trecs.serving.index import ExactIndex
from trecs.serving.inverted_file import Cells, InvertedFile, make_cells
from trecs.serving.module import RecommenderModule
from trecs.settings import ServingConfig

EXACT_MAX_ITEMS = 200_000
"""Largest catalogue that `auto` scores whole: some milliseconds a request on two cores."""
_TOP = 10
_MAX_USERS = 1000
_MAX_EVENTS = 200
_BLOCK = 32

Vectors = NDArray[np.float32]


def is_exact(settings: ServingConfig, num_items: int) -> bool:
    """Whether the settings ask for the exact index of so many items."""
    auto = settings.index == "auto" and num_items <= EXACT_MAX_ITEMS
    return auto or settings.index == "exact"


def inverted_file(exact: ExactIndex, queries: Vectors, settings: ServingConfig) -> InvertedFile:
    """The inverted file in the place of an exact index, with enough probes.

    Args:
      exact: of all candidates.
      queries: [Q, W], two or more; every second one shapes the cells, the others measure recall.
      settings: with 0 probes, the fewest are taken that reach `min_recall`.

    Raises:
      UsageError: the probes that are asked for reach less, or rounded vectors do with all probes.
    """
    candidates = tf.range(exact.num_candidates)
    vectors = exact.embedding(candidates).numpy()
    cells = make_cells(vectors, queries[::2])
    stored = tf.cast(tf.cast(vectors, settings.storage), tf.float32).numpy()
    recall = recall_by_probes(vectors, stored, cells, queries[1::2])
    probes = min(settings.probes, len(recall)) or int(np.argmax(recall >= settings.min_recall)) + 1
    reached = float(recall[probes - 1])
    if recall[-1] < settings.min_recall:
        raise UsageError(
            f"all cells together find {recall[-1]:.3f} of the exact top {_TOP}, less than"
            f" serving.min_recall={settings.min_recall}, since serving.storage={settings.storage}"
            " rounds the vectors; take float32, or a lower min_recall"
        )
    if reached < settings.min_recall:
        enough = int(np.argmax(recall >= settings.min_recall)) + 1
        raise UsageError(
            f"serving.probes={probes} finds {reached:.3f} of the exact top {_TOP}, less than"
            f" serving.min_recall={settings.min_recall}; probe {enough} cells, or leave it to 0"
        )
    special = exact.item_vectors(tf.range(2)).numpy()
    ids = np.array([i.decode() for i in exact.item_ids.numpy()[:-1]], object)
    return InvertedFile(ids, vectors, special, cells, probes, settings.storage, reached)


def recall_by_probes(
    vectors: Vectors, stored: Vectors, cells: Cells, queries: Vectors
) -> NDArray[np.float64]:
    """The share of the exact top 10 that 1, 2, ... C probed cells find, float64 [C].

    A true one is surely found if its cell is probed and it is among the top 10 of the vectors as
    they are stored.
    """
    top = min(_TOP, len(vectors))
    num_cells = len(cells.centroid)
    found = np.zeros(num_cells)
    for begin in range(0, len(queries), _BLOCK):
        part = queries[begin : begin + _BLOCK]
        best = np.argpartition(part @ vectors.T, -top, axis=1)[:, -top:]
        scores = part @ stored.T
        least = np.partition(scores, -top, axis=1)[:, -top, None]
        kept = np.take_along_axis(scores, best, axis=1) >= least
        order = np.argsort(-(part @ cells.centroid.T), axis=1)
        rank = np.argsort(order, axis=1)
        own = np.take_along_axis(rank, cells.slot[best] // cells.capacity, axis=1)
        found += np.bincount(own[kept], minlength=num_cells)
    return np.cumsum(found) / (len(queries) * top)


def sample_queries(module: RecommenderModule, histories: pd.DataFrame, time_s: int) -> Vectors:
    """Queries [Q, W] of up to 1,000 known users at a time (UTC epoch seconds), a fixed sample.

    Args:
      module: encodes them.
      histories: columns `user_id`, `item_id`, `timestamp`, by time.
      time_s: when they ask.
    """
    users = histories["user_id"].unique()
    chosen = np.random.default_rng(0).permutation(users)[:_MAX_USERS]
    newest = histories[histories["user_id"].isin(chosen)].groupby("user_id").tail(_MAX_EVENTS)
    by_user = dict(list(newest.groupby("user_id")))
    found = []
    for begin in range(0, len(chosen), _BLOCK):
        part = [str(user) for user in chosen[begin : begin + _BLOCK]]
        inputs = query_inputs(part, [by_user[user] for user in part], [time_s] * len(part))
        tensors = {
            name: tf.constant(array, tf.string if array.dtype == object else tf.int64, array.shape)
            for name, array in inputs.items()
        }
        found.append(module.encode_query(**tensors)["embedding"].numpy())
    return np.concatenate(found)
