"""Recommendations out of a SavedModel, by anyone who has its folder and TensorFlow."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from trecs.errors import UsageError
from trecs.serving.client_payload import Events, filter_inputs, query_inputs
from trecs.serving.explanation import Explanation, explain_items
from trecs.serving.export import EXTRA, versions
from trecs.serving.index import NO_SCORE
from trecs.serving.recommendation import Recommendation
from trecs.serving.score_parts import PARTS


class Recommender:
    """A loaded SavedModel and the files beside it.

    Args:
      directory: a model folder (its newest version is taken) or one version's folder.

    Raises:
      UsageError: no SavedModel there, or not one of trecs.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = _version_folder(Path(directory))
        extra = self.directory / EXTRA
        if not (extra / "metadata.json").exists():
            raise UsageError(
                f"{self.directory} was not exported by trecs: no {EXTRA}/metadata.json"
            )
        self.metadata: dict[str, Any] = json.loads((extra / "metadata.json").read_text("utf-8"))
        items = pd.read_parquet(extra / "items.parquet")
        self._titles = dict(zip(items["item_id"], items["title"], strict=True))
        self._categories = frozenset(items.get("categories", pd.Series()).explode().dropna())
        self._histories = pd.read_parquet(extra / "histories.parquet").set_index("user_id")
        self._model = tf.saved_model.load(str(self.directory))

    def history(self, user_id: str) -> pd.DataFrame:
        """Events of a user known at export: columns `item_id`, `timestamp` (UTC epoch seconds).

        And `rating` where the version predicts ratings.
        """
        user_id = str(user_id)
        if user_id not in self._histories.index:
            return pd.DataFrame({"item_id": [], "timestamp": np.array([], np.int64)})
        return self._histories.loc[[user_id]].reset_index(drop=True)

    def recommend(
        self,
        user_id: str,
        history: Events | None = None,
        at: int | None = None,
        k: int = 10,
        *,
        exclude: Sequence[str] = (),
        categories: Sequence[str] = (),
        rerank: bool = False,
    ) -> list[Recommendation]:
        """The best items for a user at a time.

        Args:
          user_id: known or not.
          history: columns `item_id` and `timestamp` (UTC epoch seconds), or pairs of these; None
            takes the user's events known at export. Events that are not before `at` are ignored,
            but for those of its second where the run's ties are `order`.
          at: request time, UTC epoch seconds; None is now.
          k: at most what the model was exported with.
          exclude: item ids that must not be in the answer.
          categories: names such as "genres=Comedy": only items that have one of them, all where
            empty.
          rerank: order the whole list by predicted rating, and answer with its k best; the scores
            are then ratings. A history with a column `rating` (NaN where not known) says how the
            user rated it.

        Raises:
          UsageError: k is out of range, no item has one of the categories, or the version predicts
            no ratings and is asked to.
        """
        longest = int(self.metadata["k"])
        if not 1 <= k <= longest:
            advice = f"; export again with -k {k} for longer ones" if k > longest else ""
            raise UsageError(
                f"k must be from 1 to {longest}, the length of the lists of this export, got {k}"
                + advice
            )
        if rerank and "rank_rated" not in self._model.signatures:
            raise UsageError(
                f"{self.directory} predicts no ratings: it was exported from a run without a rating"
                " head; train on a log with a rating column, and export again"
            )
        events = self.history(user_id) if history is None else history
        filters = filter_inputs(exclude, categories, 1)
        self._check_categories(categories)
        inputs = query_inputs([user_id], [events], [int(time.time()) if at is None else at])
        kinds = {"request_time": tf.int64, "history_timestamps": tf.int64}
        answer = self._model.signatures["recommend_filtered" if filters else "recommend"](
            **{
                name: tf.constant(array, kinds.get(name, tf.string), array.shape)
                for name, array in (inputs | filters).items()
            }
        )
        ids = [item_id.decode() for item_id in answer["item_ids"].numpy()[0] if item_id]
        scores = answer["scores"].numpy()[0][: len(ids)]
        if rerank and ids:
            scores = self._ratings(inputs, events, ids)
            best = np.argsort(-scores, kind="stable")
            ids, scores = [ids[i] for i in best], scores[best]
        return [
            Recommendation(item_id, self._titles.get(item_id, ""), float(score))
            for item_id, score in zip(ids[:k], scores[:k], strict=True)
        ]

    def _ratings(
        self, inputs: Mapping[str, NDArray[Any]], events: Events, item_ids: Sequence[str]
    ) -> NDArray[np.float32]:
        """Predicted ratings of items, float32 [len(item_ids)], for the one user of the inputs."""
        rating = np.full(inputs["history_item_ids"].shape[1], np.nan, np.float32)
        if isinstance(events, pd.DataFrame) and "rating" in events:
            rating = events["rating"].to_numpy(np.float32)
        kinds = {"request_time": tf.int64, "history_timestamps": tf.int64}
        predicted = self._model.signatures["rank_rated"](
            candidate_item_ids=tf.constant([item_ids]),
            history_ratings=tf.constant(rating[None]),
            **{
                name: tf.constant(array, kinds.get(name, tf.string), array.shape)
                for name, array in inputs.items()
            },
        )
        of_user: NDArray[np.float32] = predicted["predictions"].numpy()[0]
        return of_user

    def explain(
        self,
        user_id: str,
        item_ids: Sequence[str],
        history: Events | None = None,
        at: int | None = None,
    ) -> list[Explanation]:
        """Why items have the scores that they have for a user at a time.

        Args:
          user_id, history, at: as of `recommend`.
          item_ids: of the catalogue, in any order.

        Raises:
          UsageError: an item that is unknown or no longer offered, or a version that was exported
            without explanations.
        """
        if "explain" not in self._model.signatures:
            raise UsageError(
                f"{self.directory} was exported by an earlier trecs, without the signature"
                " `explain`; export the run again"
            )
        item_ids = [str(item_id) for item_id in item_ids]
        unknown = [item_id for item_id in item_ids if item_id not in self._titles]
        if unknown:
            raise UsageError(f"expected items of the catalogue, got {unknown[:3]}")
        events = self.history(user_id) if history is None else history
        now = int(time.time()) if at is None else at
        found = explain_items(self._parts, PARTS, user_id, events, now, item_ids, self._titles)
        gone = [why.item_id for why in found if why.score <= NO_SCORE / 2]
        if gone:
            raise UsageError(f"expected items that are still offered, got {gone[:3]}")
        return found

    def _parts(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        kinds = {"request_time": tf.int64, "history_timestamps": tf.int64}
        tensors = {
            name: tf.constant(array, kinds.get(name, tf.string), array.shape)
            for name, array in inputs.items()
        }
        parts: NDArray[np.float32] = self._model.signatures["explain"](**tensors)["parts"].numpy()
        return parts

    def _check_categories(self, categories: Sequence[str]) -> None:
        for name in categories:
            if name not in self._categories:
                near = get_close_matches(name, self._categories, cutoff=0.3) or "no categories"
                raise UsageError(f"no item has the category {name!r}; there are such as {near}")


def _version_folder(directory: Path) -> Path:
    if (directory / "saved_model.pb").exists():
        return directory
    found = versions(directory) if directory.is_dir() else []
    if not found:
        raise UsageError(
            f"expected a model folder with numbered versions, or a SavedModel, got {directory};"
            " `trecs export RUN --to DIR` makes one"
        )
    return directory / str(found[-1])
