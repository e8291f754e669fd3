"""Intervals and paired tests over users."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from trecs.evaluation import significance
from trecs.evaluation.significance import bootstrap_intervals, compare


def test_the_interval_of_many_users_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).random(2000)
    low, high = bootstrap_intervals(np.arange(2000, dtype=np.int32), {"m": values})["m"]
    error = values.std() / np.sqrt(2000)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=error / 5)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_copies_of_a_users_targets_make_nothing_surer():
    values = np.random.default_rng(1).random(50)
    user = np.arange(50, dtype=np.int32)
    once = bootstrap_intervals(user, {"m": values})["m"]
    often = bootstrap_intervals(np.repeat(user, 9), {"m": np.repeat(values, 9)})["m"]
    assert often == pytest.approx(once, abs=1e-12)


def test_one_user_gives_no_width_and_the_order_of_targets_changes_nothing():
    user, values = np.array([4, 4], np.int32), np.array([0.0, 1.0])
    assert bootstrap_intervals(user, {"m": values})["m"] == (0.5, 0.5)
    rng = np.random.default_rng(2)
    user, values = rng.integers(0, 9, 60).astype(np.int32), rng.random(60)
    mixed = rng.permutation(60)
    assert bootstrap_intervals(user, {"m": values})["m"] == pytest.approx(
        bootstrap_intervals(user[mixed], {"m": values[mixed]})["m"], abs=1e-12
    )


def test_blocks_of_resamples_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    user, values = rng.integers(0, 20, 99).astype(np.int32), {"m": rng.random(99)}
    whole = bootstrap_intervals(user, values)
    monkeypatch.setattr(significance, "_BLOCK", 20 * 300)
    assert bootstrap_intervals(user, values)["m"] == pytest.approx(whole["m"], abs=1e-12)


def test_the_p_value_is_that_of_all_exchanges():
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(8, dtype=np.int32), 3)
    ours, theirs = rng.random(24) + 0.12, rng.random(24)
    found = compare(user, {"m": ours}, {"m": theirs})["m"]
    difference = (ours - theirs).reshape(8, 3).sum(axis=1)
    sums = [np.dot(signs, difference) for signs in itertools.product((-1, 1), repeat=8)]
    exact = np.mean(np.abs(sums) >= abs(difference.sum()) - 1e-9)
    assert 0.02 < exact < 0.9
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1000))
    assert found.difference == pytest.approx(ours.mean() - theirs.mean())
    assert found.interval[0] < found.difference < found.interval[1]


def test_equal_scorers_do_not_differ_and_a_clear_gain_has_the_least_p_value():
    user, values = np.arange(40, dtype=np.int32), np.random.default_rng(5).random(40)
    same = compare(user, {"m": values}, {"m": values})["m"]
    assert (same.difference, same.interval, same.p_value) == (0.0, (0.0, 0.0), 1.0)
    better = compare(user, {"m": values + 1}, {"m": values})["m"]
    assert better.p_value == pytest.approx(1 / 1001)
    assert better.interval == pytest.approx((1.0, 1.0))
