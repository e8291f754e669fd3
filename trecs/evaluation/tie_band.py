"""How far a metric moves with the order of events that share their user and second.

Where the clock cannot tell a user's events apart, their order in the file is an accident, and what
"last" means with it. A result that depends on it is worth no more than the band's width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.ids import id_places
from trecs.data.log import EventLog
from trecs.data.splits import Split
from trecs.evaluation.baselines.markov import Markov, transition_shares
from trecs.evaluation.metrics import RANK_METRICS
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.requests import Scorer

_WINDOW = 10
_DECAY = 0.8


@dataclass(frozen=True)
class TieBand:
    """A metric under several orders of the events inside ties.

    Attributes:
        metric: its name, such as "ndcg@10".
        as_given: in the log's own order.
        by_id_ascending: items of a tie in ascending order of their ids.
        by_id_descending: in descending order.
        shuffled: one value a random order.
    """

    metric: str
    as_given: float
    by_id_ascending: float
    by_id_descending: float
    shuffled: tuple[float, ...]

    @property
    def low(self) -> float:
        """The least value over the random orders."""
        return min(self.shuffled)

    @property
    def high(self) -> float:
        """The largest value over the random orders."""
        return max(self.shuffled)

    @property
    def mean(self) -> float:
        """The mean over the random orders."""
        return float(np.mean(self.shuffled))

    def to_json(self) -> dict[str, float | str | int]:
        """The band as plain values."""
        return {
            "metric": self.metric,
            "as_given": self.as_given,
            "by_id_ascending": self.by_id_ascending,
            "by_id_descending": self.by_id_descending,
            "low": self.low,
            "high": self.high,
            "mean": self.mean,
            "num_shuffles": len(self.shuffled),
        }


def tie_band(
    dataset: Dataset,
    split: Split,
    make_scorer: Callable[[Dataset, Split], Scorer],
    *,
    exclude_seen: bool,
    metric: str = "ndcg@10",
    num_shuffles: int = 10,
    seed: int = 0,
) -> TieBand:
    """Measure a scorer, fitted anew each time, under several orders inside ties.

    A new order puts other items at the same positions of the log, so the split holds for all.

    Args:
        dataset: log and catalogue.
        split: of this log; under "strict" ties order matters less, yet decides the last event.
        make_scorer: fits a scorer to the training part of a split of a data set.
        exclude_seen: see `trecs.evaluation.protocol.evaluate`.
        metric: one of `trecs.evaluation.metrics.RANK_METRICS` with its cut-off.
        num_shuffles: random orders, at least 1.
        seed: of the random orders.

    Raises:
        ValueError: no random order is asked for.
    """
    if num_shuffles < 1:
        raise ValueError(f"a tie band needs one random order at least, but {num_shuffles} came")
    name, k = metric.split("@")

    def measure(log: EventLog) -> float:
        reordered = replace(dataset, log=log)
        scorer = make_scorer(reordered, split)
        found = evaluate(reordered, split, scorer, exclude_seen=exclude_seen, top_k=0)
        return float(RANK_METRICS[name](found.ranks, int(k)).mean())

    log = dataset.log
    by_id = id_places(log.item_ids)[log.item]
    rng = np.random.default_rng(seed)
    return TieBand(
        metric,
        as_given=measure(log),
        by_id_ascending=measure(reorder_ties(log, by_id)),
        by_id_descending=measure(reorder_ties(log, -by_id)),
        shuffled=tuple(
            measure(reorder_ties(log, rng.permutation(log.num_events))) for _ in range(num_shuffles)
        ),
    )


def markov_tie_band(
    dataset: Dataset, split: Split, *, exclude_seen: bool, num_shuffles: int = 10
) -> TieBand:
    """The band of a Markov model, which reads order as sequence models do and is fitted in seconds.

    Its window is 10 and its decay 0.8, so that no order is favoured by a choice of settings.
    """

    def make(reordered: Dataset, split: Split) -> Scorer:
        log = reordered.log
        return Markov(log, transition_shares(log, split.train, _WINDOW), _DECAY)

    return tie_band(dataset, split, make, exclude_seen=exclude_seen, num_shuffles=num_shuffles)


def reorder_ties(log: EventLog, key: NDArray[np.int64]) -> EventLog:
    """Sort the events of each user and second by a key, int64 [num_events], ascending, stably.

    Users and times stay where they are; items and ratings move.
    """
    before = np.lexsort((log.timestamp_s, log.user))
    after = np.lexsort((key, log.timestamp_s, log.user))
    item = np.empty_like(log.item)
    item[before] = log.item[after]
    rating = None
    if log.rating is not None:
        rating = np.empty_like(log.rating)
        rating[before] = log.rating[after]
    return replace(log, item=item, rating=rating)
