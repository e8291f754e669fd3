"""Items that did not train: recall among all items, with text, without, and by simple rules.

Targets of the temporal split's test window whose item has no training event, ranked among all
items, seen ones filtered unless people repeat; and at most 10,000 of the other targets. The rules'
one choice, how much of the history they read, is made on validation, as the model's own choices
are.
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
MOST_WARM = 10_000
TEXTLESS = ("text.preset=none",)


class ByHistory:
    """Scores linear in the newest items of a history: <says[a], of[b]> for item b, a by a."""

    def __init__(
        self, dataset: Dataset, says: NDArray[np.float32], of: NDArray[np.float32], length: int
    ) -> None:
        """Take two float32 [N, F], by item, and how many of the newest events are read."""
        sequences = build_sequences(dataset.log)
        self._item = dataset.log.item[sequences.order]
        self._says, self._of, self._length = says, of, length

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """See `trecs.evaluation.protocol.Scorer`."""
        lo = np.maximum(requests.history_lo, requests.history_hi - self._length)
        count = requests.history_hi - lo
        row = np.repeat(np.arange(len(lo)), count)
        event = np.arange(count.sum()) + np.repeat(lo - (np.cumsum(count) - count), count)
        ones = np.ones(len(row), np.float32)
        shape = (len(lo), len(self._says))
        taken = sparse.csr_matrix((ones, (row, self._item[event])), shape)
        return np.asarray(taken @ self._says, np.float32) @ self._of.T


def category_shares(dataset: Dataset) -> NDArray[np.float32]:
    """float32 [N, C], each item's share in each of its categories."""
    columns = []
    for values in dataset.catalogue.categories.values():
        number = {name: n for n, name in enumerate(sorted({x for item in values for x in item}))}
        column = np.zeros((len(values), len(number)), np.float32)
        for row, item in enumerate(values):
            column[row, [number[name] for name in item]] = 1
        columns.append(column)
    found = np.concatenate(columns, axis=1)
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def text_vectors(dataset: Dataset) -> NDArray[np.float32]:
    """float32 [N, H], the raw MiniLM vectors, each of length 1; 0 where there is no text."""
    vectors = np.nan_to_num(cached_text_vectors("minilm", dataset.catalogue.texts.tolist(), 64))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors.astype(np.float32)


def rules(dataset: Dataset, run: Run) -> dict[str, list[Scorer]]:
    """The rules, each as the scorers that validation chooses from."""
    shares, texts = category_shares(dataset), text_vectors(dataset)
    events = np.bincount(dataset.log.item[run.split.train], minlength=dataset.num_items)
    trained = (events > 0).astype(np.float32)
    # Events of a category for each of its items: by its sum alone, large categories would win.
    popular = ((events @ shares) / np.maximum(trained @ shares, 1)).astype(np.float32)
    everybody = np.ones((dataset.num_items, 1), np.float32)
    return {
        "category popularity": [ByHistory(dataset, everybody, (shares @ popular)[:, None], 1)],
        "category popularity, of the user's categories": [
            ByHistory(dataset, shares * popular, shares, length) for length in LENGTHS
        ],
        "nearest raw MiniLM vectors of the history": [
            ByHistory(dataset, texts, texts, length) for length in LENGTHS
        ],
    }


def targets(run: Run, part: str, num_warm: int) -> NDArray[np.int64]:
    """Event positions of all targets of a part whose item did not train, and of some others."""
    found = run.split.targets(part)
    cold = ~np.isin(run.dataset.log.item[found], run.dataset.log.item[run.split.train])
    warm = np.random.default_rng(0).permutation(found[~cold])[:num_warm]
    return np.sort(np.concatenate([found[cold], warm]))


def measure(run: Run, scorer: Scorer, part: str, num_warm: int = MOST_WARM) -> dict[str, float]:
    """Recall@10 of cold targets, and NDCG@10 and recall@10 of `num_warm` warm ones."""
    found = evaluate(
        run.dataset,
        run.split,
        scorer,
        targets=targets(run, part, num_warm),
        exclude_seen=run.exclude_seen,
        top_k=0,
    )
    cold = found.train_counts[found.requests.target_item] == 0
    hit = (found.ranks > 0) & (found.ranks <= 10)
    values: dict[str, float] = {
        "cold_targets": int(cold.sum()),
        "cold_items": len(np.unique(found.requests.target_item[cold])),
        "cold_recall@10": float(hit[cold].mean()),
        "warm_targets": int((~cold).sum()),
    }
    if num_warm:
        values["warm_recall@10"] = float(hit[~cold].mean())
        values["warm_ndcg@10"] = float(ndcg(found.ranks, 10)[~cold].mean())
    return values


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


def trained_rows(
    dataset: Dataset, seed: int, overrides: Sequence[str], folder: Path
) -> dict[str, dict[str, float]]:
    """The models of a seed with and without text, each also without the raise of new items."""
    rows = {}
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
        found = [measure(run, scorer, "validation", 0)["cold_recall@10"] for scorer in scorers]
        rows[name] = measure(run, scorers[int(np.argmax(found))], "test", 0)
        print(name, found, json.dumps(rows[name]), flush=True)
    return rows


def main() -> None:
    """Train, measure, and write the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="movielens-100k", help="as for trecs train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", default="benchmarks/out/cold_start.json")
    parser.add_argument("--runs", help="folder of the runs, kept; default: a temporary one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.runs or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = range(1, options.seeds + 1)
        dataset, _ = api.load_data(options.data)
        rows: dict[str, object] = {
            str(seed): trained_rows(dataset, seed, options.set, folder) for seed in seeds
        }
        rows["rules"] = rule_rows(Run.open(folder / "trecs 1"))
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
