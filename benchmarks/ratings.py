"""Rating prediction on MovieLens-100K: five random folds, and the global temporal split.

    make ratings

The random folds are as in the literature, and leak time: a prediction reads all training ratings of
the user and the item but its own, later ones too, as matrix factorisation does. On the temporal
split it reads ratings of earlier seconds alone. Results are written after each measurement.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

import trecs
from trecs.config import load_config
from trecs.data.cross_validation import rating_folds
from trecs.data.dataset import Dataset
from trecs.data.splits import temporal
from trecs.evaluation.rating_baselines import (
    predict_biases,
    predict_biases_as_of,
    predict_global_mean,
)
from trecs.evaluation.rating_metrics import rating_metrics
from trecs.features.items import build_item_table
from trecs.features.vocabulary import fit_vocabulary
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking_data import fit_scale
from trecs.text.bert import cached_text_vectors
from trecs.training.rating import RatingPlan, fit_rating_head, predict_rows
from trecs.training.rating_batches import Reads, rating_rows
from trecs.training.rating_setup import make_rating_head, user_rows

Positions = NDArray[np.int64]
_BASELINES: dict[str, Callable[..., NDArray[np.float64]]] = {
    "global mean": predict_global_mean,
    "bias": predict_biases,
}


def predict(
    dataset: Dataset,
    text: NDArray[np.float32],
    parts: tuple[Positions, Positions, Positions],
    reads: Reads,
    epochs: int,
    seed: int,
) -> NDArray[np.float32]:
    """Predictions of a head trained on `parts` (train, readable, test), in the order of test."""
    log, (train, readable, test) = dataset.log, parts
    vocabulary = fit_vocabulary(dataset, train)
    items = build_item_table(dataset, vocabulary, text)
    scale, users = fit_scale(log.rating[train]), user_rows(log, vocabulary)
    keras.utils.set_random_seed(seed)
    head = make_rating_head("mse", scale, log, train, vocabulary, items)
    tensors = ItemTensors(items)
    rows = rating_rows(log, items.row_of_code, users, scale, train, train, reads)
    fit_rating_head(head, tensors, RatingPlan(rows, epochs, seed))
    tested = rating_rows(log, items.row_of_code, users, scale, readable, test, reads)
    predicted = np.zeros(log.num_events, np.float32)
    predicted[tested.targets["event"]] = predict_rows(head, tensors, tested)
    return predicted[test]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12, help="of each random fold")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/ratings.json"))
    options = parser.parse_args()
    config = load_config()
    dataset, _ = trecs.load_data("movielens-100k", None, config)
    log = dataset.log
    text = cached_text_vectors("minilm", dataset.catalogue.texts.tolist(), config.text.max_tokens)
    found: dict[str, list[dict[str, float]]] = {}

    def note(name: str, predicted: NDArray[np.floating], test: Positions) -> None:
        found.setdefault(name, []).append(rating_metrics(predicted, log.rating[test]))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=2))
        print(name, found[name][-1], flush=True)

    split, everything = temporal(log), np.arange(log.num_events)
    for seed in (1, 2, 3):
        parts = split.train, everything, split.test
        note("temporal: trecs", predict(dataset, text, parts, "earlier", 6, seed), split.test)
    for name, baseline in {**_BASELINES, "bias as of": predict_biases_as_of}.items():
        note(f"temporal: {name}", baseline(log, split.train, split.test), split.test)
    for train, test in rating_folds(log):
        parts = train, train, test
        predicted = predict(dataset, text, parts, "all-but-target", options.epochs, 1)
        note("folds: trecs", predicted, test)
        for name, baseline in _BASELINES.items():
            note(f"folds: {name}", baseline(log, train, test), test)
    print(table(found))


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table of means and standard deviations."""
    lines = ["| protocol | model | MSE | RMSE | MAE |", "|---|---|---|---|---|"]
    for name, runs in found.items():
        cells = [
            f"{np.mean([run[m] for run in runs]):.4f} ± {np.std([run[m] for run in runs]):.4f}"
            for m in ("mse", "rmse", "mae")
        ]
        lines.append(f"| {' | '.join([*name.split(': '), *cells])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
