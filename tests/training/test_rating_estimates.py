"""Estimates of targets: by the formula, from what each may read, and not from its own rating."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from test_factor_sampling import asked

from trecs.data.splits import temporal
from trecs.features.items import build_item_table
from trecs.features.vocabulary import fit_vocabulary
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking_data import fit_scale
from trecs.models.rating_factors import UNKNOWN_FACTOR_ROW, FactorSamples, estimate_ratings
from trecs.training import rating_estimates
from trecs.training.rating_batches import rating_rows
from trecs.training.rating_estimates import (
    fit_factors,
    with_cross_fitted_estimates,
    with_estimates,
)
from trecs.training.rating_setup import make_rating_head, user_rows


class Fitted:
    """A head with the factors of the small world's training ratings."""

    def __init__(self, dataset):
        self.log, self.split = dataset.log, temporal(dataset.log)
        train = self.split.train
        self.vocabulary = fit_vocabulary(dataset, train)
        self.table = build_item_table(
            dataset, self.vocabulary, np.zeros((dataset.num_items, 2), np.float32)
        )
        self.items = ItemTensors(self.table)
        self.scale = fit_scale(self.log.rated(train)[1])
        self.head = make_rating_head(
            "mse", self.scale, self.log, train, self.vocabulary, self.table
        )
        fit_factors(self.head, self.items, self.rows(train, train), seed=1)
        self.factor_row = self.head.factor_row.numpy()[self.table.id_index]

    def rows(self, targets, readable, reads="earlier"):
        users = user_rows(self.log, self.vocabulary)
        code = self.table.row_of_code
        return rating_rows(self.log, code, users, self.scale, readable, targets, reads)


@pytest.fixture(scope="module")
def fitted(world):
    return Fitted(world)


@pytest.mark.parametrize("reads", ["earlier", "all-but-target"])
def test_an_estimate_is_the_formulas_on_what_the_target_may_read(fitted, reads):
    train = fitted.split.train
    targets = train if reads == "all-but-target" else fitted.split.test
    readable = train if reads == "all-but-target" else np.arange(fitted.log.num_events)
    rows = with_estimates(fitted.rows(targets, readable, reads), fitted.head, fitted.items)
    item = fitted.factor_row[rows.events["row"]]
    standard = fitted.scale.standardise(rows.events["rating"])
    samples, found = fitted.head.factors(), rows.targets
    for place in range(0, rows.num_targets, 17):
        read = np.arange(found["lo"][place], found["hi"][place])
        read = read[read != found["itself"][place]]
        candidate = fitted.factor_row[found["candidate_row"][place]]
        expected = asked(samples, item[read], standard[read], np.array([candidate]))[0]
        assert found["estimate"][place] == pytest.approx(expected, abs=2e-3)
    assert found["estimate"].std() > 0.1


def test_the_graph_estimates_what_the_formula_does(fitted):
    samples = fitted.head.factors()
    dice = np.random.default_rng(0)
    row = dice.integers(0, samples.loading.shape[1], (3, 6)).astype(np.int32)
    rating = dice.normal(size=(3, 6)).astype(np.float32)
    rating[0, 2] = np.nan
    readable = dice.random((3, 6)) < 0.6
    readable[2] = False
    candidates = np.array([[0, 3], [1, 2], [4, 0]], np.int32)
    tensors = FactorSamples(*map(tf.constant, samples))
    found = estimate_ratings(tensors, row, rating, readable, candidates).numpy()
    for n in range(3):
        seen = np.setdiff1d(row[n][readable[n]], [UNKNOWN_FACTOR_ROW])
        known = readable[n] & np.isfinite(rating[n])
        # An event without a rating counts as had, and in no product.
        extra = samples.link[:, seen].sum(axis=1) / np.sqrt(max(len(seen), 1))
        prior = samples._replace(mean=samples.mean + extra, link=np.zeros_like(samples.link))
        expected = asked(prior, row[n][known], rating[n][known], candidates[n])
        np.testing.assert_allclose(found[n], expected, atol=1e-4)


def test_an_item_played_again_and_again_says_once_that_it_was_had(fitted):
    samples = FactorSamples(*map(tf.constant, fitted.head.factors()))
    once, often = np.array([[3, 5]], np.int32), np.array([[3, 5, 5, 3, 5, 0]], np.int32)
    candidates = np.array([[1, 2, 7]], np.int32)
    found = [
        estimate_ratings(
            samples,
            row,
            np.full(row.shape, np.nan, np.float32),
            np.ones(row.shape, bool),
            candidates,
        ).numpy()
        for row in (once, often)
    ]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_what_is_read_several_times_is_left_out_of_every_read():
    """Against counting, for any windows and targets, with repeats and unknown items."""
    dice = np.random.default_rng(2)
    item = dice.integers(0, 6, 40).astype(np.int32)
    lo = dice.integers(0, 30, 600)
    reads = np.stack([lo, lo + dice.integers(0, 11, 600), dice.integers(-1, 41, 600)], axis=1)
    link = dice.normal(size=(2, 6, 3)).astype(np.float32)
    link[:, UNKNOWN_FACTOR_ROW] = 0
    extra, count = rating_estimates._had_again(item, reads, link)
    for n, (first, last, itself) in enumerate(reads):
        read = item[[e for e in range(first, last) if e != itself]]
        had = np.setdiff1d(read, [UNKNOWN_FACTOR_ROW])
        assert count[n] == len(had)
        twice = link[:, read].sum(axis=1) - link[:, had].sum(axis=1)
        np.testing.assert_allclose(extra[:, n], twice, atol=1e-5)


def test_factors_of_training_targets_have_not_seen_the_users_ratings(fitted, world):
    train, log = fitted.split.train, fitted.log
    ours = with_cross_fitted_estimates(
        fitted.rows(train, train), fitted.head, fitted.items, seed=1
    ).targets
    user = log.user[train[0]]
    rating = np.where(log.user == user, 6 - log.rating, log.rating).astype(np.float32)
    other = Fitted(replace(world, log=replace(log, rating=rating)))
    other.head.set_ratings(fitted.scale, fitted.head.item_offset.numpy())
    theirs = with_cross_fitted_estimates(
        other.rows(train, train), other.head, other.items, seed=1
    ).targets
    # The first of the user's targets read none of its ratings.
    first = (log.user[ours["event"]] == user) & (ours["hi"] == ours["lo"])
    assert first.any()
    np.testing.assert_allclose(ours["estimate"][first], theirs["estimate"][first], atol=1e-5)
    later = (log.user[ours["event"]] == user) & (ours["hi"] > ours["lo"])
    assert not np.allclose(ours["estimate"][later], theirs["estimate"][later])


def test_items_beyond_the_limit_are_unknown(fitted, monkeypatch):
    monkeypatch.setattr("trecs.training.rating_setup.MOST_ITEMS", 5)
    train = fitted.split.train
    head = make_rating_head("mse", fitted.scale, fitted.log, train, fitted.vocabulary, fitted.table)
    fit_factors(head, fitted.items, fitted.rows(train, train), seed=1)
    assert head.sizes.num_factor_rows == 6
    row = head.factor_row.numpy()
    assert (row != UNKNOWN_FACTOR_ROW).sum() == 5
    counts = np.bincount(
        fitted.table.id_index[fitted.table.row_of_code[fitted.log.item[train]]], minlength=len(row)
    )
    assert counts[row > 0].min() >= counts[row == 0].max()
