"""The baselines by name, in the order of every table, each fitted when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.log import EventLog
from trecs.data.splits import Split
from trecs.errors import UsageError
from trecs.evaluation.baselines.factorization import has_implicit, require_implicit
from trecs.evaluation.baselines.grids import (
    Fits,
    als_fits,
    bpr_fits,
    ease_decayed_fits,
    ease_fits,
    item_knn_fits,
    markov_fits,
)
from trecs.evaluation.baselines.personal import UserMostFrequent, UserMostRecent
from trecs.evaluation.baselines.popularity import MostPopular, PopularAsOf
from trecs.evaluation.baselines.selection import Choice, choose
from trecs.evaluation.requests import Requests, Scorer

_MakeFits = Callable[[EventLog, NDArray[np.int64]], Fits]

# Baselines without settings: one fit, which needs no validation.
_COUNTS: dict[str, Callable[[EventLog, NDArray[np.int64]], Scorer]] = {
    "most_popular": MostPopular,
    "popular_1_day": lambda log, train: PopularAsOf(log, days=1),
    "popular_7_days": lambda log, train: PopularAsOf(log, days=7),
    "popular_30_days": lambda log, train: PopularAsOf(log, days=30),
    "user_most_frequent": lambda log, train: UserMostFrequent(log),
    "user_most_recent": lambda log, train: UserMostRecent(log),
}
_CHOSEN: dict[str, _MakeFits] = {
    "item_knn": item_knn_fits,
    "ease": ease_fits,
    "ease_decayed": ease_decayed_fits,
    "markov": markov_fits,
    "als": als_fits,
    "bpr": bpr_fits,
}
_MAX_SCORES = 3_000_000_000
_OF_IMPLICIT = ("als", "bpr")

COUNTING = tuple(_COUNTS)
"""Names of the baselines that only count: nothing is fitted or chosen, on any size of log."""

ALL = (*_COUNTS, *_CHOSEN)
"""All names, in the order of every table."""


class LazyScorer:
    """A baseline that is fitted, and its settings chosen, when it is first used."""

    def __init__(self, make: Callable[[], Choice]) -> None:
        """Take what fits and chooses."""
        self._make = make

    @cached_property
    def choice(self) -> Choice:
        """The scorer, and the settings that were chosen for it; no settings if it has none."""
        return self._make()

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """See `trecs.evaluation.requests.Scorer`."""
        return self.choice.scorer.score(requests)


def baseline_scorers(
    dataset: Dataset, split: Split, exclude_seen: bool, names: Sequence[str] | None = None
) -> dict[str, LazyScorer]:
    """Return baselines by name, in the order of `ALL`; nothing is fitted yet.

    Args:
        dataset: log and catalogue.
        split: its training part fits, its validation part chooses settings.
        exclude_seen: the seen filter that settings are chosen under.
        names: of `ALL`; None for all that can run here: als and bpr need `implicit`.

    Raises:
        UsageError: an unknown name, one that needs `implicit`, which is not installed, or one
            whose settings no validation events choose.
    """
    if names is None:
        names = available()
    _check(names)
    unchosen = [name for name in names if name in _CHOSEN]
    if unchosen and not split.validation.size:
        raise UsageError(
            f"the settings of {', '.join(unchosen)} are chosen on validation events, and this split"
            " has none (a refit trains on them); measure the run that it was refitted from"
        )
    return {
        name: LazyScorer(partial(_choice, name, dataset, split, exclude_seen))
        for name in ALL
        if name in names
    }


def available() -> tuple[str, ...]:
    """Names of the baselines that can run here."""
    return ALL if has_implicit() else tuple(name for name in ALL if name not in _OF_IMPLICIT)


def affordable(num_targets: int, num_items: int) -> tuple[str, ...]:
    """Names of the baselines that are measured where nobody chose.

    All that are `available`, but the `COUNTING` ones alone where targets times items are more than
    3e9 scores.

    Example:
        >>> affordable(num_targets=1_000_000, num_items=10_000) == COUNTING
        True
    """
    return COUNTING if num_targets * num_items > _MAX_SCORES else available()


def _choice(name: str, dataset: Dataset, split: Split, exclude_seen: bool) -> Choice:
    log, train = dataset.log, split.train
    if name in _COUNTS:
        return Choice({}, _COUNTS[name](log, train), float("nan"))
    return choose(dataset, split, _CHOSEN[name](log, train), exclude_seen=exclude_seen)


def _check(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise UsageError(
            f"there is no baseline {', '.join(map(repr, unknown))}; there are {', '.join(ALL)}"
        )
    if any(name in _OF_IMPLICIT for name in names):
        require_implicit()
