"""Items that did not train: recall among all items, with text, without, and by simple rules.

Targets of the temporal split's test window whose item has no training event, ranked among all
items, seen ones filtered. The rules' one choice, how much of the history they read, is made on
validation, as the model's own choices are.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trecs import api
from trecs.config import load_config
from trecs.data.dataset import Dataset
from trecs.data.sequences import build_sequences
from trecs.evaluation.metrics import ndcg
from trecs.evaluation.protocol import Requests, Scorer, evaluate
from trecs.run import Run
from trecs.text.bert import cached_text_vectors

LENGTHS = (1, 5, 20, 100, 10_000)
TEXTLESS = ("text.preset=none",)


class ByHistory:
    """Scores linear in the newest items of a history: counts of these times a table."""

    def __init__(self, dataset: Dataset, table: NDArray[np.float32], length: int) -> None:
        """Take float32 [N, N]: what an event of item a says for item b."""
        sequences = build_sequences(dataset.log)
        self._item = dataset.log.item[sequences.order]
        self._table, self._length = table, length

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """See `trecs.evaluation.protocol.Scorer`."""
        lo = np.maximum(requests.history_lo, requests.history_hi - self._length)
        count = requests.history_hi - lo
        row = np.repeat(np.arange(len(lo)), count)
        event = np.arange(count.sum()) + np.repeat(lo - (np.cumsum(count) - count), count)
        ones = np.ones(len(row), np.float32)
        shape = (len(lo), len(self._table))
        taken = sparse.csr_matrix((ones, (row, self._item[event])), shape)
        return np.asarray(taken @ self._table, np.float32)


def category_shares(dataset: Dataset) -> NDArray[np.float32]:
    """float32 [N, C], each item's share in each of its categories."""
    columns = []
    for values in dataset.catalogue.categories.values():
        names = sorted({name for item in values for name in item})
        columns.append(np.array([[name in item for name in names] for item in values], np.float32))
    found = np.concatenate(columns, axis=1)
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def text_likeness(dataset: Dataset) -> NDArray[np.float32]:
    """float32 [N, N], the cosines of the raw MiniLM vectors."""
    vectors = np.nan_to_num(cached_text_vectors("minilm", dataset.catalogue.texts.tolist(), 64))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors @ vectors.T


def rules(dataset: Dataset, run: Run) -> dict[str, list[Scorer]]:
    """The rules, each as the scorers that validation chooses from."""
    shares = category_shares(dataset)
    events = np.bincount(dataset.log.item[run.split.train], minlength=dataset.num_items)
    trained = (events > 0).astype(np.float32)
    # Events of a category for each of its items: by its sum alone, large categories would win.
    popular = (events @ shares) / np.maximum(trained @ shares, 1)
    whole = np.broadcast_to(shares @ popular, (dataset.num_items,) * 2).astype(np.float32)
    own = (shares * popular) @ shares.T
    return {
        "category popularity": [ByHistory(dataset, whole, 1)],
        "category popularity, of the user's categories": [
            ByHistory(dataset, own, length) for length in LENGTHS
        ],
        "nearest raw MiniLM vectors of the history": [
            ByHistory(dataset, text_likeness(dataset), length) for length in LENGTHS
        ],
    }


def measure(run: Run, scorer: Scorer, part: str) -> dict[str, float]:
    """Recall@10 of cold targets, and NDCG@10 and recall@10 of warm ones."""
    found = evaluate(
        run.dataset, run.split, scorer, targets=part, exclude_seen=run.exclude_seen, top_k=0
    )
    cold = found.train_counts[found.requests.target_item] == 0
    hit = (found.ranks > 0) & (found.ranks <= 10)
    return {
        "cold_targets": int(cold.sum()),
        "cold_items": len(np.unique(found.requests.target_item[cold])),
        "cold_recall@10": float(hit[cold].mean()),
        "warm_recall@10": float(hit[~cold].mean()),
        "warm_ndcg@10": float(ndcg(found.ranks, 10)[~cold].mean()),
        "ndcg@10": float(ndcg(found.ranks, 10).mean()),
    }


def without_text(dataset: Dataset) -> Dataset:
    """The data set without texts' stand-ins: no categories."""
    return dataclasses.replace(
        dataset, catalogue=dataclasses.replace(dataset.catalogue, categories={})
    )


class NotRaised:
    """The model's scorer, without the raise that new items got after training."""

    def __init__(self, run: Run) -> None:
        """Score as `run` does, but for new items."""
        self._scorer = run.scorer(run.model())
        trained = np.bincount(
            run.dataset.log.item[run.split.train], minlength=run.dataset.num_items
        )
        choices = json.loads((run.directory / "choices.json").read_text())
        self._new, self._raise = trained == 0, choices["new_items_raised_by"]

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """See `trecs.evaluation.protocol.Scorer`."""
        scores = self._scorer.score(requests)
        scores[:, self._new] -= self._raise
        return scores


def trained_rows(seed: int, overrides: Sequence[str], folder: Path) -> dict[str, dict[str, float]]:
    """The models of a seed with and without text, each also without the raise of new items."""
    rows = {}
    dataset, _ = api.load_data("movielens-100k")
    for name, more in (("trecs", ()), ("trecs without text", TEXTLESS)):
        config = load_config(overrides=[*overrides, *more, f"training.seed={seed}"])
        data = without_text(dataset) if more else dataset
        run = api.train(data, folder / f"{name} {seed}", config, verbose=0)
        rows[name] = measure(run, run.scorer(run.model()), "test")
        rows[f"{name}, new items not raised"] = measure(run, NotRaised(run), "test")
        for row in (name, f"{name}, new items not raised"):
            print(seed, row, json.dumps(rows[row]), run.directory, flush=True)
    return rows


def rule_rows(run: Run) -> dict[str, dict[str, float]]:
    """The rules on test, each by the scorer that finds most cold targets in validation."""
    rows = {}
    for name, scorers in rules(run.dataset, run).items():
        found = [measure(run, scorer, "validation")["cold_recall@10"] for scorer in scorers]
        rows[name] = measure(run, scorers[int(np.argmax(found))], "test")
        print(name, found, json.dumps(rows[name]), flush=True)
    return rows


def main() -> None:
    """Train, measure, and write the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", default="benchmarks/out/cold_start.json")
    parser.add_argument("--runs", help="folder of the runs, kept; default: a temporary one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.runs or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = range(1, options.seeds + 1)
        rows: dict[str, object] = {
            str(seed): trained_rows(seed, options.set, folder) for seed in seeds
        }
        rows["rules"] = rule_rows(Run.open(folder / "trecs 1"))
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
