"""Errors of predicted ratings by hand."""

from __future__ import annotations

import math

import pytest

from trecs.evaluation.rating_metrics import rating_metrics


def test_the_errors_are_those_computed_by_hand():
    found = rating_metrics([1.0, 2.0, 5.0], [2.0, 2.0, 3.0])
    assert found == pytest.approx({"mse": 5 / 3, "rmse": math.sqrt(5 / 3), "mae": 1.0})


@pytest.mark.parametrize(("predicted", "actual"), [([], []), ([1.0], [1.0, 2.0])])
def test_nothing_to_compare_is_refused(predicted, actual):
    with pytest.raises(ValueError, match=r"as many predictions as ratings.*shapes"):
        rating_metrics(predicted, actual)
