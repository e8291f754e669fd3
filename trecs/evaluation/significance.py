"""How sure a metric is: bootstrap intervals over users, and a paired test of two scorers.

Targets of one user are not independent, so users are drawn, not targets (cluster bootstrap; Field
and Welsh, 2007). All metrics share the draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 1000
SEED = 0

# Weights of resamples by users held at a time: 64 MiB of them.
_BLOCK = 2**23


@dataclass(frozen=True)
class Comparison:
    """One scorer's mean of a metric less another's, over the same targets.

    Attributes:
        difference: the difference of the means.
        interval: (low, high), the bootstrap interval of the difference.
        p_value: of a permutation test, two-sided: the share of random exchanges of the two scorers,
            user by user, with a difference at least as large.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float


def bootstrap_intervals(
    user: NDArray[np.int32], values: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of means over targets, at `LEVEL`, from `RESAMPLES` draws of users.

    Args:
        user: int32 [n], the user of each target.
        values: float64 [n] by metric.

    Returns:
        (low, high) by metric. With a single user both are the mean: nothing can be said.
    """
    sums, counts = _by_user(user, values)
    low, high = _resample(sums, counts)
    return {name: (float(a), float(b)) for name, a, b in zip(values, low, high, strict=True)}


def compare(
    user: NDArray[np.int32],
    values: Mapping[str, NDArray[np.float64]],
    other: Mapping[str, NDArray[np.float64]],
) -> dict[str, Comparison]:
    """Test whether two scorers differ, metric by metric, over the same targets.

    The p-value is that of a permutation test by sign changes of each user's summed difference. Its
    smallest value is `1 / (RESAMPLES + 1)`.

    Args:
        user: int32 [n], the user of each target.
        values: float64 [n] by metric, of one scorer.
        other: likewise of the other, the same metrics.

    Returns:
        A comparison by metric, positive where `values` are higher.
    """
    sums, counts = _by_user(user, {name: values[name] - other[name] for name in values})
    low, high = _resample(sums, counts)
    total = sums.sum(axis=0)
    at_least = np.zeros(total.size, np.int64)
    rng = np.random.default_rng(SEED)
    for size in _blocks(counts.size):
        signs = 1.0 - 2.0 * rng.integers(0, 2, (size, counts.size))
        # A little slack: an exchange that changes nothing must not lose to rounding.
        at_least += (np.abs(signs @ sums) >= np.abs(total) - 1e-9).sum(axis=0)
    p_value = (1 + at_least) / (1 + RESAMPLES)
    mean = total / counts.sum()
    return {
        name: Comparison(float(mean[k]), (float(low[k]), float(high[k])), float(p_value[k]))
        for k, name in enumerate(values)
    }


def _by_user(
    user: NDArray[np.int32], values: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums [U, metrics] and numbers [U] of the targets of each user who has any."""
    index = np.unique(user, return_inverse=True)[1]
    counts = np.bincount(index)
    sums = [np.bincount(index, weights=value) for value in values.values()]
    return np.stack(sums, axis=1), counts


def _resample(
    sums: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends [metrics] of the percentile interval of `sum / count` over draws of users."""
    rng = np.random.default_rng(SEED)
    num_users = counts.size
    means = []
    for size in _blocks(num_users):
        drawn = rng.integers(0, num_users, (size, num_users))
        drawn += num_users * np.arange(size)[:, None]
        # How often each user was drawn: multinomial weights.
        weight = np.bincount(drawn.ravel(), minlength=size * num_users).reshape(size, num_users)
        weight = weight.astype(np.float64)
        means.append((weight @ sums) / (weight @ counts)[:, None])
    ends = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return ends[0], ends[1]


def _blocks(num_users: int) -> Iterator[int]:
    """Cut `RESAMPLES` into numbers whose weights fit the memory."""
    size = max(1, _BLOCK // num_users)
    return (min(size, RESAMPLES - done) for done in range(0, RESAMPLES, size))
