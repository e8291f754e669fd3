"""The graph that is exported: signatures over a trained model and an index."""

from __future__ import annotations

from functools import partial

import keras
import tensorflow as tf

from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.users import UserTable
from trecs.models.neighbours import Neighbours, recent_events
from trecs.models.retrieval import RetrievalModel
from trecs.serving.additions import Additions, Pairs
from trecs.serving.categories import ItemCategories
from trecs.serving.index import CandidateIndex
from trecs.serving.query_encoder import query_encoder
from trecs.serving.rank import Ranker
from trecs.serving.request import UNKNOWN_CANDIDATE, own_items, query_batch, sorted_history
from trecs.serving.score_parts import PARTS, score_parts
from trecs.serving.signatures import (
    explain_signature,
    filtered_signature,
    profiled_signature,
    request_signature,
)


class RecommenderModule(tf.Module):
    """Variables, tables and signatures; holds no Keras object, which saving would try to trace.

    Args:
      model: trained; its query side is traced into the graph.
      index: the candidates.
      categories: theirs.
      neighbours: between them.
      users: known users; their profiles are those of the model's data.
      history_len: newest positions that the model reads.
      strict: tie rule that the model was trained with.
      exclude_seen: whether `recommend` leaves out the items of the history.
      k: length of the lists, at most the number of candidates.
      ranker: predicts ratings; None where the log has none.
    """

    def __init__(
        self,
        model: RetrievalModel,
        index: CandidateIndex,
        categories: ItemCategories,
        neighbours: Neighbours,
        users: UserTable,
        *,
        history_len: int,
        strict: bool,
        exclude_seen: bool,
        k: int,
        ranker: Ranker | None = None,
    ) -> None:
        super().__init__(name="recommender")
        self.index = index
        self.ranker = ranker
        self.categories = categories
        self.neighbours = neighbours
        self.neighbour_weights = [chosen.value for chosen in model.chosen]
        self._score_neighbours = model.score_neighbours
        self._neighbour_pairs = model.neighbour_pairs
        self.users = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                list(users.user_ids), tf.range(1, len(users.user_ids) + 1, dtype=tf.int32)
            ),
            default_value=0,
        )
        self._num_trained_users = users.num_trained
        profiles = model.encode_profiles()
        # D wide, so that the version neither holds nor computes more of a profile than it adds.
        self.profiles = None if profiles is None else tf.Variable(profiles, trainable=False)
        parts: list[keras.layers.Layer] = [model.timestamp_tower, model.user_tower]
        if model.repeat_term is not None:
            parts.append(model.repeat_term)
        self.tower_variables = [w.value for part in parts for w in part.weights]
        self._settings = (history_len, strict, exclude_seen, min(k, index.num_candidates))
        self._encode = query_encoder(model)
        self._score_repeats = None if model.repeat_term is None else model.score_repeats
        # The same by a dictionary, which is how `keras.layers.TFSMLayer` calls: endpoint "call".
        self.call = tf.function(
            lambda inputs: self.recommend(**inputs),
            input_signature=[{spec.name: spec for spec in request_signature()}],
            autograph=False,
        )

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The functions to save, by signature name."""
        query = request_signature()
        item = [tf.TensorSpec([None], tf.string, name="item_id")]
        recommend = tf.function(
            self.recommend, input_signature=query, autograph=False
        ).get_concrete_function()
        filtered = tf.function(
            self.recommend_filtered, input_signature=filtered_signature(), autograph=False
        )
        explain = tf.function(self.explain, input_signature=explain_signature(), autograph=False)
        encode_query = tf.function(self.encode_query, input_signature=query, autograph=False)
        encode_item = tf.function(self.encode_item, input_signature=item, autograph=False)
        lookups = self._trained_row, self.index.candidate
        more = {} if self.ranker is None else self.ranker.signatures(*lookups, query)
        if self.profiles is not None:
            asked = profiled_signature(self.profiles.shape[1])
            profiled = tf.function(
                self.recommend_with_profile, input_signature=asked, autograph=False
            )
            more["recommend_with_profile"] = profiled.get_concrete_function()
        return more | {
            "serving_default": recommend,
            "recommend": recommend,
            "recommend_filtered": filtered.get_concrete_function(),
            "explain": explain.get_concrete_function(),
            "encode_query": encode_query.get_concrete_function(),
            "encode_item": encode_item.get_concrete_function(),
        }

    def recommend(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        history_timestamps: tf.Tensor,
        request_time: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The k best items for users at their request times.

        Args:
          user_id: string [B]; an unknown user is served from the history alone.
          history_item_ids: string [B, L], any L and order; "" is padding, unknown ids are events
            whose item is not known.
          history_timestamps: int64 [B, L], UTC epoch seconds; events that are not before the
            request are ignored, but for those of its second where the run's ties are `order`.
          request_time: int64 [B], UTC epoch seconds.

        Returns:
          `item_ids` string [B, k] and `scores` float32 [B, k], best first.
        """
        history = self._history(history_item_ids, history_timestamps, request_time)
        return self._answer(user_id, history, request_time, self._own(history), None)

    def recommend_with_profile(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        history_timestamps: tf.Tensor,
        request_time: tf.Tensor,
        profile: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """As `recommend`, for users whose profile text is new or has changed.

        Args:
          user_id, history_item_ids, history_timestamps, request_time: as of `recommend`.
          profile: float32 [B, D], of `encode_user_text`, in place of the known one.
        """
        history = self._history(history_item_ids, history_timestamps, request_time)
        own = self._own(history)
        return self._answer(user_id, history, request_time, own, None, profile)

    def recommend_filtered(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        history_timestamps: tf.Tensor,
        request_time: tf.Tensor,
        excluded_item_ids: tf.Tensor,
        allowed_categories: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The k best of the items that pass: k of them wherever as many pass.

        Args:
          user_id, history_item_ids, history_timestamps, request_time: as of `recommend`.
          excluded_item_ids: string [B, E], left out whatever the history; "" is padding, unknown
            ids are ignored.
          allowed_categories: string [B, C], "column=value" such as "genres=Comedy"; an item passes
            that has one of them. "" is padding; a row without names lets every item pass.

        Returns:
          As `recommend`.
        """
        history = self._history(history_item_ids, history_timestamps, request_time)
        excluded = self.index.candidate(excluded_item_ids)
        excluded = tf.concat([self._own(history), excluded], axis=1)
        allowed = self.categories.allowed(allowed_categories)
        return self._answer(user_id, history, request_time, excluded, allowed)

    def explain(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        history_timestamps: tf.Tensor,
        request_time: tf.Tensor,
        item_ids: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """What adds up to the scores of items (string [B, C]), whether seen or not.

        Returns:
          `parts` float32 [B, C, P], and `names` string [B, P], the same in each row, since servers
          take every output apart by rows.
        """
        history = self._history(history_item_ids, history_timestamps, request_time)
        query, repeat_weight = self._query(user_id, history, request_time)
        asked = self.index.candidate(item_ids)
        embedding = self.index.embedding(tf.reshape(asked, [-1]))
        items = tf.reshape(embedding, [tf.shape(asked)[0], tf.shape(asked)[1], query.shape[1]])
        recent = recent_events(history[0], history[2])
        counts = (
            self.neighbours.transitions(recent) * self.neighbour_weights[0],
            self.neighbours.ease(recent, self.neighbour_weights[2]) * self.neighbour_weights[1],
        )
        own = self._own_pairs(history, request_time, repeat_weight)
        parts = score_parts(query, items, asked, *counts, own)
        names = tf.tile(tf.constant(PARTS)[None], [tf.shape(asked)[0], 1])
        return {"parts": parts, "names": names}

    def encode_query(
        self,
        user_id: tf.Tensor,
        history_item_ids: tf.Tensor,
        history_timestamps: tf.Tensor,
        request_time: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """`embedding` float32 [B, D + K + 1], whose inner product with an item's is its score.

        Without what the neighbour and repeat terms add to single items.
        """
        history = self._history(history_item_ids, history_timestamps, request_time)
        return {"embedding": self._query(user_id, history, request_time)[0]}

    def encode_item(self, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """`embedding` float32 [B, D + K + 1] of items; an unknown id has the unknown item's."""
        return {"embedding": self.index.embedding(self.index.candidate(item_id))}

    def _own(self, history: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Candidates [B, L] of the history where these are left out; else negative numbers."""
        candidate, _, count = history
        had = tf.range(tf.shape(candidate)[1])[None] < count[:, None]
        exclude_seen = self._settings[2]
        return tf.where(had & exclude_seen, candidate, UNKNOWN_CANDIDATE)

    def _answer(
        self,
        user_id: tf.Tensor,
        history: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        request_time: tf.Tensor,
        excluded: tf.Tensor,
        allowed: tf.Tensor | None,
        profile: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        query, repeat_weight = self._query(user_id, history, request_time, profile)
        candidate, _, count = history
        recent = recent_events(candidate, count)
        additions = Additions(
            partial(self._score_neighbours, self.neighbours, recent),
            partial(self._neighbour_pairs, self.neighbours, recent),
            self._own_pairs(history, request_time, repeat_weight),
        )
        k = self._settings[3]
        item_ids, scores = self.index.top_k(query, additions, excluded, k, allowed)
        return {"item_ids": item_ids, "scores": scores}

    def _history(
        self, item_ids: tf.Tensor, timestamps: tf.Tensor, time: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Candidates, times and lengths; see `sorted_history`."""
        strict = self._settings[1]
        return sorted_history(self.index.candidate(item_ids), item_ids, timestamps, time, strict)

    def _query(
        self,
        user_id: tf.Tensor,
        history: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        time: tf.Tensor,
        profile: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Query embeddings [B, D + K + 1] and repeat weights [B, R]."""
        user_row = self.users.lookup(user_id)
        batch = query_batch(user_row, *history, time, self._settings[0])
        if profile is None and self.profiles is not None:
            profile = tf.gather(self.profiles, user_row)
        return self._encode(batch, self.index.item_vectors(batch["history_row"]), profile)

    def _trained_row(self, user_id: tf.Tensor) -> tf.Tensor:
        """Rows int32 [B] of users, 0 also for those known by their profile alone."""
        row = self.users.lookup(user_id)
        return tf.where(row <= self._num_trained_users, row, 0)

    def _own_pairs(
        self,
        history: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        time: tf.Tensor,
        repeat_weight: tf.Tensor,
    ) -> Pairs | None:
        if self._score_repeats is None:
            return None
        own = own_items(*history, time, self.index.num_candidates)
        candidate = own.row - FIRST_ITEM_ROW
        # Their vectors alone, not the catalogue's: the term reads no others.
        vectors = self.index.item_vectors(own.row)
        place = tf.range(tf.size(candidate))
        added = self._score_repeats(own, repeat_weight, vectors, place)
        return Pairs(own.query, candidate, added)
