"""Estimates of `trecs.models.rating_factors` for rows of targets, each with its own history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking import RatingHead
from trecs.models.ranking_data import count_feature
from trecs.models.rating_factors import UNKNOWN_FACTOR_ROW, FactorSamples
from trecs.training.factor_sampling import sample_factors
from trecs.training.rating_batches import RatingRows

MOST_ITEMS = 20_000
"""Items with factors, the most rated; the others have too few ratings to be told apart."""
_FOLDS = 2
_CHUNK_READS = 256
# Below every event, so that nothing begins there.
_NOT_READ = -1
_UNKNOWN = 0.1
"""Share of items that a fold takes for unknown, so that the head learns what to do with such."""


def fit_factors(head: RatingHead, items: ItemTensors, rows: RatingRows, seed: int) -> None:
    """Give a head the factors of the items that training targets rate."""
    id_index = items.rows()["id_index"].numpy()
    count = np.bincount(id_index[rows.targets["candidate_row"]], minlength=head.sizes.num_ids)
    known = np.argsort(-count, kind="stable")[: head.sizes.num_factor_rows - 1]
    known = known[count[known] > 0]
    factor_row = np.zeros(head.sizes.num_ids, np.int32)
    factor_row[known] = np.arange(1, len(known) + 1)
    every = np.ones(rows.num_targets, bool)
    samples = _samples(rows, every, head, factor_row[id_index], seed)
    head.set_factors(samples, factor_row, count_feature(np.where(factor_row > 0, count, 0)))


def with_estimates(rows: RatingRows, head: RatingHead, items: ItemTensors) -> RatingRows:
    """The same rows with the estimate of every target by the head's factors."""
    factor_row = _factor_row(head, items)
    candidate = factor_row[rows.targets["candidate_row"]]
    estimate = _estimates(rows, head, head.factors(), factor_row, candidate)
    return _filled(rows, estimate, _fitted(rows, head, items))


def with_cross_fitted_estimates(
    rows: RatingRows, head: RatingHead, items: ItemTensors, seed: int
) -> RatingRows:
    """The training rows with estimates by factors that have not seen any rating of the user.

    As a rating to come is estimated: by factors that know it, estimates of training targets would
    be better than any later one, and the head would learn to trust them too much.

    Args:
      rows: of the training targets.
      head: with the factors of `fit_factors`.
      items: of the head.
      seed: of the folds and samples.
    """
    factor_row = _factor_row(head, items)
    known = factor_row[rows.targets["candidate_row"]]
    dice = np.random.default_rng(seed)
    user = rows.targets["user_row"]
    fold = dice.integers(_FOLDS, size=int(user.max(initial=0)) + 1)[user]
    estimate, fitted = np.zeros(rows.num_targets, np.float32), _fitted(rows, head, items)
    for number in range(_FOLDS):
        asked = fold == number
        if asked.all() or not asked.any():
            # Of a single user: nothing is known but the mean.
            continue
        samples = _samples(rows, ~asked, head, factor_row, seed + number)
        hidden = dice.random(head.sizes.num_factor_rows) < _UNKNOWN
        candidate = np.where(hidden[known], UNKNOWN_FACTOR_ROW, known)
        part = _rows_of(rows, asked)
        estimate[asked] = _estimates(part, head, samples, factor_row, candidate[asked])
        fitted[asked & (candidate == UNKNOWN_FACTOR_ROW)] = 0
    return _filled(rows, estimate, fitted)


def _factor_row(head: RatingHead, items: ItemTensors) -> NDArray[np.int32]:
    """int32 [M], by item row."""
    row: NDArray[np.int32] = tf.gather(head.factor_row.value, items.rows()["id_index"]).numpy()
    return row


def _fitted(rows: RatingRows, head: RatingHead, items: ItemTensors) -> NDArray[np.float32]:
    id_index = tf.gather(items.rows()["id_index"], rows.targets["candidate_row"])
    fitted: NDArray[np.float32] = tf.gather(head.fitted.value, id_index).numpy()
    return fitted


def _samples(
    rows: RatingRows,
    chosen: NDArray[np.bool_],
    head: RatingHead,
    factor_row: NDArray[np.int32],
    seed: int,
) -> FactorSamples:
    """Samples given some of the targets' ratings."""
    item = factor_row[rows.targets["candidate_row"]]
    told = chosen & (item != UNKNOWN_FACTOR_ROW)
    standard = head.standardise(rows.targets["rating"][told].astype(np.float64))
    user, num_items = rows.targets["user_row"][told], head.sizes.num_factor_rows
    return sample_factors(user, item[told], standard, num_items, seed)


def _filled(
    rows: RatingRows, estimate: NDArray[np.float32], fitted: NDArray[np.float32]
) -> RatingRows:
    return replace(rows, targets={**rows.targets, "estimate": estimate, "fitted": fitted})


def _rows_of(rows: RatingRows, chosen: NDArray[np.bool_]) -> RatingRows:
    """Rows that hold some of the targets: a row is of one user, so all of its targets or none."""
    num = np.diff(rows.start)
    kept = chosen[rows.start[:-1]]
    start = np.concatenate([[0], np.cumsum(num[kept])])
    targets = {name: column[chosen] for name, column in rows.targets.items()}
    return RatingRows(rows.events, targets, start)


def _estimates(
    rows: RatingRows,
    head: RatingHead,
    samples: FactorSamples,
    factor_row: NDArray[np.int32],
    candidate: NDArray[np.int32],
) -> NDArray[np.float32]:
    item = factor_row[rows.events["row"]]
    standard = head.standardise(rows.events["rating"]).astype(np.float32)
    found = np.zeros(rows.num_targets, np.float32)
    for begin, end in zip(rows.start[:-1], rows.start[1:], strict=True):
        reads = np.stack([rows.targets[name][begin:end] for name in ("lo", "hi", "itself")], 1)
        distinct, which = np.unique(reads, axis=0, return_inverse=True)
        first, last = int(distinct[:, 0].min()), int(distinct[:, 1].max())
        part = slice(first, last)
        user = _users(samples, item[part], standard[part], distinct - first)
        asked = candidate[begin:end]
        loading = samples.loading[:, asked]
        product = np.einsum("scw,scw->sc", user[:, which.ravel()], loading)
        found[begin:end] = (product + samples.bias[:, asked]).mean(axis=0)
    return found


def _users(
    samples: FactorSamples,
    item: NDArray[np.int32],
    rating: NDArray[np.float32],
    reads: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Factors [S, D, W] of a user by what is read: events [lo, hi) but `itself`, of [L].

    As `trecs.models.rating_factors.estimate_ratings`.
    """
    lo, hi, itself = reads.T
    num_samples, _, width = samples.loading.shape
    rated = np.isfinite(rating)
    loading = samples.loading[:, item] * rated[:, None]
    rest = np.where(rated, rating, 0.0) - samples.bias[:, item]
    columns = np.concatenate(
        [
            np.einsum("slv,slw->slvw", loading, loading).reshape(*loading.shape[:2], width**2),
            loading * rest[..., None],
            samples.link[:, item],
        ],
        axis=-1,
    )
    sums = np.zeros((num_samples, len(item) + 1, columns.shape[-1]), np.float32)
    np.cumsum(columns, axis=1, out=sums[:, 1:])
    read = sums[:, hi] - sums[:, lo]
    # `itself` may lie outside of what is read, before the first event too.
    own = (itself >= lo) & (itself < hi)
    if own.any():
        read[:, own] -= columns[:, itself[own]]
    gram, products, links = np.split(read, [width**2, width**2 + width], axis=-1)
    extra, count = _had_again(item, reads, samples.link)
    links -= extra
    prior = samples.mean[:, None] + links / np.sqrt(np.maximum(count, 1))[:, None]
    right = np.einsum("swv,sdv->sdw", samples.ridge, prior) + products
    left = samples.ridge[:, None] + gram.reshape(num_samples, len(lo), width, width)
    user: NDArray[np.float32] = np.linalg.solve(left, right[..., None])[..., 0]
    return user


def _had_again(
    item: NDArray[np.int32], reads: NDArray[np.int64], link: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What items that were had several times say too often, and how many items were had.

    Args:
      item: int32 [L], factor rows of the user's events.
      reads: int64 [D, 3], as `_users`.
      link: float32 [S, N, W].

    Returns:
      The sum of the links of events whose item was read before, float32 [S, D, W], and the number
      of known items, int64 [D].
    """
    lo, hi, itself = reads.T
    itself = np.where((itself >= lo) & (itself < hi), itself, _NOT_READ)
    known = item != UNKNOWN_FACTOR_ROW
    total = np.concatenate([[0], np.cumsum(known)])
    count = total[hi] - total[lo]
    count[itself >= 0] -= known[itself[itself >= 0]]
    order = np.argsort(item, kind="stable")
    same = np.flatnonzero(item[order[1:]] == item[order[:-1]])
    previous = np.full(len(item), _NOT_READ)
    previous[order[same + 1]] = order[same]
    repeats = np.flatnonzero((previous >= 0) & known)
    extra = np.zeros((len(link), len(reads), link.shape[-1]), np.float32)
    for begin in range(0, len(reads), _CHUNK_READS):
        part = slice(begin, begin + _CHUNK_READS)
        at = repeats[(repeats >= lo[part].min()) & (repeats < hi[part].max())]
        if not at.size:
            continue
        first, last, target = (column[part, None] for column in (lo, hi, itself))
        # Where the event before is the target, which is not read, the one before that counts.
        before = np.where(previous[at] == target, previous[target], previous[at])
        again = (at >= first) & (at < last) & (at != target) & (before >= first)
        told = again.astype(np.float32)
        extra[:, part] = np.einsum("dl,slw->sdw", told, link[:, item[at]], optimize=True)
        count[part] -= again.sum(axis=1)
    return extra, count
