"""Events grouped by user in time order, and where the history of a target ends.

A history is never copied: it is a pair of offsets into one array of event positions, so that a
hundred thousand targets with long histories cost two integers each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.errors import ConfigError, DataError

Ties = Literal["strict", "order"]
"""What a target may see of its user's events at its own second: nothing ("strict"), or those that
stand before it in the log ("order")."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Event positions grouped by user.

    Attributes:
        order: int64 [num_events], positions into the log, by user, in the log's order inside a
            user.
        start: int64 [num_users + 1]; the events of user `u` are `order[start[u]:start[u + 1]]`.
    """

    order: NDArray[np.int64]
    start: NDArray[np.int64]


def check_ties(ties: str) -> None:
    """Raise ConfigError unless `ties` is a rule of `Ties`."""
    if ties not in get_args(Ties):
        raise ConfigError(
            f"the tie rule must be one of {', '.join(get_args(Ties))}, but {ties!r} came: "
            "'strict' hides a user's events of the target's own second, "
            "'order' shows those that stand before it"
        )


def check_positions(log: EventLog, positions: NDArray[np.int64], name: str) -> None:
    """Raise DataError unless `positions` is one dimension of integers that lie inside `log`."""
    if positions.ndim != 1 or not np.issubdtype(positions.dtype, np.integer):
        raise DataError(
            f"{name} must be event positions, one dimension of integers, but {positions.dtype} "
            f"of shape {positions.shape} came: a mask becomes positions by np.flatnonzero"
        )
    if positions.size and (positions.min() < 0 or positions.max() >= log.num_events):
        raise DataError(
            f"{name} must lie in [0, {log.num_events}), the events of the log, but reach from "
            f"{positions.min()} to {positions.max()}: were they made from another log?"
        )


def build_sequences(log: EventLog, events: NDArray[np.int64] | None = None) -> Sequences:
    """Group events by user, in the log's order inside each user.

    Args:
        log: the event log, sorted by time.
        events: int64 [n] event positions to use, in any order, each once; None for the whole log.

    Raises:
        DataError: `events` are not positions of this log.
    """
    if events is None:
        positions = np.arange(log.num_events, dtype=np.int64)
    else:
        check_positions(log, events, "events")
        positions = np.sort(events).astype(np.int64, copy=False)
    user = log.user[positions]
    start = np.zeros(log.num_users + 1, np.int64)
    np.cumsum(np.bincount(user, minlength=log.num_users), out=start[1:])
    return Sequences(order=positions[np.argsort(user, kind="stable")], start=start)


def history_bounds(
    log: EventLog, sequences: Sequences, targets: NDArray[np.int64], ties: Ties
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the history of each target: its user's events before it, among those of `sequences`.

    Args:
        log: the log that `sequences` was built from.
        sequences: the events that may be seen. The targets need not be among them.
        targets: int64 [n] event positions, in any order.
        ties: "strict": events with a timestamp below the target's; "order": events that stand
            before the target in the log.

    Returns:
        (lo, hi), both int64 [n]: the history of target `k` is `sequences.order[lo[k]:hi[k]]`,
        oldest first; empty where `lo == hi`.

    Raises:
        ConfigError: an unknown tie rule.
        DataError: `targets` are not positions of this log.
    """
    check_ties(ties)
    check_positions(log, targets, "targets")
    user = log.user[targets].astype(np.int64)
    # The log is sorted by time, so both rules are "positions below a cut".
    cut = targets.astype(np.int64)
    if ties == "strict":
        cut = np.searchsorted(log.timestamp_s, log.timestamp_s[targets], side="left")
    # (user, position) pairs packed into one ascending number: one search serves all users.
    stride = np.int64(log.num_events + 1)
    packed = log.user[sequences.order].astype(np.int64) * stride + sequences.order
    return sequences.start[user], np.searchsorted(packed, user * stride + cut, side="left")
