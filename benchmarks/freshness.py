"""Quality by day since training, with what a refresh renews frozen or renewed every day.

The weights are the same throughout. Frozen: the trend and the neighbour tables are those of the end
of training. Renewed: at each midnight (UTC), as `trecs refresh` would, from all events before it.
Histories are those of the requests in both, since clients send them.

    python benchmarks/freshness.py RUN --json benchmarks/out/freshness.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.evaluation.metrics import ndcg
from trecs.evaluation.model_scorer import ModelScorer
from trecs.evaluation.protocol import Evaluation, evaluate
from trecs.evaluation.requests import Requests
from trecs.evaluation.significance import Comparison, compare
from trecs.evaluation.slices import slice_tables
from trecs.features.neighbours import NeighbourTable, ease_table, transition_table
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.trend import Trend
from trecs.models.neighbours import Neighbours
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run

DAY_S = 86_400
WIDTHS = (64, 128)
"""Places of the two tables: all that `transition_table` and `ease_table` may fill."""


class FrozenTrend:
    """A trend as of one time, whatever the request's."""

    def __init__(self, trend: Trend, as_of_s: int) -> None:
        self._trend, self._as_of_s = trend, as_of_s

    def row(self, times_s: tf.Tensor) -> tf.Tensor:
        """The same row for every time."""
        return self._trend.row(tf.fill(tf.shape(times_s), tf.constant(self._as_of_s, tf.int64)))

    def features(self, *arguments: tf.Tensor) -> tf.Tensor:
        """As of `Trend`."""
        return self._trend.features(*arguments)


class DailyScorer:
    """The model with neighbour tables of all events before the day of each request."""

    def __init__(self, run: Run, model: RetrievalModel) -> None:
        self._run = run
        self._neighbours = Neighbours(*tables(run, run.split.train))
        self._scorer = scorer(run, model, run.trend(), self._neighbours)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """float32 [n, N]; a refit for each day among the requests."""
        day = requests.request_time_s // DAY_S
        scores = np.empty((len(day), self._run.dataset.num_items), np.float32)
        for one in np.unique(day).tolist():
            self._refresh(one * DAY_S)
            chosen = np.flatnonzero(day == one)
            scores[chosen] = self._scorer.score(requests.take(chosen))
        return scores

    def _refresh(self, before_s: int) -> None:
        log = self._run.dataset.log
        known = np.flatnonzero(log.timestamp_s < before_s)
        own = self._neighbours.tables
        for name, table in zip(("transitions", "ease"), tables(self._run, known), strict=True):
            own[name][0].assign(table.neighbour)
            own[name][1].assign(table.weight)


def tables(run: Run, positions: NDArray[np.int64]) -> tuple[NeighbourTable, NeighbourTable]:
    """The neighbour tables of some events, of one width whatever the events."""
    candidate = run.items.row_of_code.astype(np.int64) - FIRST_ITEM_ROW
    fitted = (run.dataset.log, positions, candidate)
    found = transition_table(*fitted), ease_table(*fitted)
    follow, ease = (
        NeighbourTable(_padded(table.neighbour, width), _padded(table.weight, width))
        for table, width in zip(found, WIDTHS, strict=True)
    )
    return follow, ease


def _padded(array: NDArray[np.generic], width: int) -> NDArray[np.generic]:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])))


def scorer(
    run: Run, model: RetrievalModel, trend: Trend | FrozenTrend, neighbours: Neighbours
) -> ModelScorer:
    """The model of a run with another trend and other tables."""
    rows, length = run.items.row_of_code, run.config.model.history_len
    return ModelScorer(model, run.events(), trend, neighbours, rows, length)


def measure(run: Run) -> dict[str, Evaluation]:
    """The test targets' ranks, by what is renewed."""
    model, train = run.model(), run.split.train
    fixed = Neighbours(*tables(run, train))
    end_s = int(run.dataset.log.timestamp_s[train[-1]]) + DAY_S
    scorers = {
        "nothing": scorer(run, model, FrozenTrend(run.trend(train), end_s), fixed),
        "trend": scorer(run, model, run.trend(), fixed),
        "trend and counts": DailyScorer(run, model),
    }
    return {
        name: evaluate(run.dataset, run.split, one, exclude_seen=run.exclude_seen, top_k=0)
        for name, one in scorers.items()
    }


def gain(found: dict[str, Evaluation]) -> Comparison:
    """NDCG@10 with everything renewed less that with nothing, over users."""
    values = [{"ndcg@10": ndcg(found[name].ranks, 10)} for name in ("trend and counts", "nothing")]
    return compare(found["nothing"].requests.user, *values)["ndcg@10"]


def table(rows: list[dict[str, object]], names: list[str]) -> str:
    """Markdown: a row a bin of days."""
    lines = [f"| days since training | targets | {' | '.join(names)} |"]
    lines.append("|---|---|" + "---|" * len(names))
    for row in rows:
        cells = " | ".join(f"{row[name]:.4f}" for name in names)
        lines.append(f"| {row['slice']} | {row['targets']} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Measure a finished run of a temporal split and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder of a finished run")
    parser.add_argument("--json", default="benchmarks/out/freshness.json")
    options = parser.parse_args()
    found = measure(Run.open(options.run))
    first, *names = found
    rows = slice_tables(found[first], {name: found[name] for name in names})["days_since_training"]
    rows = [{(first if key == "model" else key): row[key] for key in row} for row in rows]
    of_all = {name: float(ndcg(one.ranks, 10).mean()) for name, one in found.items()}
    rows.append({"slice": "all", "targets": len(found[first].ranks), **of_all})
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    print(table(rows, list(found)))
    print(gain(found))


if __name__ == "__main__":
    main()
