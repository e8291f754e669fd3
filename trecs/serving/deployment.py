"""What a served version is made from: trained weights, and all that is known by now.

An export makes one from a run, a refresh from the version before. Evaluation has no part in it:
here the crowd's counts and the neighbour tables are those of all events, which the targets of a
measurement must not be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

import trecs
from trecs.columns import RATING
from trecs.config import Config
from trecs.data.dataset import Dataset
from trecs.data.log import events_frame
from trecs.features.items import ItemTable, build_item_table
from trecs.features.neighbours import ease_table, transition_table
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.trend import Trend, build_trend_table, trend_step_days
from trecs.features.users import UserTable
from trecs.features.vocabulary import Vocabulary
from trecs.models.item_tensors import ItemTensors, profile_variable
from trecs.models.neighbours import Neighbours
from trecs.models.ranking import RatingHead
from trecs.models.retrieval import RetrievalModel
from trecs.serving.categories import ItemCategories, category_names
from trecs.serving.index import NO_SCORE, CandidateIndex, ExactIndex
from trecs.serving.index_choice import inverted_file, is_exact, sample_queries
from trecs.serving.module import RecommenderModule
from trecs.serving.rank import Ranker, make_ranker
from trecs.text.bert import Bert


@dataclass(frozen=True, eq=False)
class Deployment:
    """Everything that a version follows from.

    Attributes:
      config: settings of the run.
      vocabulary: fitted to the training events, and fixed with the weights.
      dataset: all events and items that are known.
      offered: bool [N] by item code; other items are understood in histories and never recommended.
      text_vectors: float32 [N, H] by item code; rows of NaN where an item has no text.
      text_scale: centre and scale of text vectors, fixed with the weights.
      users: those that trained and those known by their profile text, fixed with the weights.
      model: the trained model; its items and trend are replaced.
      bert: gives the BERT that encodes texts of new items.
      strict: the tie rule that the model was trained with.
      exclude_seen: whether items of the history are never recommended.
      k: length of the lists.
      as_of_s: UTC epoch seconds; the trend's windows end then.
      rating_head: trained; None where the log of the training had no ratings.
      trained_until_s: UTC epoch seconds of the last training event; None where an older export
        does not say.
    """

    config: Config
    vocabulary: Vocabulary
    dataset: Dataset
    offered: NDArray[np.bool_]
    text_vectors: NDArray[np.float32]
    text_scale: tuple[NDArray[np.float32], float]
    users: UserTable
    model: RetrievalModel
    bert: Callable[[], Bert]
    strict: bool
    exclude_seen: bool
    k: int
    as_of_s: int
    rating_head: RatingHead | None = None
    trained_until_s: int | None = None

    @cached_property
    def items(self) -> ItemTable:
        """The item table; candidates are all items, trained ones first."""
        return build_item_table(self.dataset, self.vocabulary, self.text_vectors, self.text_scale)

    @property
    def candidate_of_code(self) -> NDArray[np.int64]:
        """int64 [N], the candidate of each item code."""
        return self.items.row_of_code.astype(np.int64) - FIRST_ITEM_ROW

    def trend(self) -> Trend:
        """As-of counts of all events, by days that end at the moment of `as_of_s`.

        By those of the calendar, the last day would be what there is of today, and next to nothing
        after midnight.
        """
        log, num_candidates = self.dataset.log, self.items.num_candidates
        trained = log.timestamp_s
        if self.trained_until_s is not None:
            trained = trained[trained <= self.trained_until_s]
        step_days = trend_step_days(trained, num_candidates)
        candidate = self.candidate_of_code[log.item]
        return Trend(
            build_trend_table(candidate, log.timestamp_s, num_candidates, step_days, self.as_of_s)
        )

    def neighbours(self) -> Neighbours:
        """Transitions and EASE of all events."""
        log = self.dataset.log
        fitted = (log, np.arange(log.num_events), self.candidate_of_code)
        return Neighbours(transition_table(*fitted), ease_table(*fitted))

    def index(self) -> ExactIndex:
        """The exact index of all items; those not offered have a bias that no score overcomes."""
        trend = self.trend()
        self.model.set_data(ItemTensors(self.items), trend, profile_variable(self.users))
        vectors, bias = self.model.encode_catalogue()
        features = trend.features(trend.row(tf.constant([self.as_of_s], tf.int64)))[0]
        offered = np.zeros(self.items.num_candidates, bool)
        offered[self.candidate_of_code] = self.offered
        own_bias = tf.cast(bias, tf.float32).numpy()[FIRST_ITEM_ROW:]
        return ExactIndex(
            self.items.item_ids,
            tf.cast(vectors, tf.float32).numpy(),
            np.where(offered, own_bias, np.float32(NO_SCORE)),
            tf.transpose(features).numpy(),
        )

    def module(self) -> RecommenderModule:
        """The graph to save.

        Raises:
          UsageError: the inverted file finds too little, see `trecs.settings.ServingConfig`.
        """
        exact = self.index()
        module = self._module(exact)
        if is_exact(self.config.serving, exact.num_candidates):
            return module
        queries = sample_queries(module, self.histories(), self.as_of_s)
        return self._module(inverted_file(exact, queries, self.config.serving))

    def _module(self, index: CandidateIndex) -> RecommenderModule:
        names = self._category_names()
        return RecommenderModule(
            self.model,
            index,
            ItemCategories([names[code] for code in np.argsort(self.items.row_of_code)]),
            self.neighbours(),
            self.users,
            history_len=self.config.model.history_len,
            strict=self.strict,
            exclude_seen=self.exclude_seen,
            k=self.k,
            ranker=self._ranker(),
        )

    def metadata(self) -> dict[str, Any]:
        """Settings, versions and moments, fit for JSON."""
        return {
            "trecs": trecs.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "k": min(self.k, self.items.num_candidates),
            "asked_k": self.k,
            "exclude_seen": self.exclude_seen,
            "ties": "strict" if self.strict else "order",
            "trend_as_of_s": self.as_of_s,
            "users_with_profile": int(np.any(self.users.profile, axis=1).sum()),
            "trained_until_s": self.trained_until_s,
            "rank": self.rating_head is not None,
            "num_offered": int(self.offered.sum()),
            "num_events": self.dataset.log.num_events,
            "config": self.config.to_dict(),
        }

    def titles(self) -> pd.DataFrame:
        """Columns `item_id`, `title` and `categories`, lists of "column=value"."""
        catalogue = self.dataset.catalogue
        return pd.DataFrame(
            {
                "item_id": catalogue.item_ids,
                "title": catalogue.titles,
                "categories": self._category_names(),
            }
        )

    def histories(self) -> pd.DataFrame:
        """Columns `user_id`, `item_id`, `timestamp` (UTC epoch seconds), by time.

        And `rating`, where it is known and there is a head that reads it.
        """
        frame = events_frame(self.dataset.log)
        return (
            frame if self.rating_head is not None else frame.drop(columns=RATING, errors="ignore")
        )

    def _ranker(self) -> Ranker | None:
        if self.rating_head is None:
            return None
        return make_ranker(self.rating_head, self.items, self.dataset.log)

    def _category_names(self) -> list[list[str]]:
        catalogue = self.dataset.catalogue
        return category_names(catalogue.categories, catalogue.num_items)
