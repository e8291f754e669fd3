"""The feature contract: name, dtype and shape of everything in a batch, declared once.

The training batches, the evaluation queries and the serving graph are all made to this contract,
which is what keeps training and serving from drifting apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAD_ROW = 0
"""Item row of padding, and of the start of a user's history."""
UNKNOWN_ROW = 1
"""Item row of an item that the catalogue does not have."""
FIRST_ITEM_ROW = 2
"""Item row of the first real item; candidate `i` stands in row `i + FIRST_ITEM_ROW`."""
UNKNOWN_USER_ROW = 0
"""User row of a user that neither trained nor has a profile text."""
SECONDS_PER_DAY = 86_400

Batch = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Feature:
    """One array of a batch: `dims` are the names of its dimensions, equal names equal sizes."""

    name: str
    dtype: str
    dims: tuple[str, ...]
    meaning: str


QUERY_FEATURES = (
    Feature("user_row", "int32", ("batch",), "row of the user table, 0 unknown"),
    Feature("history_row", "int32", ("batch", "history"), "item rows, oldest first, padded right"),
    Feature("event_time_s", "int64", ("batch", "history"), "when each event was"),
    Feature("next_time_s", "int64", ("batch", "history"), "the next event, at the end the request"),
    Feature("query_position", "int32", ("batch", "query"), "position in the history that asks"),
)
TARGET_FEATURES = (
    Feature("target_row", "int32", ("batch", "query"), "item row that the user took"),
    Feature("request_time_s", "int64", ("batch", "query"), "when the target was taken"),
    Feature("weight", "float32", ("batch", "query"), "share of the step's loss; 0 is padding"),
)
OWN_FEATURES = (
    Feature("own_row", "int32", ("batch", "own"), "items had before: item rows; empty if unused"),
    Feature("own_time_s", "int64", ("batch", "own"), "when the item was had"),
    Feature("own_count", "int32", ("batch", "own"), "how often by then, from 1; 0 is padding"),
    Feature("own_interval_s", "float32", ("batch", "own"), "mean seconds between these times"),
    Feature("own_sums", "float32", ("batch", "own", "sum"), "`Occurrences.sums` by then"),
    Feature("own_from", "int32", ("batch", "own"), "first position that has read the event"),
    Feature("own_until", "int32", ("batch", "own"), "first that has read the item once more"),
)
TRAINING_FEATURES = QUERY_FEATURES + TARGET_FEATURES + OWN_FEATURES


def check_batch(batch: Batch, features: tuple[Feature, ...]) -> None:
    """Check a batch against the contract.

    Raises:
      ValueError: a missing or extra feature, a wrong dtype, or sizes that do not fit together.
    """
    names = {feature.name for feature in features}
    if set(batch) != names:
        raise ValueError(f"a batch must have {sorted(names)}, got {sorted(batch)}")
    sizes: dict[str, int] = {}
    for feature in features:
        array = batch[feature.name]
        if array.dtype != np.dtype(feature.dtype) or array.ndim != len(feature.dims):
            raise ValueError(
                f"{feature.name} must be {feature.dtype} {list(feature.dims)}, got {array.dtype} of"
                f" shape {array.shape}"
            )
        for dim, size in zip(feature.dims, array.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise ValueError(
                    f"{feature.name} has shape {array.shape}, but {dim} is {sizes[dim]} elsewhere"
                )
