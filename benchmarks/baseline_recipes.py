"""Known figures on MovieLens-100K, made again with the package's baselines and its evaluator.

The protocol of the figures: items with at least 5 events; each user's last event is the target
(events of one second in the file's order) and all others train; seen items are left out.

    python benchmarks/baseline_recipes.py
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import trecs  # noqa: F401 - before anything loads tf.keras
from trecs.data.dataset import Dataset, align
from trecs.data.ease import fit_ease
from trecs.data.loading import load_data
from trecs.data.log import events_frame, log_from_frame
from trecs.data.sequences import build_sequences
from trecs.data.splits import Split
from trecs.evaluation.baselines.ease import Ease
from trecs.evaluation.baselines.markov import Markov, transition_shares
from trecs.evaluation.baselines.popularity import MostPopular
from trecs.evaluation.metrics import ndcg, recall
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.requests import Scorer

# HR@10 and NDCG@10 to three digits, computed outside this package.
KNOWN = {
    "most_popular": (0.087, 0.044),
    "ease": (0.145, 0.075),
    "ease_decayed": (0.191, 0.103),
    "markov": (0.208, 0.116),
}


def recipe_data(min_events: int = 5) -> tuple[Dataset, Split]:
    """MovieLens-100K without rare items, and the split that trains on all but each last event."""
    dataset, _ = load_data("movielens-100k")
    events = events_frame(dataset.log)
    events = events[events.groupby("item_id")["item_id"].transform("size") >= min_events]
    log, _ = log_from_frame(events)
    sequences = build_sequences(log)
    test = np.sort(sequences.order[sequences.start[1:] - 1])
    train = np.setdiff1d(np.arange(log.num_events), test)
    none = np.array([], np.int64)
    return align(log, None), Split("leave-last-out", "order", train, none, test, None, None)


def recipe_scorers(dataset: Dataset, split: Split) -> dict[str, Scorer]:
    """The baselines of `KNOWN`, with the settings of the recipes."""
    log, train = dataset.log, split.train
    ease = fit_ease(log, train, regularization=200)
    return {
        "most_popular": MostPopular(log, train),
        "ease": Ease(log, ease),
        "ease_decayed": Ease(log, ease, decay=0.95),
        "markov": Markov(log, transition_shares(log, train, window=10), decay=0.8, last=20),
    }


def measure(
    dataset: Dataset, split: Split, scorers: Mapping[str, Scorer]
) -> dict[str, tuple[float, float]]:
    """HR@10 and NDCG@10 of each scorer."""
    found = {}
    for name, scorer in scorers.items():
        ranks = evaluate(dataset, split, scorer, exclude_seen=True, top_k=0).ranks
        found[name] = float(recall(ranks, 10).mean()), float(ndcg(ranks, 10).mean())
    return found


def main() -> None:
    """Print the table."""
    dataset, split = recipe_data()
    print(dataset.log.summary())
    print("baseline      HR@10   NDCG@10  known")
    for name, (hr, gain) in measure(dataset, split, recipe_scorers(dataset, split)).items():
        known = " ".join(f"{value:.3f}" for value in KNOWN[name])
        print(f"{name:<12}  {hr:.4f}  {gain:.4f}   {known}")


if __name__ == "__main__":
    main()
