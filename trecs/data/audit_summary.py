"""Summaries that the parts of an audit share: quantiles of a sample, and bins of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
WEEK_S = 7 * DAY_S

_WIDTHS_S = (MINUTE_S, HOUR_S, DAY_S, WEEK_S, 30 * DAY_S, 365 * DAY_S)
_MOST_BINS = 60


@dataclass(frozen=True)
class Spread:
    """A sample in six numbers. Quantiles are values that occur (numpy's "inverted_cdf")."""

    mean: float
    min: int
    p10: int
    median: int
    p90: int
    max: int


def spread(values: NDArray[Any]) -> Spread | None:
    """The summary of integers [n], or None of an empty sample.

    Example:
        >>> spread(np.array([4, 1, 1, 2]))
        Spread(mean=2.0, min=1, p10=1, median=1, p90=4, max=4)
    """
    if not values.size:
        return None
    quantiles = np.quantile(values, (0, 0.1, 0.5, 0.9, 1), method="inverted_cdf").tolist()
    return Spread(float(values.mean()), *(int(value) for value in quantiles))


def binned_shares(values: NDArray[Any], edges: tuple[int, ...]) -> tuple[float, ...]:
    """Shares of `values` [n] in the half-open bins `[edges[k], edges[k + 1])`, the last one open.

    All values must be at least `edges[0]`; the shares of no values are 0.
    """
    place = np.searchsorted(np.asarray(edges), values, side="right") - 1
    counts = np.bincount(place, minlength=len(edges))
    return tuple((counts / max(values.size, 1)).tolist())


def bin_width_s(span_s: int) -> int:
    """The finest of minute, hour, day, week, 30 and 365 days that gives 60 bins or fewer.

    Spans of more than 60 years get bins of 365 days, however many.
    """
    fitting = (width for width in _WIDTHS_S if span_s // width < _MOST_BINS)
    return next(fitting, _WIDTHS_S[-1])
