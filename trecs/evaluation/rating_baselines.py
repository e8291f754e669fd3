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
    return np.full(len(targets), _ratings(log)[train].mean())


def predict_biases(
    log: EventLog, train: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean + item bias + user bias of the training ratings, float64 [n].

    Biases are shrunk means, the item's first, as if 25 and 10 ratings without a bias had come too
    (Koren 2010, "Factor in the neighbors", section 2.1). Users and items without training ratings
    have none.
    """
    rating = _ratings(log)
    mean = rating[train].mean()
    total, count = item_sums(log.item[train], rating[train] - mean, log.num_items)
    of_item = total / (count + _ITEM_PRIOR)
    residual = rating[train] - mean - of_item[log.item[train]]
    total, count = item_sums(log.user[train], residual, log.num_users)
    of_user = total / (count + _USER_PRIOR)
    predicted: NDArray[np.float64] = mean + of_item[log.item[targets]] + of_user[log.user[targets]]
    return _inside(predicted, rating[train])


def predict_biases_as_of(
    log: EventLog, train: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Like `predict_biases`, but from all ratings of earlier seconds than the target's.

    The mean alone is the training ratings'. This baseline knows new users and items as soon as they
    have a rating, as the rating head does.
    """
    rating, everything = _ratings(log), np.arange(log.num_events)
    mean = rating[train].mean()
    total, count = item_sums_before(log, rating - mean, everything, everything)
    of_item = total / (count + _ITEM_PRIOR)
    sequences = build_sequences(log)
    residual = (rating - mean - of_item)[sequences.order]
    running = np.concatenate([[0.0], np.cumsum(residual)])
    lo, hi = history_bounds(log, sequences, targets, "strict")
    of_user = (running[hi] - running[lo]) / (hi - lo + _USER_PRIOR)
    return _inside(mean + of_item[targets] + of_user, rating[train])


def _ratings(log: EventLog) -> NDArray[np.float64]:
    if log.rating is None:
        raise DataError(
            "rating baselines need a log with ratings, but this one has none; name their column"
            " with rating_column (--rating-column)"
        )
    return log.rating.astype(np.float64)


def _inside(predicted: NDArray[np.float64], training: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clipped to the range of the training ratings."""
    clipped: NDArray[np.float64] = np.clip(predicted, training.min(), training.max())
    return clipped
