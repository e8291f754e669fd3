"""What a scorer is asked: who, when, with which history behind them.

Every target is one request: "what will this user want at this second?", asked with the history
before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import Sequences, Ties, history_bounds
from trecs.errors import ConfigError

RequestTime = Literal["known", "withheld"]
"""What a scorer is told as the request time: the target's own timestamp ("known"), or the time of
the last event of the history ("withheld"), so that nothing of the target is given away."""


@dataclass(frozen=True, eq=False)
class Requests:
    """Targets as requests.

    Attributes:
        user: int32 [n], user codes of the log.
        target_item: int32 [n], item rows; what is to be found, no input for a scorer.
        request_time_s: int64 [n], UTC epoch seconds, as told to the scorer.
        history_lo: int64 [n], offsets into `build_sequences(log).order` over the whole log.
        history_hi: int64 [n]; the history is `order[history_lo:history_hi]`, oldest first.
    """

    user: NDArray[np.int32]
    target_item: NDArray[np.int32]
    request_time_s: NDArray[np.int64]
    history_lo: NDArray[np.int64]
    history_hi: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of requests."""
        return int(self.user.size)

    def take(self, part: slice | NDArray[np.int64]) -> Requests:
        """Return the requests of a slice, without copying, or those at positions int64 [m]."""
        return Requests(
            self.user[part],
            self.target_item[part],
            self.request_time_s[part],
            self.history_lo[part],
            self.history_hi[part],
        )


class Scorer(Protocol):
    """Anything that scores all items for a request: the model, a baseline, another library."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Score every item for each request, from what was known before its request time.

        Args:
            requests: n requests, sorted by request time; any part of what is evaluated. Targets
                that share user, history and time are asked once: `target_item` is one of theirs.

        Returns:
            float32 [n, num_items], higher is better, -inf for "do not recommend", never NaN. The
            caller may overwrite it.
        """
        ...


def make_requests(
    log: EventLog,
    sequences: Sequences,
    targets: NDArray[np.int64],
    ties: Ties,
    request_time: RequestTime = "known",
) -> Requests:
    """Turn target events into requests.

    Args:
        log: the event log.
        sequences: the events a history may hold, `build_sequences(log)` for the whole log.
        targets: int64 [n] event positions, in any order.
        ties: tie rule of the histories, see `trecs.data.sequences.Ties`.
        request_time: see `RequestTime`. Without a history, "withheld" tells the log's first second,
            before which there is nothing to read.

    Returns:
        n requests in the log's order: sorted by request time if that is known.

    Raises:
        ConfigError: an unknown rule.
        DataError: as `history_bounds`.
    """
    if request_time not in get_args(RequestTime):
        raise ConfigError(
            f"the request time must be one of {', '.join(get_args(RequestTime))}, but "
            f"{request_time!r} came: 'known' tells scorers the target's time, 'withheld' that of "
            "the event before it"
        )
    lo, hi = history_bounds(log, sequences, targets, ties)
    by_time = np.argsort(targets, kind="stable")
    events, lo, hi = targets[by_time], lo[by_time], hi[by_time]
    time_s = log.timestamp_s[events]
    if request_time == "withheld":
        last = sequences.order[np.maximum(hi, 1) - 1]
        time_s = np.where(hi > lo, log.timestamp_s[last], log.timestamp_s[0])
    return Requests(log.user[events], log.item[events], time_s, lo, hi)


def distinct_queries(requests: Requests) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the requests that ask the same: one user with one history.

    One history has one request time: what a user did in between would be part of it. In a shop's
    log, the items of a basket share their second, and under strict ties their query.

    Returns:
        (first, query): int64 [m] positions of one request each, sorted by request time, and
        int64 [n], which of the m each request is.

    Example:
        >>> one = np.array([4, 4, 9], np.int32)
        >>> zeros = np.zeros(3, np.int64)
        >>> requests = Requests(one, one, np.array([70, 70, 50]), zeros, np.array([2, 2, 1]))
        >>> distinct_queries(requests)
        (array([2, 0]), array([1, 1, 0]))
    """
    key = np.stack([requests.history_hi, requests.user.astype(np.int64)])
    order = np.lexsort(np.vstack([key, requests.request_time_s]))
    new = np.ones(order.size, np.bool_)
    new[1:] = (np.diff(key[:, order], axis=1) != 0).any(axis=0)
    query = np.empty(order.size, np.int64)
    query[order] = np.cumsum(new) - 1
    return order[new], query
