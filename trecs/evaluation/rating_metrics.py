"""Errors of predicted ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def rating_metrics(predicted: ArrayLike, actual: ArrayLike) -> dict[str, float]:
    """Mean squared error, its root, and mean absolute error.

    Args:
        predicted: float [n], in the ratings' own scale.
        actual: float [n].

    Returns:
        `{"mse": ..., "rmse": ..., "mae": ...}`.

    Raises:
        ValueError: no ratings, or shapes that differ.

    Example:
        >>> rating_metrics([3.0, 5.0], [4.0, 2.0])
        {'mse': 5.0, 'rmse': 2.23606797749979, 'mae': 2.0}
    """
    ours = np.asarray(predicted, np.float64)
    theirs = np.asarray(actual, np.float64)
    if ours.shape != theirs.shape or not ours.size:
        raise ValueError(
            f"rating metrics need as many predictions as ratings, and one at least, but shapes "
            f"{ours.shape} and {theirs.shape} came"
        )
    error = ours - theirs
    mse = float(np.mean(error**2))
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.abs(error).mean())}
