"""Bayesian factorisation of the training ratings: samples of item factors by Gibbs' method.

    y_ui = x_u' (v_i, 1) + b_i + e,   x_u = (u_u, b_u),   e ~ N(0, 1 / alpha)
    x_u ~ N(m + B' f_u, L^-1),  (v_i, b_i) ~ N(m' + C' g_i, L'^-1)

`y` are standardised ratings. All precisions, means and link matrices are sampled too, so nothing is
tuned (BPMF: Salakhutdinov and Mnih 2008; links from side information: Macau, Simm et al. 2017).
f_u are the items that the user rated, each 1 / sqrt of their number, which is how SVD++ (Koren
2008) reads them; g_i are likewise the users that rated the item.

Users are not kept: `trecs.models.rating_factors` finds what a sample says of a user from the
ratings that may be read, of users that trained and of others alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import wishart

from trecs.models.rating_factors import NUM_FACTORS, NUM_SAMPLES, FactorSamples, no_samples

Floats = NDArray[np.float64]

_BURN_IN = 60
_BETWEEN = 6
"""Sweeps between samples, which resemble each other."""
_MOST_RATINGS = 1_000_000
_MOST_USERS = 50_000
_MOST_LINKS = 2000
"""Items (users) that are side information of users (items): the most rated."""
_CHUNK = 4096


def sample_factors(
    user: NDArray[np.integer],
    item: NDArray[np.integer],
    rating: NDArray[np.floating],
    num_items: int,
    seed: int,
) -> FactorSamples:
    """Samples of what ratings say of items.

    Of more than 50,000 users or a million ratings, so many are drawn, whole users: they only tell
    what items are like, and are not kept.

    Args:
      user: int [n] user of each rating.
      item: int [n] item of each rating, below `num_items`.
      rating: float [n] standardised ratings.
      num_items: items; one without a rating gets the mean of the others, and no link.
      seed: of all that is drawn.
    """
    if not len(rating):
        return no_samples(num_items)
    dice = np.random.default_rng(seed)
    kept = _some_users(np.unique(user, return_inverse=True)[1], dice)
    user = np.unique(user[kept], return_inverse=True)[1]
    known, code = np.unique(item[kept], return_inverse=True)
    chain = _Chain(user, code, rating[kept].astype(np.float64), dice)
    found = []
    for sweep in range(_BURN_IN + NUM_SAMPLES * _BETWEEN):
        chain.sweep()
        if sweep >= _BURN_IN and (sweep - _BURN_IN) % _BETWEEN == _BETWEEN - 1:
            found.append(chain.sample(known, num_items))
    return FactorSamples(*(np.stack(part).astype(np.float32) for part in zip(*found, strict=True)))


def _some_users(user: NDArray[np.integer], dice: np.random.Generator) -> NDArray[np.bool_]:
    """Which ratings to take: all of as many users as the limits let, one at least."""
    order = dice.permutation(int(user.max()) + 1)
    total = np.cumsum(np.bincount(user)[order])
    number = max(int(np.searchsorted(total, _MOST_RATINGS, side="right")), 1)
    taken = np.zeros(len(order), bool)
    taken[order[: min(number, _MOST_USERS)]] = True
    chosen: NDArray[np.bool_] = taken[user]
    return chosen


@dataclass
class _Side:
    """Users or items: what they are like, and what that is drawn from.

    Attributes:
      count, total: number and sum of the ratings by entity and counterpart, sparse.
      features: sparse [n, F], side information.
      basis, spectrum: eigenvectors and eigenvalues of features' features.
      value: [n, W], factors and, last, bias.
      link: [F, W]; link_precision: of it.
      mean: [W]; precision: [W, W].
      columns: int64 [F], the counterparts that the features stand for.
    """

    count: sp.csr_array
    total: sp.csr_array
    features: sp.csr_array
    basis: Floats
    spectrum: Floats
    value: Floats
    link: Floats
    mean: Floats
    precision: Floats
    columns: NDArray[np.int64]
    link_precision: float = 1.0


def _side(count: sp.csr_array, total: sp.csr_array, dice: np.random.Generator) -> _Side:
    had = (count > 0).astype(np.float64)
    columns = np.sort(np.argsort(-had.sum(axis=0), kind="stable")[:_MOST_LINKS])
    scale = sp.diags_array(1 / np.sqrt(np.maximum(had.sum(axis=1), 1)))
    features = sp.csr_array(scale @ had[:, columns])
    spectrum, basis = np.linalg.eigh((features.T @ features).toarray())
    return _Side(
        count,
        total,
        features,
        basis,
        spectrum,
        dice.normal(0, 0.1, (count.shape[0], NUM_FACTORS)),
        np.zeros((len(columns), NUM_FACTORS)),
        np.zeros(NUM_FACTORS),
        np.eye(NUM_FACTORS),
        columns,
    )


class _Chain:
    def __init__(
        self,
        user: NDArray[np.integer],
        item: NDArray[np.integer],
        rating: Floats,
        dice: np.random.Generator,
    ) -> None:
        shape = int(user.max()) + 1, int(item.max()) + 1
        count = sp.csr_array((np.ones(len(user)), (user, item)), shape)
        total = sp.csr_array((rating, (user, item)), shape)
        self._dice, self._events = dice, (user, item, rating)
        self._users = _side(count, total, dice)
        self._items = _side(sp.csr_array(count.T), sp.csr_array(total.T), dice)
        self._alpha = 1.0

    def sweep(self) -> None:
        """Draw everything once, each given the rest."""
        for side, other in ((self._users, self._items), (self._items, self._users)):
            _draw_prior(side, self._dice)
            _draw_values(side, other, self._alpha, self._dice)
        user, item, rating = self._events
        x, v = self._users.value[user], self._items.value[item]
        error = rating - np.einsum("nk,nk->n", x[:, :-1], v[:, :-1]) - x[:, -1] - v[:, -1]
        self._alpha = self._dice.gamma(0.5 * len(error) + 1, 1 / (0.5 * float(error @ error) + 1))

    def sample(self, known: NDArray[np.int64], num_items: int) -> tuple[Floats, ...]:
        """In the order of the fields of `FactorSamples`."""
        users, items = self._users, self._items
        loading = np.tile(items.mean, (num_items, 1))
        loading[known] = items.value
        bias = loading[:, -1].copy()
        loading[:, -1] = 1.0
        link = np.zeros_like(loading)
        link[known[users.columns]] = users.link
        return loading, bias, link, users.mean, users.precision / self._alpha


def _draw_prior(side: _Side, dice: np.random.Generator) -> None:
    """Mean and precision given values and link (normal-Wishart), then the link given both.

    The link's prior has this precision too, times its own: it counts as so many values more.
    """
    n, width = side.value.shape
    rest = side.value - side.features @ side.link
    centre = rest.mean(axis=0)
    spread = (rest - centre).T @ (rest - centre)
    scatter = np.eye(width) + spread + n / (n + 1) * np.outer(centre, centre)
    scatter += side.link_precision * side.link.T @ side.link
    scale = np.linalg.inv(scatter)
    side.precision = wishart.rvs(
        width + n + len(side.link), (scale + scale.T) / 2, random_state=dice
    )
    root = np.linalg.cholesky(np.linalg.inv(side.precision))
    side.mean = n / (n + 1) * centre + root @ dice.normal(size=width) / np.sqrt(n + 1)

    noise = dice.normal(size=(n + len(side.link), width)) @ root.T
    right = side.features.T @ (side.value - side.mean + noise[:n])
    right += np.sqrt(side.link_precision) * noise[n:]
    side.link = side.basis @ (
        (side.basis.T @ right) / (side.spectrum + side.link_precision)[:, None]
    )
    square = float(np.einsum("fw,wv,fv->", side.link, side.precision, side.link))
    side.link_precision = dice.gamma(0.5 * side.link.size + 1, 1 / (0.5 * square + 1))


def _draw_values(side: _Side, other: _Side, alpha: float, dice: np.random.Generator) -> None:
    n, width = side.value.shape
    loading, bias = other.value.copy(), other.value[:, -1]
    loading[:, -1] = 1.0
    outer = (loading[:, :, None] * loading[:, None]).reshape(len(loading), -1)
    prior = (side.mean + side.features @ side.link) @ side.precision
    right = prior + alpha * (side.total @ loading - side.count @ (bias[:, None] * loading))
    noise = dice.normal(size=(n, width, 1))
    for begin in range(0, n, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        gram = (side.count[part] @ outer).reshape(-1, width, width)
        root = np.linalg.cholesky(side.precision + alpha * gram)
        half = np.linalg.solve(root, right[part, :, None]) + noise[part]
        side.value[part] = np.linalg.solve(root.transpose(0, 2, 1), half)[..., 0]
