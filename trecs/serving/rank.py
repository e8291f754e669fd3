"""The signatures `rank` and `rank_rated`: predicted ratings of candidates, of stock operations.

`rank` takes what `recommend` takes, and the candidates; how the user rated the history is then not
known, and the head reads what was had, not how it was liked. `rank_rated` takes the ratings too.
See docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.features.items import ItemTable
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking import RatingHead
from trecs.models.ranking_data import MAX_HISTORY, count_feature, shrunk_mean
from trecs.training.rating_statistics import item_sums

Lookup = Callable[[tf.Tensor], tf.Tensor]


class Ranker(tf.Module):
    """A rating head over all items, with the items' ratings as of the export.

    Args:
      head: trained; its decoder is traced into the graph.
      items: M rows.
      offset, count: float32 [M], `candidate_offset` and `candidate_count` of each item row.
    """

    def __init__(
        self,
        head: RatingHead,
        items: ItemTable,
        offset: NDArray[np.float32],
        count: NDArray[np.float32],
    ) -> None:
        super().__init__(name="ranker")
        encoded = head.encode_items(ItemTensors(items).rows())
        self.tables = {
            name: tf.Variable(value, trainable=False, name=f"rank_{name}")
            for name, value in {
                **encoded,
                "factor_row": tf.gather(head.factor_row.value, items.id_index),
                "candidate_fitted": tf.gather(head.fitted.value, items.id_index),
                "candidate_offset": offset,
                "candidate_count": count,
            }.items()
        }
        self.head_variables = [w.value for w in head.weights if "item_tower" not in w.path]
        # Closures, so that the Keras layer is no attribute of this module.
        self._predict, self._estimate = _functions(head)

    def signatures(
        self, users: Lookup, candidates: Lookup, request: list[tf.TensorSpec]
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The functions to save, by signature name.

        Args:
          users: row of the user embedding (int32) by user id.
          candidates: candidate number (int32) by item id, negative for an unknown one.
          request: inputs of `recommend`.
        """
        asked = [*request, tf.TensorSpec([None, None], tf.string, name="candidate_item_ids")]
        ratings = tf.TensorSpec([None, None], tf.float32, name="history_ratings")

        @tf.function(input_signature=[*asked, ratings], autograph=False)
        def predict(
            user_id: tf.Tensor,
            history_item_ids: tf.Tensor,
            history_timestamps: tf.Tensor,
            request_time: tf.Tensor,
            candidate_item_ids: tf.Tensor,
            history_ratings: tf.Tensor,
        ) -> dict[str, tf.Tensor]:
            history = newest_events(
                candidates(history_item_ids) + FIRST_ITEM_ROW,
                history_timestamps,
                history_ratings,
                (history_item_ids != "") & (history_timestamps < request_time[:, None]),
            )
            rows = candidates(candidate_item_ids) + FIRST_ITEM_ROW
            return {"predictions": self.rank(users(user_id), history, request_time, rows)}

        @tf.function(input_signature=asked, autograph=False)
        def unrated(
            user_id: tf.Tensor,
            history_item_ids: tf.Tensor,
            history_timestamps: tf.Tensor,
            request_time: tf.Tensor,
            candidate_item_ids: tf.Tensor,
        ) -> dict[str, tf.Tensor]:
            history = user_id, history_item_ids, history_timestamps
            unknown = tf.fill(tf.shape(history_item_ids), np.float32(np.nan))
            found: dict[str, tf.Tensor] = predict(
                *history, request_time, candidate_item_ids, unknown
            )
            return found

        return {
            "rank": unrated.get_concrete_function(),
            "rank_rated": predict.get_concrete_function(),
        }

    def rank(
        self,
        user_row: tf.Tensor,
        history: dict[str, tf.Tensor],
        request_time: tf.Tensor,
        candidate_row: tf.Tensor,
    ) -> tf.Tensor:
        """Predicted ratings float32 [B, C].

        Args:
          user_row: int32 [B].
          history: of `newest_events`.
          request_time: int64 [B], UTC epoch seconds.
          candidate_row: int32 [B, C] item rows.
        """
        shape = tf.shape(candidate_row)
        readable = history.pop("readable")
        batch = {
            **history,
            "user_row": user_row,
            "candidate_row": candidate_row,
            "request_time_s": tf.broadcast_to(request_time[:, None], shape),
            "visible": tf.repeat(readable[:, None], shape[1], axis=1),
            "candidate_offset": tf.gather(self.tables["candidate_offset"], candidate_row),
            "candidate_count": tf.gather(self.tables["candidate_count"], candidate_row),
            "candidate_fitted": tf.gather(self.tables["candidate_fitted"], candidate_row),
            "candidate_estimate": self._estimate(
                tf.gather(self.tables["factor_row"], history["history_row"]),
                history["history_rating"],
                readable,
                tf.gather(self.tables["factor_row"], candidate_row),
            ),
        }
        of_history, of_candidate = (
            {name: tf.gather(self.tables[name], rows) for name in ("vector", "bias", "offset")}
            for rows in (history["history_row"], candidate_row)
        )
        return self._predict(batch, of_history, of_candidate)


def make_ranker(head: RatingHead, items: ItemTable, log: EventLog) -> Ranker:
    """The ranker as of the end of a log.

    Args:
      head: trained.
      items: of the export.
      log: all events.
    """
    events, rating = log.rated(np.arange(log.num_events))
    residual, row = head.standardise(rating), items.row_of_code[log.item[events]]
    total, count = item_sums(row, residual, len(items.id_index))
    return Ranker(head, items, shrunk_mean(total, count), count_feature(count))


def newest_events(
    row: tf.Tensor, times: tf.Tensor, ratings: tf.Tensor, readable: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The newest readable events of histories in any order, at most `MAX_HISTORY`.

    Args:
      row: int32 [B, L] item rows.
      times: int64 [B, L], UTC epoch seconds.
      ratings: float32 [B, L], NaN where not known.
      readable: bool [B, L], which events may be read.

    Returns:
      `history_row`, `history_time_s`, `history_rating` and `readable`, [B, min(L, MAX) + 1]; the
      last column is not readable, so that there always is one.
    """
    key = tf.where(readable, times, tf.int64.min)
    # Of events of one second the later ones of the request, as everywhere.
    order = tf.argsort(key, axis=1, stable=True)[:, -MAX_HISTORY:]
    columns = {
        "history_row": row,
        "history_time_s": times,
        "history_rating": ratings,
        "readable": readable,
    }
    return {
        name: tf.pad(tf.gather(values, order, batch_dims=1), [[0, 0], [0, 1]])
        for name, values in columns.items()
    }


def _functions(head: RatingHead) -> tuple[Callable[..., tf.Tensor], Callable[..., tf.Tensor]]:
    def predict(
        batch: dict[str, tf.Tensor], history: dict[str, tf.Tensor], candidate: dict[str, tf.Tensor]
    ) -> tf.Tensor:
        return head.predict_ratings(*head(batch, history, candidate))

    def estimate(*history_and_candidates: tf.Tensor) -> tf.Tensor:
        return head.estimate(*history_and_candidates)

    return predict, estimate
