"""How long the evaluator takes: a random two-tower scorer, the seen filter on, lists of 50.

    .venv/bin/python benchmarks/evaluator_speed.py                 # 100,000 targets, 20,000 items
    .venv/bin/python benchmarks/evaluator_speed.py --basket 10     # ten targets to a user's second
    .venv/bin/python benchmarks/evaluator_speed.py --check 200     # ranks and lists, by full sort

Prints seconds of wall clock and of CPU, those inside the scorer apart, and the peak memory of the
process. With other work on the machine, the CPU seconds are the ones to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trecs.data.catalogue import Catalogue
from trecs.data.dataset import Dataset
from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences
from trecs.data.splits import Split
from trecs.evaluation.protocol import Evaluation, Requests, evaluate

_DIM = 64


@dataclass
class TwoTower:
    """Random user vectors times random item vectors."""

    user: NDArray[np.float32]
    item: NDArray[np.float32]
    seconds: dict[str, float] = field(default_factory=lambda: {"wall": 0.0, "cpu": 0.0})
    queries: int = 0

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Dot products, float32 [n, num_items]."""
        wall, cpu = time.perf_counter(), time.process_time()
        scores = self.user[requests.user] @ self.item.T
        self.seconds["wall"] += time.perf_counter() - wall
        self.seconds["cpu"] += time.process_time() - cpu
        self.queries += len(requests)
        return scores


def make_dataset(targets: int, items: int, users: int, basket: int) -> tuple[Dataset, Split]:
    """A log of twice `targets` events, the later half of which are targets."""
    rng = np.random.default_rng(0)
    num_events = 2 * targets
    visits = -(-num_events // basket)
    ids = np.array([f"i{k}" for k in range(items)], object)
    log = EventLog(
        user=np.repeat(rng.integers(0, users, visits), basket)[:num_events].astype(np.int32),
        item=np.minimum(rng.exponential(items / 8, num_events), items - 1).astype(np.int32),
        timestamp_s=np.repeat(np.arange(visits), basket)[:num_events].astype(np.int64),
        rating=None,
        user_ids=np.array([f"u{k}" for k in range(users)], object),
        item_ids=ids,
    )
    empty = np.full(items, "", object)
    dataset = Dataset(log, Catalogue(ids, empty, empty, {}, None), np.ones(items, np.bool_))
    half = int(log.timestamp_s[targets])
    train, test = np.arange(targets), np.arange(targets, num_events)
    return dataset, Split("temporal", "strict", train, test[:0], test, half, half)


def check(dataset: Dataset, outcome: Evaluation, scorer: TwoTower, count: int) -> None:
    """Compare ranks and lists of a sample of targets with a full sort of each row."""
    order = build_sequences(dataset.log).order
    requests = outcome.requests
    for k in np.linspace(0, len(requests) - 1, count).astype(int):
        row = scorer.score(requests.take(np.array([k])))[0]
        row[dataset.log.item[order[requests.history_lo[k] : requests.history_hi[k]]]] = -np.inf
        best = np.argsort(-row, kind="stable")
        rank = int(np.flatnonzero(best == requests.target_item[k])[0]) + 1
        expected = 0 if np.isneginf(row[requests.target_item[k]]) else rank
        if outcome.ranks[k] != expected or (outcome.top_items[k] != best[:50]).any():
            sys.exit(f"target {k}: rank {outcome.ranks[k]}, by a full sort {expected}")


def main() -> None:
    """Run the benchmark once and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=6_000)
    parser.add_argument("--basket", type=int, default=1, help="events to a user's second")
    parser.add_argument("--top-k", type=int, default=50)
    parser.add_argument("--check", type=int, default=0, metavar="N", help="targets to sort fully")
    options = parser.parse_args()
    dataset, split = make_dataset(options.targets, options.items, options.users, options.basket)
    rng = np.random.default_rng(1)
    scorer = TwoTower(
        rng.standard_normal((options.users, _DIM), np.float32),
        rng.standard_normal((options.items, _DIM), np.float32),
    )
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = evaluate(dataset, split, scorer, exclude_seen=True, top_k=options.top_k)
    figures = {
        "targets": options.targets,
        "queries": scorer.queries,
        "items": options.items,
        "cores": len(os.sched_getaffinity(0)),
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "scorer_wall_s": round(scorer.seconds["wall"], 2),
        "scorer_cpu_s": round(scorer.seconds["cpu"], 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if options.check:
        check(dataset, outcome, scorer, options.check)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
