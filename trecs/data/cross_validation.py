"""Several splits of one log, so that a result is not the luck of one window or one set of users."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import Ties, check_ties
from trecs.data.splits import Split, window_start
from trecs.errors import ConfigError, DataError


def rolling_origins(
    log: EventLog, num_origins: int = 4, first_quantile: float = 0.5, ties: Ties = "strict"
) -> list[Split]:
    """Temporal splits whose training part grows (rolling-origin, or forward-chaining, validation).

    The log after `first_quantile` is cut at moments into `num_origins + 1` windows of about as many
    events. Origin `k` trains before window `k`, validates in it and tests in the next: test windows
    are disjoint and each is as far from its training part. Later events are in no part.

    Leaks prevented and not: as `trecs.data.splits.temporal`.

    Args:
        log: the event log.
        num_origins: splits to make, at least 1.
        first_quantile: where the first validation window starts, as a quantile of event times.
        ties: the tie rule of the histories.

    Returns:
        Splits named "rolling 1 of 4" and so on, the earliest first.

    Raises:
        ConfigError: an unknown tie rule, no origin, or a quantile that is not between 0 and 1.
        DataError: too few distinct times for as many windows.
    """
    check_ties(ties)
    if num_origins < 1 or not 0 < first_quantile < 1:
        raise ConfigError(
            "rolling origins need num_origins >= 1 and 0 < first_quantile < 1, but "
            f"{num_origins} and {first_quantile} came"
        )
    quantiles = np.linspace(first_quantile, 1, num_origins + 1, endpoint=False)
    start = np.array([*(window_start(log, float(q)) for q in quantiles), log.num_events])
    if start[0] == 0 or (np.diff(start) == 0).any():
        raise DataError(
            f"{num_origins} rolling origins need events at {num_origins + 2} different times at "
            f"least, spread over the log, but its windows would start at positions "
            f"{start[:-1].tolist()} of {log.num_events}: ask for fewer origins"
        )
    positions = np.arange(log.num_events, dtype=np.int64)
    return [
        Split(
            name=f"rolling {k + 1} of {num_origins}",
            ties=ties,
            train=positions[: start[k]],
            validation=positions[start[k] : start[k + 1]],
            test=positions[start[k + 1] : start[k + 2]],
            train_end_s=int(log.timestamp_s[start[k]]),
            validation_end_s=int(log.timestamp_s[start[k + 1]]),
        )
        for k in range(num_origins)
    ]


def user_folds(
    log: EventLog, num_folds: int = 5, seed: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut the users in `num_folds`, and give each fold's events as the test part once.

    For predictions that must hold for users never seen, such as ratings. A user's events are all on
    one side. Leaks not prevented: time plays no part, so that training holds later events.

    Args:
        log: the event log.
        num_folds: at least 2.
        seed: of the order in which users are dealt out; folds differ by one user at most.

    Yields:
        (train, test), both int64 event positions in ascending order.

    Raises:
        ConfigError: fewer than 2 folds.
        DataError: fewer users with events than folds.
    """
    users = np.unique(log.user)
    if num_folds < 2:
        raise ConfigError(f"cross-validation needs 2 folds at least, but {num_folds} came")
    if users.size < num_folds:
        raise DataError(f"{num_folds} folds need as many users, but the log has {users.size}")
    fold_of_user = np.zeros(log.num_users, np.int64)
    fold_of_user[np.random.default_rng(seed).permutation(users)] = np.arange(users.size) % num_folds
    fold = fold_of_user[log.user]
    return ((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(num_folds))


def rating_folds(
    log: EventLog, num_folds: int = 5, seed: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Deal the events into `num_folds` at random, and give each fold as the test part once.

    How the literature measures rating prediction. It leaks time: what trains holds later ratings of
    the same user and item than the test part. The honest figure is that of `splits.temporal`.

    Args:
        log: the event log.
        num_folds: at least 2.
        seed: of the dealing; folds differ by one event at most.

    Yields:
        (train, test), both int64 event positions in ascending order.

    Raises:
        ConfigError: fewer than 2 folds.
        DataError: fewer events than folds.
    """
    if num_folds < 2:
        raise ConfigError(f"cross-validation needs 2 folds at least, but {num_folds} came")
    if log.num_events < num_folds:
        raise DataError(f"{num_folds} folds need as many events, but the log has {log.num_events}")
    fold = np.random.default_rng(seed).permutation(log.num_events) % num_folds
    return ((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(num_folds))
