"""Samples of item factors: what they find in ratings, and what they do not depend on."""

import numpy as np
import pytest

from trecs.models.rating_factors import UNKNOWN_FACTOR_ROW, FactorSamples, estimate_ratings
from trecs.training import factor_sampling
from trecs.training.factor_sampling import sample_factors

USERS, ITEMS = 120, 40


def tastes(seed=0):
    """Ratings by users and items of two kinds: users like one kind, and items are good or bad."""
    dice = np.random.default_rng(seed)
    user, item = np.divmod(np.flatnonzero(dice.random(USERS * ITEMS) < 0.4), ITEMS)
    likes = np.where((user % 2) == (item % 2), 1.0, -1.0)
    return user, item, likes + 0.5 * np.sin(item) + dice.normal(0, 0.3, len(user))


def asked(samples, history, rating, candidates):
    """By the formula, a sample at a time: ridge regression, then the mean of the predictions.

    An item that was had several times is told once by its link; row 0 is of those not known.
    """
    found, had = [], np.setdiff1d(history, [UNKNOWN_FACTOR_ROW])
    for loading, bias, link, mean, ridge in zip(*samples, strict=True):
        z = loading[history]
        prior = mean + link[had].sum(axis=0) / np.sqrt(max(len(had), 1))
        user = np.linalg.solve(ridge + z.T @ z, ridge @ prior + z.T @ (rating - bias[history]))
        found.append(loading[candidates] @ user + bias[candidates])
    return np.mean(found, axis=0)


def test_a_new_users_taste_is_found_from_a_few_ratings():
    samples = sample_factors(*tastes(), ITEMS, seed=1)
    expected = np.where(np.arange(ITEMS) % 2 == 0, 1.0, -1.0) + 0.5 * np.sin(np.arange(ITEMS))
    rated = np.array([0, 1, 2, 3])
    found = asked(samples, rated, expected[rated], np.arange(ITEMS))
    rest = np.setdiff1d(np.arange(ITEMS), rated)
    assert np.sqrt(np.mean((found - expected)[rest] ** 2)) < 0.35
    # Without a rating the user's kind is not known, which costs a whole unit.
    unknown = asked(samples, rated[:0], expected[:0], np.arange(ITEMS))
    assert np.sqrt(np.mean((unknown - expected)[rest] ** 2)) > 0.8
    assert np.corrcoef(unknown, np.sin(np.arange(ITEMS)))[0, 1] > 0.8


def test_what_was_rated_says_something_before_any_rating():
    user, item, rating = tastes()
    # Nine tenths of what is not liked is not rated.
    rare = (user % 2 != item % 2) & (np.arange(len(user)) % 10 > 0)
    samples = sample_factors(user[~rare], item[~rare], rating[~rare], ITEMS, seed=1)
    even = np.array([[10, 20, 30]], np.int32)
    unrated = np.full(even.shape, np.nan, np.float32)
    seen = np.ones(even.shape, bool)
    candidates = np.arange(ITEMS, dtype=np.int32)[None]
    found = estimate_ratings(FactorSamples(*samples), even, unrated, seen, candidates).numpy()[0]
    assert (found[0::2] - found[1::2]).mean() > 0.5


def test_the_seed_alone_decides_and_users_have_no_order():
    user, item, rating = tastes()
    ours = sample_factors(user, item, rating, ITEMS, seed=3)
    again = sample_factors(user * 7 + 100, item, rating, ITEMS, seed=3)
    other = sample_factors(user, item, rating, ITEMS, seed=4)
    for one, same in zip(ours, again, strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-6)
    assert not np.allclose(ours.loading, other.loading)


def test_an_item_without_a_rating_has_the_mean_and_no_link():
    user, item, rating = tastes()
    samples = sample_factors(user, item + 1, rating, ITEMS + 2, seed=1)
    # What the user's bias is multiplied by.
    assert (samples.loading[..., -1] == 1).all()
    for unknown in (0, ITEMS + 1):
        assert (samples.link[:, unknown] == 0).all()
        spread = samples.loading[:, 1:-1, :-1].std(axis=1)
        away = samples.loading[:, unknown, :-1] - samples.loading[:, 1:-1, :-1].mean(axis=1)
        assert (np.abs(away) < spread + 0.1).all()


@pytest.mark.parametrize("number", [3, 30, 100])
def test_few_ratings_are_estimated_near_the_mean(number):
    """With a prior of links without the links' precision, these were estimated in the hundreds."""
    kept = np.random.default_rng(number).permutation(USERS * ITEMS // 3)[:number]
    user, item, rating = (column[kept] for column in tastes())
    samples = sample_factors(user, item, rating, ITEMS, seed=1)
    every = np.arange(ITEMS)
    for history in (every[:0], every[:1], every[:10], every):
        found = asked(samples, history, np.zeros(len(history)), every)
        assert np.abs(found).max() < 3 * np.abs(rating).max()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_next_to_no_ratings_are_enough(number):
    user, item, rating = (column[:number] for column in tastes())
    samples = sample_factors(user, item, rating, ITEMS, seed=1)
    assert all(np.isfinite(part).all() for part in samples)
    assert np.isfinite(asked(samples, np.array([1]), np.ones(1), np.arange(ITEMS))).all()


def test_of_many_ratings_whole_users_are_drawn(monkeypatch):
    user, _, _ = tastes()
    monkeypatch.setattr(factor_sampling, "_MOST_RATINGS", 300)
    taken = factor_sampling._some_users(user, np.random.default_rng(0))
    assert 200 < taken.sum() <= 300
    assert not set(user[taken]) & set(user[~taken])
    monkeypatch.setattr(factor_sampling, "_MOST_USERS", 3)
    taken = factor_sampling._some_users(user, np.random.default_rng(0))
    assert len(set(user[taken])) == 3
    monkeypatch.setattr(factor_sampling, "_MOST_RATINGS", 1)
    taken = factor_sampling._some_users(user, np.random.default_rng(0))
    assert len(set(user[taken])) == 1
