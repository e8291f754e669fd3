"""Coverage, Gini index, novelty and popularity by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trecs.evaluation.list_metrics import gini, list_metrics

COUNTS = np.array([8, 4, 4, 0, 0])


def test_coverage_counts_each_item_once_and_no_empty_place():
    top = np.array([[4, 1, 2], [4, 2, -1]], np.int32)
    assert list_metrics(top, 10, COUNTS, 1)["coverage@1"] == 0.1
    assert list_metrics(top, 10, COUNTS, 3)["coverage@3"] == 0.3


@pytest.mark.parametrize("seed", range(5))
def test_gini_is_half_the_mean_difference_over_the_mean(seed):
    exposure = np.random.default_rng(seed).integers(0, 9, 30) ** 2
    difference = np.abs(exposure[:, None] - exposure).mean()
    assert gini(exposure, 30) == pytest.approx(difference / 2 / exposure.mean(), abs=1e-12)


def test_gini_counts_candidates_that_are_never_shown():
    assert gini(np.array([3, 3]), num_candidates=4) == gini(np.array([0, 3, 0, 3]), 4) == 0.5


def test_novelty_and_popularity_are_means_over_what_is_shown():
    found = list_metrics(np.array([[0, 1, 3], [0, -1, -1]], np.int32), 5, COUNTS, 3)
    # Item 3 never trained and counts as one event of sixteen.
    assert found["novelty@3"] == pytest.approx((1 + 2 + math.log2(16) + 1) / 4)
    assert found["popularity@3"] == pytest.approx((8 + 4 + 0 + 8) / 4)


def test_lists_without_items_give_zeros():
    empty = list_metrics(np.full((2, 3), -1, np.int32), 5, COUNTS, 2)
    assert empty == {"coverage@2": 0, "gini@2": 0, "novelty@2": 0, "popularity@2": 0}


def test_a_cut_off_beyond_the_lists_and_an_empty_catalogue_are_refused():
    with pytest.raises(ValueError, match=r"the length of the lists, 3, but k is 4.*larger top_k"):
        list_metrics(np.zeros((1, 3), np.int32), 5, COUNTS, k=4)
    with pytest.raises(ValueError, match="num_candidates is 0"):
        list_metrics(np.zeros((1, 3), np.int32), 0, COUNTS, k=1)
