"""A trained shop with its export, and requests to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from shop_world import train_shop

import trecs
from trecs.run import WEIGHTS

History = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Shop:
    """A trained run, its export, and the export loaded."""

    run: trecs.Run
    version: Path
    loaded: Any
    recommender: trecs.Recommender

    @property
    def as_of_s(self) -> int:
        return self.recommender.metadata["trend_as_of_s"]

    def history(self, user_id: str) -> list[tuple[str, int]]:
        frame: pd.DataFrame = self.recommender.history(user_id)
        return list(zip(frame["item_id"], frame["timestamp"].astype(int), strict=True))

    def ask(
        self, users: Sequence[str], histories: Sequence[History], times: Sequence[int], what: str
    ) -> dict[str, np.ndarray]:
        inputs = request(users, histories, times)
        answer = self.loaded.signatures[what](**inputs)
        return {name: value.numpy() for name, value in answer.items()}

    def recommend(
        self, users: Sequence[str], histories: Sequence[History], times: Sequence[int]
    ) -> tuple[list[list[str]], np.ndarray]:
        answer = self.ask(users, histories, times, "recommend")
        ids = [[item.decode() for item in row] for row in answer["item_ids"]]
        return ids, answer["scores"]


def request(
    users: Sequence[str], histories: Sequence[History], times: Sequence[int]
) -> dict[str, tf.Tensor]:
    length = max((len(history) for history in histories), default=0)
    ids = np.full((len(users), length), "", dtype=object)
    stamps = np.zeros((len(users), length), np.int64)
    for row, history in enumerate(histories):
        for column, (item, time_s) in enumerate(history):
            ids[row, column], stamps[row, column] = item, time_s
    return {
        "user_id": tf.constant(list(users), tf.string),
        "history_item_ids": tf.constant(ids.tolist(), tf.string, shape=ids.shape),
        "history_timestamps": tf.constant(stamps),
        "request_time": tf.constant(list(times), tf.int64),
    }


def make_shop(folder: Path) -> None:
    """Train in `folder/run`, export to `folder/saved_models/shop/1`."""
    run = train_shop(folder)
    # So small a shop may choose no neighbour terms: the export must have some to be held to.
    model = run.model()
    model.transition_weight.assign(0.5)
    model.ease_weight.assign(2.0)
    model.ease_decay.assign(0.98)
    model.save_weights(run.directory / WEIGHTS)
    trecs.export(run, folder / "saved_models" / "shop", k=20)
