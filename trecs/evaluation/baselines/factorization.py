"""Matrix factorisation by the `implicit` library: ALS and BPR. Needs the extra `baselines`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.cooccurrences import training_matrix
from trecs.data.log import EventLog
from trecs.errors import UsageError
from trecs.evaluation.baselines.history import HistoryEvents, HistoryReader
from trecs.evaluation.requests import Requests

_SEED = 0


class Als:
    """Weighted matrix factorisation (Hu, Koren and Volinsky, 2008, "implicit feedback").

    Items have factors from the training part. A request's user is solved for anew from its history,
    as one step of the training would do, so new users and newer events are served too. Items
    without a training event, and all items after an empty history, score 0.
    """

    def __init__(
        self,
        log: EventLog,
        train: NDArray[np.int64],
        *,
        num_factors: int,
        regularization: float,
        alpha: float,
        num_iterations: int = 15,
    ) -> None:
        """Fit the factors to the binary matrix of users and items.

        Args:
            log: the event log.
            train: int64 [n], positions of the training events.
            num_factors: length of a user's and of an item's vector.
            regularization: squared penalty of both.
            alpha: confidence in an entry that is there, against 1 in one that is not.
            num_iterations: sweeps over users and items.

        Raises:
            UsageError: `implicit` is not installed.
        """
        require_implicit()
        from implicit.cpu.als import AlternatingLeastSquares

        self._model = _fit(
            AlternatingLeastSquares,
            training_matrix(log, train),
            factors=num_factors,
            regularization=regularization,
            alpha=alpha,
            iterations=num_iterations,
        )
        self._reader = HistoryReader(log)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the products of factors, float32 [n, num_items]."""
        return self._reader.score(requests, self._score)

    def _score(self, events: HistoryEvents) -> NDArray[np.float32]:
        newest = events.newest()
        history = sp.csr_matrix(newest.matrix(np.ones(newest.row.size)))
        query = self._model.recalculate_user(np.arange(events.shape[0]), history)
        scores: NDArray[np.float32] = query @ self._model.item_factors.T
        return scores


class Bpr:
    """Bayesian personalised ranking (Rendle et al., 2009), by samples of one negative.

    A user of the training part has the factors learnt there, whatever came since; a new one has the
    mean of all users'. Items without a training event score the lowest score of the request less 1.
    """

    def __init__(
        self,
        log: EventLog,
        train: NDArray[np.int64],
        *,
        num_factors: int,
        regularization: float,
        learning_rate: float,
        num_iterations: int = 100,
    ) -> None:
        """Fit the factors; see `Als`, with the step size of the gradient descent."""
        require_implicit()
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        users = training_matrix(log, train)
        model = _fit(
            BayesianPersonalizedRanking,
            users,
            factors=num_factors,
            regularization=regularization,
            learning_rate=learning_rate,
            iterations=num_iterations,
            # Threads race for the factors, and no two fits would be equal.
            num_threads=1,
        )
        known = np.diff(users.indptr) > 0
        self._users = model.user_factors
        self._users[~known] = self._users[known].mean(axis=0)
        self._items = model.item_factors
        self._untrained = users.sum(axis=0) == 0

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the products of factors, float32 [n, num_items]."""
        scores: NDArray[np.float32] = self._users[requests.user] @ self._items.T
        # Their factors are the random ones that the fit began with.
        lowest = scores[:, ~self._untrained].min(axis=1, keepdims=True)
        scores[:, self._untrained] = lowest - 1
        return scores


def has_implicit() -> bool:
    """Whether the `implicit` library is installed."""
    return importlib.util.find_spec("implicit") is not None


def require_implicit() -> None:
    """Raise UsageError, with the way out, where `implicit` is not installed."""
    if not has_implicit():
        raise UsageError(
            "the baselines als and bpr need the package 'implicit', which is not installed: "
            "pip install -e '.[baselines]' in the clone, or choose others with --baselines"
        )


def _fit(make: Callable[..., Any], users: sp.csr_array, **settings: Any) -> Any:
    """Make a model of `implicit` and fit it to the binary users [num_users, num_items]."""
    from threadpoolctl import threadpool_limits

    # It has threads of its own; with those of the BLAS in each of them a fit takes several times as
    # long.
    with threadpool_limits(1, "blas"):
        model = make(random_state=_SEED, **settings)
        model.fit(sp.csr_matrix(users), show_progress=False)
    return model
