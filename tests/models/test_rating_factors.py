"""What an item's ratings since the fit add to the estimate."""

import numpy as np
import pytest

from trecs.models.ranking_data import count_feature, shrunk_mean
from trecs.models.rating_factors import ratings_since


def since(now, then):
    """Of lists of standardised ratings."""
    columns = []
    for ratings in (now, then):
        count = np.array([len(ratings)])
        columns += [shrunk_mean(np.array([float(sum(ratings))]), count), count_feature(count)]
    return ratings_since(*columns).numpy()[0]


@pytest.mark.parametrize("number", [1, 30, 5_000])
def test_ratings_since_add_what_they_move_the_shrunk_mean_by(number):
    then = [0.5] * number
    expected = (0.5 * number + 0.2 - 1.0) / (number + 2 + 10) - 0.5 * number / (number + 10)
    assert since([*then, 0.2, -1.0], then) == pytest.approx(expected, rel=2e-2, abs=1e-5)


def test_ratings_as_before_add_nothing_that_the_factors_had():
    """An item that is rated as it was: its bias is in the factors, and is not added again."""
    assert abs(since([1.0] * 5_000, [1.0] * 500)) < 0.02


def test_an_item_that_the_factors_do_not_know_has_its_offset():
    assert since([1.0, 2.0], []) == pytest.approx(3 / 12)


def test_ratings_that_the_factors_had_add_nothing():
    assert since([], []) == 0
    assert since([1.0, 1.0], [1.0, 1.0]) == 0
    # As of an earlier moment.
    assert since([1.0], [1.0, -2.0]) == 0
