"""What the rating head reads: the contract of its batches, and the scale of the ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.spec import Feature

MAX_HISTORY = 512
"""Newest events that a target reads."""
ITEM_PRIOR = 10.0

RATING_FEATURES = (
    Feature("user_row", "int32", ("batch",), "row of the user embedding, 0 unknown"),
    Feature("history_row", "int32", ("batch", "history"), "item rows of the user's events"),
    Feature("history_time_s", "int64", ("batch", "history"), "when each event was"),
    Feature("history_rating", "float32", ("batch", "history"), "the rating; NaN is not known"),
    Feature("visible", "bool", ("batch", "target", "history"), "which events a target may read"),
    Feature("candidate_row", "int32", ("batch", "target"), "item row to be rated"),
    Feature("request_time_s", "int64", ("batch", "target"), "as of when"),
    Feature("candidate_offset", "float32", ("batch", "target"), "the item's mean residual by then"),
    Feature("candidate_count", "float32", ("batch", "target"), "log1p(its ratings by then) / 5"),
    Feature("candidate_estimate", "float32", ("batch", "target"), "by the factors, standardised"),
    Feature(
        "candidate_fitted", "float32", ("batch", "target"), "log1p(ratings they had of it) / 5"
    ),
)
RATING_TARGETS = (
    Feature("rating", "float32", ("batch", "target"), "what the user gave"),
    Feature("weight", "float32", ("batch", "target"), "share of the step's loss; 0 is padding"),
)


@dataclass(frozen=True, eq=False)
class RatingScale:
    """What is fitted to training ratings.

    Attributes:
      mean: their mean.
      deviation: their standard deviation, 1 where they are all equal.
      levels: float32 [n], the distinct ratings, ascending.
    """

    mean: float
    deviation: float
    levels: NDArray[np.float32]

    def standardise(self, rating: NDArray[np.float32]) -> NDArray[np.float32]:
        """Ratings less the mean, in deviations."""
        standard: NDArray[np.float32] = ((rating - self.mean) / self.deviation).astype(np.float32)
        return standard


def fit_scale(rating: NDArray[np.float32]) -> RatingScale:
    """Fit to training ratings, one at least.

    Example:
      >>> fit_scale(np.array([1, 3, 5, 3], np.float32)).deviation
      1.4142135623730951
    """
    if not rating.size:
        raise ValueError("the scale of ratings needs training ratings, but none came")
    values = rating.astype(np.float64)
    return RatingScale(float(values.mean()), float(values.std()) or 1.0, np.unique(rating))


def shrunk_mean(total: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean residual of an item as if ten ratings at the mean had come too; 0 for no rating."""
    mean: NDArray[np.float32] = (total / (count + ITEM_PRIOR)).astype(np.float32)
    return mean


def count_feature(count: NDArray[np.int64]) -> NDArray[np.float32]:
    """`candidate_count` of counts."""
    feature: NDArray[np.float32] = (np.log1p(count) / 5).astype(np.float32)
    return feature


def ratings_counted(feature: tf.Tensor) -> tf.Tensor:
    """The counts that `count_feature` was made of."""
    return tf.math.expm1(5 * feature)
