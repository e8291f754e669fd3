"""Why an item was recommended: the parts of its score, and what each event of the history did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.serving.client_payload import Events, event_pairs, query_inputs

MOST_EVENTS = 100
"""Newest events that are left out one by one; the neighbour terms read as many."""
_ROWS = 16

Explain = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
"""The parts of scores, float32 [B, C, P], from the inputs of the signature `explain`."""


@dataclass(frozen=True)
class EventEffect:
    """What an event of the history does to an item's score.

    Attributes:
      item_id, timestamp: of the event; UTC epoch seconds.
      title: "" where the catalogue has none.
      effect: the score minus the score had the event not been.
    """

    item_id: str
    timestamp: int
    title: str
    effect: float


@dataclass(frozen=True)
class Explanation:
    """Of one item for one user at one time.

    Attributes:
      item_id: which item.
      score: its score.
      parts: what adds up to the score, by the names of `trecs.serving.score_parts.PARTS`.
      events: the newest 100 events before the request, largest effect first.
    """

    item_id: str
    score: float
    parts: dict[str, float]
    events: tuple[EventEffect, ...]


def explain_items(
    ask: Explain,
    names: Sequence[str],
    user_id: str,
    events: Events,
    at: int,
    item_ids: Sequence[str],
    titles: Mapping[str, str],
) -> list[Explanation]:
    """Explain items, by asking the model with each event left out.

    Args:
      ask: the exported model.
      names: of the parts, P.
      user_id: known or not.
      events: columns `item_id`, `timestamp` (UTC epoch seconds), or pairs of these, in any order.
      at: request time, UTC epoch seconds.
      item_ids: C items.
      titles: by item id.
    """
    ids, times_s = event_pairs(events)
    frame = pd.DataFrame({"item_id": ids, "timestamp": np.array(times_s, np.int64)})
    frame = frame[frame["timestamp"] <= at].sort_values("timestamp", kind="stable")
    frame = frame.reset_index(drop=True)
    left_out = range(max(0, len(frame) - MOST_EVENTS), len(frame))
    histories = [frame, *(frame.drop(index=number) for number in left_out)]
    parts = np.concatenate(
        [
            _ask(ask, user_id, histories[start : start + _ROWS], at, item_ids)
            for start in range(0, len(histories), _ROWS)
        ]
    )
    totals = parts.sum(axis=2)
    effects = totals[0] - totals[1:]
    explained = []
    for column, item_id in enumerate(item_ids):
        of_events = [
            EventEffect(id_, int(time_s), titles.get(id_, ""), float(effect))
            for id_, time_s, effect in zip(
                frame["item_id"][left_out.start :],
                frame["timestamp"][left_out.start :],
                effects[:, column],
                strict=True,
            )
        ]
        of_events.sort(key=lambda event: -abs(event.effect))
        named = {name: float(part) for name, part in zip(names, parts[0, column], strict=True)}
        explained.append(Explanation(item_id, float(totals[0, column]), named, tuple(of_events)))
    return explained


def _ask(
    ask: Explain, user_id: str, histories: Sequence[pd.DataFrame], at: int, item_ids: Sequence[str]
) -> NDArray[np.float32]:
    rows = len(histories)
    inputs = query_inputs([user_id] * rows, histories, [at] * rows)
    return ask({**inputs, "item_ids": np.array([list(item_ids)] * rows, object)})
