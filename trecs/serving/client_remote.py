"""A client of `trecs serve` and of TensorFlow Serving: a user's events in, items out."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pandas as pd
from numpy.typing import NDArray

from trecs.errors import UsageError
from trecs.serving.client_errors import ServingError
from trecs.serving.client_payload import Events, filter_inputs, query_inputs
from trecs.serving.client_rest import RestTransport
from trecs.serving.recommendation import Recommendation

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class _Transport(Protocol):
    def predict(
        self, signature: str, inputs: dict[str, NDArray[Any]], timeout_s: float
    ) -> dict[str, NDArray[Any]]: ...

    def close(self) -> None: ...


class Client:
    """Recommendations from a server.

    For the same from a folder, without a server, there is `trecs.Recommender`.

    Args:
      address: http://host:port, https://host:port, or grpc://host:port.
      name: of the model.
      titles: a version's `assets.extra/items.parquet`, or any Parquet file with `item_id` and
        `title`; without it titles are "".
      version: its number; the one that is served where None.
      timeout_s: time for a call, retries included.
      retries: how often a request is sent again that found no connection or a server too busy.

    Raises:
      UsageError: the address has another form.

    Example:
      >>> client = Client("http://127.0.0.1:8501", "movielens-100k")
      >>> client.recommend("196", [("242", 881250949), ("302", 881251000)], at=881252000, k=1)
      [Recommendation(item_id='258', title='', score=4.1)]
    """

    def __init__(
        self,
        address: str,
        name: str,
        *,
        titles: str | Path | None = None,
        version: int | None = None,
        timeout_s: float = 10.0,
        retries: int = 3,
    ) -> None:
        self._transport = _transport(address, name, version)
        self._titles: dict[str, str] = {}
        if titles is not None:
            items = pd.read_parquet(titles, columns=["item_id", "title"])
            self._titles = dict(zip(items["item_id"], items["title"], strict=True))
        self._timeout_s, self._retries = timeout_s, retries

    def recommend(
        self,
        user_id: str,
        history: Events,
        at: int | None = None,
        k: int = 10,
        *,
        exclude: Sequence[str] = (),
        categories: Sequence[str] = (),
    ) -> list[Recommendation]:
        """The best items for one user.

        Args:
          user_id: known or not.
          history: the user's events, as pairs of item id and UTC epoch seconds or as a DataFrame
            with `item_id` and `timestamp`; events not before `at` are ignored,
            but for those of its second where the run's ties are `order`.
          at: request time, UTC epoch seconds; None is now.
          k: at most what the model was exported with.
          exclude: item ids that must not be in the answer.
          categories: names such as "genres=Comedy": only items that have one of them, all where
            empty. The names are in the column `categories` of the version's `items.parquet`.

        Raises:
          ServingError: the server refused, or gave no answer in time.
          UsageError: the history has another form, or k is out of range.
        """
        times = None if at is None else [at]
        return self.recommend_many(
            [user_id], [history], times, k, exclude=exclude, categories=categories
        )[0]

    def recommend_many(
        self,
        user_ids: Sequence[str],
        histories: Sequence[Events],
        at: Sequence[int] | None = None,
        k: int = 10,
        *,
        exclude: Sequence[str] = (),
        categories: Sequence[str] = (),
    ) -> list[list[Recommendation]]:
        """The best items for several users in one request, filtered alike; see `recommend`."""
        times = [int(time.time())] * len(user_ids) if at is None else at
        filters = filter_inputs(exclude, categories, len(user_ids))
        signature = "recommend_filtered" if filters else "recommend"
        answer = self.predict(signature, query_inputs(user_ids, histories, times) | filters)
        longest = answer["item_ids"].shape[1]
        if not 1 <= k <= longest:
            raise UsageError(
                f"k must be from 1 to {longest}, the length of the served lists, got {k}"
            )
        return [
            [
                Recommendation(item_id, self._titles.get(item_id, ""), float(score))
                for item_id, score in zip(ids[:k], scores[:k], strict=True)
                if item_id
            ]
            for ids, scores in zip(answer["item_ids"], answer["scores"], strict=True)
        ]

    def predict(self, signature: str, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of any signature by name (over REST, "" where there is one only).

        Args:
          signature: such as `encode_query`.
          inputs: arrays as the signature takes them; see `client_payload.query_inputs`.

        Raises:
          ServingError: the server refused, or gave no answer in time.
        """
        deadline = time.monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        for left in range(self._retries, -1, -1):
            try:
                remaining_s = max(deadline - time.monotonic(), 0.001)
                return self._transport.predict(signature, inputs, remaining_s)
            except ServingError as error:
                # Full jitter, so that clients of a server that comes back do not come at once.
                wait_s = random.uniform(0, pause_s)
                if not error.passing or left == 0 or time.monotonic() + wait_s >= deadline:
                    raise
                time.sleep(wait_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise ServingError("UNAVAILABLE", "retries must be 0 or more")

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


def _transport(address: str, name: str, version: int | None) -> _Transport:
    parts = urlsplit(address)
    try:
        known = bool(parts.hostname) and parts.scheme in ("http", "https", "grpc")
        # A port beyond 65,535 raises here.
        known = known and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise UsageError(
            f"expected http://host:port, https://host:port or grpc://host:port, got {address!r}"
        )
    if parts.scheme != "grpc":
        return RestTransport(parts, name, version)
    # grpc and TensorFlow load slowly; REST does without.
    from trecs.serving.client_grpc import GrpcTransport

    return GrpcTransport(parts.netloc, name, version)
