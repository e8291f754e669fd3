"""The settings that are tried for each baseline that has some; the usual one stands first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from trecs.data.ease import fit_ease
from trecs.data.log import EventLog
from trecs.evaluation.baselines.ease import Ease
from trecs.evaluation.baselines.factorization import Als, Bpr
from trecs.evaluation.baselines.item_knn import ItemKnn, largest, nearest_items
from trecs.evaluation.baselines.markov import Markov, transition_shares
from trecs.evaluation.baselines.selection import Parameters
from trecs.evaluation.requests import Scorer

Fits = Iterator[tuple[Parameters, Scorer]]

_EASE_REGULARIZATIONS = (200.0, 50.0, 1000.0, 5000.0)


def item_knn_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """ItemKnn with a shrinkage of 10, 0 or 100 and 100 or 20 neighbours."""
    for shrinkage in (10.0, 0.0, 100.0):
        neighbours = nearest_items(log, train, 100, shrinkage)
        for count in (100, 20):
            scorer = ItemKnn(log, largest(neighbours, count))
            yield {"shrinkage": shrinkage, "num_neighbours": count}, scorer


def ease_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """Ease with a regularization of 200, 50, 1000 or 5000."""
    for regularization in _EASE_REGULARIZATIONS:
        ease = fit_ease(log, train, regularization)
        yield {"regularization": regularization}, Ease(log, ease)


def ease_decayed_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """Ease with the same and a decay of .95, .8, .6 or .99 an event."""
    for regularization in _EASE_REGULARIZATIONS:
        ease = fit_ease(log, train, regularization)
        for decay in (0.95, 0.8, 0.6, 0.99):
            yield {"regularization": regularization, "decay": decay}, Ease(log, ease, decay)


def markov_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """Markov with a window of 10, 3 or 1 places and a decay of .8, .6 or .9 an event."""
    for window in (10, 3, 1):
        transitions = transition_shares(log, train, window)
        for decay in (0.8, 0.6, 0.9):
            yield {"window": window, "decay": decay}, Markov(log, transitions, decay)


def als_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """Als with 64, 32 or 128 factors and an alpha of 10 or 1."""
    for num_factors, alpha in product((64, 32, 128), (10.0, 1.0)):
        parameters = {"num_factors": num_factors, "regularization": 1.0, "alpha": alpha}
        scorer = Als(log, train, num_factors=num_factors, regularization=1.0, alpha=alpha)
        yield parameters, scorer


def bpr_fits(log: EventLog, train: NDArray[np.int64]) -> Fits:
    """Bpr with 64 factors, a learning rate of .05 or .01 and a regularization of .01 or .001."""
    for rate, penalty in product((0.05, 0.01), (0.01, 0.001)):
        parameters = {"num_factors": 64, "regularization": penalty, "learning_rate": rate}
        scorer = Bpr(log, train, num_factors=64, regularization=penalty, learning_rate=rate)
        yield parameters, scorer
