"""The trained model as a `Scorer`, so that it is measured as the baselines are."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.evaluation.protocol import Requests
from trecs.features.batches import EventRows, query_batches
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.trend import Trend
from trecs.models.retrieval import RetrievalModel, score

_BATCH_ROWS = 256
# Floats of the largest intermediate, [queries, trend features, items]: 256 MiB.
_MAX_FLOATS = 2**26


class ModelScorer:
    """Scores all items of a data set with a model.

    Item vectors are encoded when the scorer is made and by `refresh`, to be called after training.

    Args:
      model: with its items set; candidates are in the items' order.
      events: all events that histories may hold, by user.
      trend: as-of counts of the whole log; a request reads the days before its own only.
      row_of_code: int32 [N], item row of each item code.
      history_len: newest events read.
    """

    def __init__(
        self,
        model: RetrievalModel,
        events: EventRows,
        trend: Trend,
        row_of_code: NDArray[np.int32],
        history_len: int,
    ) -> None:
        self._model = model
        self._events = events
        self._trend = trend
        self._history_len = history_len
        self._candidate_rows = tf.constant(row_of_code)
        self._encode_items = tf.function(model.encode_items)
        self._encode = tf.function(self._encode_batch, reduce_retracing=True)
        self._score = tf.function(self._score_rows, reduce_retracing=True)
        self.refresh()

    def refresh(self) -> None:
        """Encode the items again, with the model's present weights."""
        self._vectors, self._bias = self._encode_items()

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """float32 [n, N]; see `trecs.evaluation.protocol.Scorer`."""
        # Targets of one user and second share a query where the tie rule is strict.
        key = np.stack([requests.user, requests.history_hi, requests.request_time_s])
        _, first, inverse = np.unique(key, axis=1, return_index=True, return_inverse=True)
        query, weight = self._encode_requests(requests, first)
        row = self._trend.row(tf.constant(requests.request_time_s[first]))
        scores = np.empty((len(requests), len(self._candidate_rows)), np.float32)
        inverse = inverse.reshape(-1)
        step = max(1, _MAX_FLOATS // (weight.shape[1] * scores.shape[1]))
        for i in range(0, len(requests), step):
            part = inverse[i : i + step]
            scores[i : i + step] = self._score(
                tf.gather(query, part),
                tf.gather(weight, part),
                tf.gather(row, part),
                self._vectors,
                self._bias,
            )
        return scores

    def _encode_requests(
        self, requests: Requests, chosen: NDArray[np.int64]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Queries [n, D] and trend weights [n, K] of the chosen requests."""
        parts, queries, weights = [], [], []
        for part, batch in query_batches(
            self._events,
            requests.user[chosen],
            requests.history_lo[chosen],
            requests.history_hi[chosen],
            requests.request_time_s[chosen],
            history_len=self._history_len,
            batch_rows=_BATCH_ROWS,
        ):
            query, weight = self._encode(
                {k: tf.constant(v) for k, v in batch.items()}, self._vectors
            )
            parts.append(part)
            queries.append(query)
            weights.append(weight)
        back = np.argsort(np.concatenate(parts))
        return tf.gather(tf.concat(queries, 0), back), tf.gather(tf.concat(weights, 0), back)

    def _encode_batch(
        self, batch: dict[str, tf.Tensor], vectors: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        history = tf.gather(vectors, batch["history_row"])
        query, weight = self._model.encode_queries(batch, history)
        return query[:, 0], weight[:, 0]

    def _score_rows(
        self,
        query: tf.Tensor,
        weight: tf.Tensor,
        row: tf.Tensor,
        vectors: tf.Tensor,
        bias: tf.Tensor,
    ) -> tf.Tensor:
        days, which = tf.unique(row)
        rows = self._candidate_rows
        trend = tf.gather(self._trend.features(days, rows - FIRST_ITEM_ROW), which)
        return score(query, weight, tf.gather(vectors, rows), tf.gather(bias, rows), trend)
