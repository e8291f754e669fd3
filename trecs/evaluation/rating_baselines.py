"""Ratings predicted by means: what any rating model has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences, history_bounds
from trecs.errors import DataError
from trecs.training.rating_statistics import item_sums, item_sums_before

_ITEM_PRIOR, _USER_PRIOR = 25.0, 10.0


def predict_global_mean(
    log: EventLog, train: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean of the training ratings, for every target; float64 [n]."""
    return np.full(len(targets), _rated(log, train)[1].mean())


def predict_biases(
    log: EventLog, train: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean + item bias + user bias of the training ratings, float64 [n].

    Biases are shrunk means, the item's first, as if 25 and 10 ratings without a bias had come too
    (Koren 2010, "Factor in the neighbors", section 2.1). Users and items without training ratings
    have none.
    """
    events, rating = _rated(log, train)
    mean = rating.mean()
    total, count = item_sums(log.item[events], rating - mean, log.num_items)
    of_item = total / (count + _ITEM_PRIOR)
    residual = rating - mean - of_item[log.item[events]]
    total, count = item_sums(log.user[events], residual, log.num_users)
    of_user = total / (count + _USER_PRIOR)
    predicted: NDArray[np.float64] = mean + of_item[log.item[targets]] + of_user[log.user[targets]]
    return _inside(predicted, rating)


def predict_biases_as_of(
    log: EventLog, train: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Like `predict_biases`, but from all ratings of earlier seconds than the target's.

    The mean alone is the training ratings'. This baseline knows new users and items as soon as they
    have a rating, as the rating head does.
    """
    everything = np.arange(log.num_events)
    training, (events, known) = _rated(log, train)[1], _rated(log, everything)
    rating = np.full(log.num_events, np.nan)
    rating[events] = known
    mean = training.mean()
    total, count = item_sums_before(log, rating - mean, events, everything)
    of_item = total / (count + _ITEM_PRIOR)
    sequences = build_sequences(log, events)
    residual = (rating - mean - of_item)[sequences.order]
    running = np.concatenate([[0.0], np.cumsum(residual)])
    lo, hi = history_bounds(log, sequences, targets, "strict")
    of_user = (running[hi] - running[lo]) / (hi - lo + _USER_PRIOR)
    return _inside(mean + of_item[targets] + of_user, training)


def _rated(
    log: EventLog, events: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    events, rating = log.rated(events)
    if not rating.size:
        raise DataError(
            "rating baselines need training events with ratings, but none has one; name their"
            " column with rating_column (--rating-column)"
        )
    return events, rating.astype(np.float64)


def _inside(predicted: NDArray[np.float64], training: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clipped to the range of the training ratings."""
    clipped: NDArray[np.float64] = np.clip(predicted, training.min(), training.max())
    return clipped
