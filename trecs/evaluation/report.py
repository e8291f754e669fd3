"""The outcome for people and for programs: metrics beside baselines, and one row a target."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.evaluation.metrics import DEFAULT_KS, metrics_table, target_values
from trecs.evaluation.protocol import Evaluation
from trecs.evaluation.significance import (
    LEVEL,
    RESAMPLES,
    SEED,
    bootstrap_intervals,
    compare,
)
from trecs.evaluation.slices import slice_tables

_SHOWN = ("ndcg@5", "ndcg@10", "ndcg@50", "recall@10", "recall@50", "mrr@10", "coverage@10")
_WIDTH = 11


def metrics_of(evaluation: Evaluation, ks: Sequence[int] = DEFAULT_KS) -> dict[str, float]:
    """Return the mean metrics of an evaluation, see `metrics_table`."""
    return metrics_table(
        evaluation.ranks,
        evaluation.top_items,
        evaluation.num_candidates,
        evaluation.train_counts,
        ks,
    )


def to_json(
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    ks: Sequence[int] = DEFAULT_KS,
) -> dict[str, Any]:
    """Return the report as plain values that `json.dumps` takes.

    Args:
        evaluation: the model's.
        baselines: those of the baselines, by name, over the same targets.
        ks: cut-offs.

    Returns:
        `{"protocol": {...}, "targets": n, "users": m, "metrics": {"ndcg@10": ...},
        "baselines": {name: {"ndcg@10": ...}}, "intervals": {"level": 0.95, "model":
        {"ndcg@10": [low, high]}, name: {"ndcg@10": [low, high]}}, "comparisons": {name: {"ndcg@10":
        {"difference": ..., "interval": [low, high], "p_value": ...}}}, "slices": {...}}`.
        A comparison is the model less the baseline; slices are as in
        `trecs.evaluation.slices.slice_tables`.

    Raises:
        ValueError: a baseline was measured over other targets or by another protocol.
    """
    for name, baseline in baselines.items():
        if baseline.protocol != evaluation.protocol or not np.array_equal(
            baseline.events, evaluation.events
        ):
            raise ValueError(
                f"baseline {name!r} must be measured as the model is, but its protocol is "
                f"{baseline.protocol} over {baseline.events.size} targets, and the model's "
                f"{evaluation.protocol} over {evaluation.events.size}"
            )
    return {
        "protocol": dict(evaluation.protocol),
        "targets": int(evaluation.events.size),
        "users": int(np.unique(evaluation.requests.user).size),
        "metrics": metrics_of(evaluation, ks),
        "baselines": {name: metrics_of(baseline, ks) for name, baseline in baselines.items()},
        "intervals": _intervals(evaluation, baselines, ks),
        "comparisons": _comparisons(evaluation, baselines, ks),
        "slices": slice_tables(evaluation, baselines),
    }


def _intervals(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation], ks: Sequence[int]
) -> dict[str, Any]:
    def of(one: Evaluation) -> dict[str, list[float]]:
        ends = bootstrap_intervals(one.requests.user, target_values(one.ranks, ks))
        return {name: list(pair) for name, pair in ends.items()}

    return {
        "level": LEVEL,
        "method": f"bootstrap over users, {RESAMPLES} resamples, seed {SEED}",
        "model": of(evaluation),
        **{name: of(baseline) for name, baseline in baselines.items()},
    }


def _comparisons(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation], ks: Sequence[int]
) -> dict[str, Any]:
    user, values = evaluation.requests.user, target_values(evaluation.ranks, ks)
    return {
        name: {
            metric: {**vars(found), "interval": list(found.interval)}
            for metric, found in compare(user, values, target_values(other.ranks, ks)).items()
        }
        for name, other in baselines.items()
    }


def to_text(report: Mapping[str, Any]) -> str:
    """Lay out what `to_json` gave: a table with a row a scorer, and the protocol below it."""
    rows = {"model": report["metrics"], **report["baselines"]}
    width = max(len(name) for name in rows)
    lines = [f"{'':<{width}}  {'  '.join(f'{metric:>{_WIDTH}}' for metric in _SHOWN)}"]
    for name, values in rows.items():
        cells = (f"{values[metric]:>{_WIDTH}.4f}" for metric in _SHOWN)
        lines.append(f"{name:<{width}}  {'  '.join(cells)}")
    lines += ["", "one item to find: hit rate = recall, MAP = MRR, precision = recall / k"]
    for metric, (low, high) in report["intervals"]["model"].items():
        lines.append(f"{metric} of the model: {low:.4f} to {high:.4f}, 95 % interval")
    for name, values in report.get("ratings", {}).items():
        errors = ", ".join(f"{metric} {value:.4f}" for metric, value in values.items())
        lines.append(f"ratings by {name}: {errors}")
    if "tie_band" in report:
        band = report["tie_band"]
        lines.append(
            f"{band['metric']} of a Markov model over {band['num_shuffles']} orders inside ties:"
            f" {band['low']:.4f} to {band['high']:.4f}; by id {band['by_id_ascending']:.4f} and"
            f" {band['by_id_descending']:.4f}; in the file's order {band['as_given']:.4f}"
        )
    lines += [f"targets: {report['targets']}, of {report['users']} users"]
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in report["protocol"].items()]
    return "\n".join(lines)


def write_predictions(path: Path, dataset: Dataset, evaluation: Evaluation) -> None:
    """Write one row a target as Parquet, for others to score.

    Columns: `user_id` string, `target_item_id` string, `request_time_s` int64 (UTC epoch seconds),
    `rank` int64 from 1 or null for a miss, `item_ids` list of strings, best first. The target
    stands in `item_ids` at its rank. The file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    requests = evaluation.requests
    item_ids = pa.array(dataset.log.item_ids, pa.string())
    table = pa.table(
        {
            "user_id": pa.array(dataset.log.user_ids, pa.string()).take(pa.array(requests.user)),
            "target_item_id": item_ids.take(pa.array(requests.target_item)),
            "request_time_s": requests.request_time_s,
            "rank": pa.array(evaluation.ranks, mask=evaluation.ranks == 0),
            "item_ids": _lists(item_ids, evaluation.top_items),
        }
    )
    partial = path.with_name(path.name + ".part")
    try:
        pq.write_table(table, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _lists(item_ids: pa.Array, top_items: NDArray[np.int32]) -> pa.ListArray:
    """Item ids of each row of `top_items` [n, k], without its empty places."""
    filled = top_items >= 0
    offsets = np.zeros(len(top_items) + 1, np.int32)
    np.cumsum(filled.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), item_ids.take(pa.array(top_items[filled])))
