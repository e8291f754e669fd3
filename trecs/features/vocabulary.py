"""What is fitted to the training window, and to nothing else.

Known users and items, item counts, category values, and the centre and scale of text vectors and
release times. Changing any event outside the training window changes nothing here; a test says so.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset


@dataclass(frozen=True)
class Vocabulary:
    """The fitted state of the features.

    Attributes:
      user_ids: training users in order of first event; user `i` has user row `i + 1`.
      item_ids: training items in order of first event.
      item_counts: training events of each of `item_ids`.
      category_values: per category column, the values that training items have, sorted.
      release_mean_s, release_std_s: of the training items' release times; (0, 0) where none has
        one.
      season: whether the training window spans two years or more, so that the time of the year can
        have been learnt.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    item_counts: tuple[int, ...]
    category_values: dict[str, tuple[str, ...]]
    release_mean_s: float
    release_std_s: float
    season: bool

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote."""
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("user_ids", "item_ids", "item_counts"):
            state[name] = tuple(state[name])
        state["category_values"] = {k: tuple(v) for k, v in state["category_values"].items()}
        return cls(**state)


_TWO_YEARS_S = 2 * 365 * 86_400


def fit_vocabulary(dataset: Dataset, train: NDArray[np.int64]) -> Vocabulary:
    """Fit to the training events.

    Args:
      dataset: log and catalogue.
      train: int64 [n] positions of the training events in the log, ascending.

    Raises:
      ValueError: no training event.
    """
    if not len(train):
        raise ValueError(f"fitting needs training events, got {len(train)}")
    log, catalogue = dataset.log, dataset.catalogue
    users = _by_first_appearance(log.user[train])
    items = _by_first_appearance(log.item[train])
    counts = np.bincount(log.item[train], minlength=log.num_items)[items]
    mean, std = 0.0, 0.0
    if catalogue.release_time_s is not None:
        known = catalogue.release_time_s[items]
        known = known[np.isfinite(known)]
        if known.size:
            mean, std = float(known.mean()), float(known.std())
    times = log.timestamp_s[train]
    return Vocabulary(
        user_ids=tuple(log.user_ids[users].tolist()),
        item_ids=tuple(log.item_ids[items].tolist()),
        item_counts=tuple(counts.tolist()),
        category_values={
            column: tuple(sorted({value for i in items for value in values[i]}))
            for column, values in catalogue.categories.items()
        },
        release_mean_s=mean,
        release_std_s=std,
        season=bool(times.max() - times.min() >= _TWO_YEARS_S),
    )


def _by_first_appearance(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    unique, first = np.unique(codes, return_index=True)
    return unique[np.argsort(first)].astype(np.int64)
