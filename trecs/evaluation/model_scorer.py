"""The trained model as a `Scorer`, so that it is measured as the baselines are."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.data.blocks import cost_blocks
from trecs.evaluation.protocol import Requests
from trecs.features.batches import EventRows, query_batches
from trecs.features.repeats import Occurrences, own_entries
from trecs.features.spec import FIRST_ITEM_ROW, QUERY_FEATURES, UNKNOWN_ROW
from trecs.features.trend import Trend
from trecs.models.neighbours import NUM_RECENT, Neighbours
from trecs.models.repeats import NUM_REPEAT_FEATURES, OwnItems, own_items_spec
from trecs.models.retrieval import RetrievalModel
from trecs.models.scoring import score

_BATCH_ROWS = 256
# Pairs of places of all rows of a batch, what attention keeps: 256 rows of 256.
_MAX_PAIRS = 2**24
# Floats of the largest intermediate, [queries, trend features, items]: 256 MiB.
_MAX_FLOATS = 2**26
# Events of histories that are looked through at a time; some 30 bytes each.
_MAX_HISTORY_EVENTS = 2**22


class ModelScorer:
    """Scores all items of a data set with a model.

    Item vectors are encoded when the scorer is made and by `refresh`, to be called after training.

    Args:
      model: with its items set; candidates are in the items' order.
      events: all events that histories may hold, by user.
      trend: as-of counts of the whole log; a request reads the days before its own only.
      neighbours: by the training events.
      row_of_code: int32 [N], item row of each item code.
      history_len: newest events read.
    """

    def __init__(
        self,
        model: RetrievalModel,
        events: EventRows,
        trend: Trend,
        neighbours: Neighbours,
        row_of_code: NDArray[np.int32],
        history_len: int,
    ) -> None:
        self._model = model
        self._events = events
        self._trend = trend
        self._neighbours = neighbours
        self._history_len = history_len
        self._candidate_rows = tf.constant(row_of_code)
        self._code_of_row = np.zeros(int(row_of_code.max()) + 1, np.int64)
        self._code_of_row[row_of_code] = np.arange(len(row_of_code))
        self._encode_items = tf.function(model.encode_catalogue, autograph=False)
        self.refresh()
        width, num_trends = self._vectors.shape[1], model.user_tower.num_trend_features
        vectors = tf.TensorSpec([None, width])
        weights = tf.TensorSpec([None, NUM_REPEAT_FEATURES])
        # Every call has another number of rows: a signature keeps TensorFlow from tracing for each.
        self._encode = tf.function(
            self._encode_batch, input_signature=[_query_spec(), vectors], autograph=False
        )
        self._repeat = tf.function(
            model.score_repeats,
            input_signature=[own_items_spec(), weights, vectors],
            autograph=False,
        )
        self._follow = tf.function(
            self._score_neighbours,
            input_signature=[tf.TensorSpec([None, NUM_RECENT], tf.int32)],
            autograph=False,
        )
        self._score = tf.function(
            self._score_rows,
            input_signature=[
                vectors,
                tf.TensorSpec([None, num_trends]),
                tf.TensorSpec([None], tf.int32),
                vectors,
                tf.TensorSpec([None]),
            ],
            autograph=False,
        )

    def refresh(self) -> None:
        """Encode the items again, with the model's present weights."""
        self._vectors, self._bias = self._encode_items()

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """float32 [n, N]; see `trecs.evaluation.protocol.Scorer`."""
        query, weight, repeat_weight = self._encode_requests(requests)
        row = self._trend.row(tf.constant(requests.request_time_s))
        scores = np.empty((len(requests), len(self._candidate_rows)), np.float32)
        step = max(1, _MAX_FLOATS // (weight.shape[1] * scores.shape[1]))
        for i in range(0, len(requests), step):
            part = slice(i, i + step)
            scores[part] = self._score(
                query[part], weight[part], row[part], self._vectors, self._bias
            )
        if self._model.repeat_term is not None:
            self._add_repeats(scores, requests, repeat_weight)
        weights = (self._model.transition_weight, self._model.ease_weight)
        if any(float(weight.numpy()) for weight in weights):
            scores += self._follow(tf.constant(self._recent(requests))).numpy()
        return scores

    def _recent(self, requests: Requests) -> NDArray[np.int32]:
        """Candidates of each history's newest events, as `Neighbours` reads them."""
        event = requests.history_hi[:, None] + np.arange(-NUM_RECENT, 0)
        candidate = self._events.item_row[np.maximum(event, 0)] - FIRST_ITEM_ROW
        return np.where(event >= requests.history_lo[:, None], candidate, -1).astype(np.int32)

    def _score_neighbours(self, recent: tf.Tensor) -> tf.Tensor:
        scores = self._model.score_neighbours(self._neighbours, recent)
        return tf.gather(scores, self._candidate_rows - FIRST_ITEM_ROW, axis=1)

    def _add_repeats(
        self, scores: NDArray[np.float32], requests: Requests, weight: tf.Tensor
    ) -> None:
        """Add to the scores of what the users have had before, in place."""
        events = self._events
        if events.occurrences is None:
            raise ValueError("a model with a repeat term needs occurrences, got events without")
        lo, hi = requests.history_lo, requests.history_hi
        for block in cost_blocks(hi - lo, _MAX_HISTORY_EVENTS):
            query, event = own_entries(events.occurrences, lo[block], hi[block])
            own = (query + block.start, event)
            self._add_own(scores, requests, weight, events.occurrences, own)

    def _add_own(
        self,
        scores: NDArray[np.float32],
        requests: Requests,
        weight: tf.Tensor,
        occurrences: Occurrences,
        own: tuple[NDArray[np.int32], NDArray[np.int64]],
    ) -> None:
        """Add what is known of some (query, event), each the newest of its item."""
        events, (query, event) = self._events, own
        row = events.item_row[event]
        known = row != UNKNOWN_ROW
        query, event, row = query[known], event[known], row[known]
        entries = OwnItems(
            query,
            row,
            occurrences.count[event],
            requests.request_time_s[query] - events.time_s[event],
            occurrences.interval_s[event],
            occurrences.sums[event],
            (requests.history_hi[query] - 1 - event).astype(np.int32),
        )
        bonus = self._repeat(OwnItems(*map(tf.constant, entries)), weight, self._vectors)
        np.add.at(scores, (query, self._code_of_row[row]), bonus.numpy())

    def _encode_requests(self, requests: Requests) -> list[tf.Tensor]:
        """Queries [n, D], trend weights [n, K] and repeat weights [n, R]."""
        parts, encoded = [], []
        for part, batch in query_batches(
            self._events,
            requests.user,
            requests.history_lo,
            requests.history_hi,
            requests.request_time_s,
            history_len=self._history_len,
            batch_rows=max(1, min(_BATCH_ROWS, _MAX_PAIRS // self._history_len**2)),
        ):
            batch = {k: tf.constant(v) for k, v in batch.items()}
            parts.append(part)
            encoded.append(self._encode(batch, self._vectors))
        back = np.argsort(np.concatenate(parts))
        return [tf.gather(tf.concat(of_parts, 0), back) for of_parts in zip(*encoded, strict=True)]

    def _encode_batch(
        self, batch: dict[str, tf.Tensor], vectors: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        history = tf.gather(vectors, batch["history_row"])
        return tuple(found[:, 0] for found in self._model.encode_queries(batch, history))

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
        trend = self._trend.features(days, rows - FIRST_ITEM_ROW)
        vectors, bias = tf.gather(vectors, rows), tf.gather(bias, rows)
        return score(query, weight, vectors, bias, trend, which, learns=False)


def _query_spec() -> dict[str, tf.TensorSpec]:
    return {f.name: tf.TensorSpec([None] * len(f.dims), f.dtype, f.name) for f in QUERY_FEATURES}
