"""What the trained model says of a data set's users, put together from the evaluation's parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import trecs
from trecs.data.dataset import Dataset
from trecs.data.sequences import build_sequences
from trecs.evaluation.model_scorer import ModelScorer
from trecs.evaluation.protocol import Requests
from trecs.features.batches import event_rows
from trecs.features.items import build_item_table
from trecs.features.neighbours import ease_table, transition_table
from trecs.features.trend import Trend, build_trend_table
from trecs.models.item_tensors import ItemTensors, profile_variable
from trecs.models.neighbours import Neighbours


class _TrendAsOf:
    """The trend as a version froze it, whatever the request time."""

    def __init__(self, trend: Trend, as_of_s: int) -> None:
        self._trend, self._as_of_s = trend, as_of_s

    def row(self, times_s):
        return self._trend.row(tf.fill(tf.shape(times_s), tf.constant(self._as_of_s, tf.int64)))

    def features(self, *arguments):
        return self._trend.features(*arguments)


@dataclass(frozen=True)
class LiveAnswers:
    """Scores [U, N] by user and item code, -inf for items had, and what they were asked with."""

    scores: np.ndarray
    user_ids: list[str]
    item_ids: np.ndarray
    histories: list[list[tuple[str, int]]]

    def best(self, top: int) -> tuple[list[list[str]], np.ndarray]:
        """Ids and scores of the best items, both [U, top]."""
        best = np.argsort(-self.scores, axis=1, kind="stable")[:, :top]
        return self.item_ids[best].tolist(), np.take_along_axis(self.scores, best, axis=1)


def ask_live(run: trecs.Run, dataset: Dataset, vectors: np.ndarray, as_of_s: int, at_s: int):
    """Ask a run's model, with a data set's events and items in place of the run's, for all users.

    Args:
      run: gives the weights and what was fitted to the training events.
      dataset: other events and items, those of the training among them.
      vectors: text vectors by item code.
      as_of_s: of the trend.
      at_s: request time of all users.
    """
    log, vocabulary = dataset.log, run.vocabulary
    items = build_item_table(dataset, vocabulary, vectors, run.text_scale)
    candidate = items.row_of_code.astype(np.int64) - 2
    table = (candidate[log.item], log.timestamp_s, dataset.num_items)
    trend = Trend(build_trend_table(*table, end_s=as_of_s))
    sequences = build_sequences(log)
    lo, end = sequences.start[:-1], sequences.start[1:]
    before = log.timestamp_s[sequences.order] < at_s
    hi = lo + np.array([before[a:b].sum() for a, b in zip(lo, end, strict=True)])
    users = np.arange(log.num_users, dtype=np.int32)
    model = run.model()
    model.set_data(ItemTensors(items), trend, profile_variable(run.users))
    every = (log, np.arange(log.num_events), candidate)
    scorer = ModelScorer(
        model,
        event_rows(log, sequences, items, run.users.user_ids, run.has_repeats),
        _TrendAsOf(trend, as_of_s),
        Neighbours(transition_table(*every), ease_table(*every)),
        items.row_of_code,
        run.config.model.history_len,
    )
    times = np.full(len(users), at_s, np.int64)
    scores = scorer.score(Requests(users, np.zeros_like(users), times, lo, hi))
    histories = []
    for user, (first, last) in enumerate(zip(lo, hi, strict=True)):
        events = sequences.order[first:last]
        if run.exclude_seen:
            scores[user, log.item[events]] = -np.inf
        histories.append([(log.item_ids[log.item[e]], int(log.timestamp_s[e])) for e in events])
    return LiveAnswers(scores, log.user_ids.tolist(), log.item_ids, histories)
