"""What trecs hands to another library for a split, and what it makes of the lists that come back.

`export` writes a folder: `train.parquet` (user_id, item_id, timestamp in UTC epoch seconds, sorted
by time, ties in the log's order), `validation.parquet` and `requests.parquet` (one row a request:
request, user_id, request_time_s, history_item_ids and history_times_s, oldest first; in
`validation.parquet` also item_id, the target) and `protocol.json`. Targets of the test part are in
none of them. A request is a user at a moment, so that the items of one basket share one.

`score` reads a library's `lists.parquet` (request, item_ids best first) and measures it with
`trecs.evaluation`, as a `Scorer` like any other: same targets, histories, candidates, seen filter
and tie rule. `table` prints what was scored as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trecs.config import load_config
from trecs.data.dataset import Dataset
from trecs.data.loading import load_data
from trecs.data.log import EventLog, events_frame
from trecs.data.sequences import build_sequences
from trecs.data.split_choice import make_split
from trecs.data.splits import Split
from trecs.evaluation.protocol import (
    Requests,
    evaluate,
    excludes_seen_by_default,
    make_requests,
)
from trecs.evaluation.report import metrics_of

TOP_K = 50
# No peer reads more. Where the seen filter is on, a history is whole: the filter needs all of it.
HISTORY_LEN = 200
# trecs chooses its epoch on this sample of the validation targets (`trecs.api`), so peers do too.
VALIDATION_SEED = 0
CANDIDATES = "any item of train.parquet; what is named besides must be an item id of the catalogue"
TABLE_METRICS = ("ndcg@5", "ndcg@10", "ndcg@50", "recall@10", "recall@50", "mrr@10", "coverage@10")


class ListScorer:
    """Scores items by their place in lists that another library made.

    The first item of a list of k scores k, the last 1, all others -inf: a target that is not in its
    list is a miss.
    """

    def __init__(self, log: EventLog, asked: Requests, lists: list[list[str]]) -> None:
        """Take one list of item ids for each request of `asked`, best first, each id once.

        Raises:
            ValueError: not one list a request, an id that the log does not know, or one twice.
        """
        if len(lists) != len(asked):
            raise ValueError(f"expected {len(asked)} lists, one a request, but {len(lists)} came")
        length = np.array([len(items) for items in lists])
        self._row = np.repeat(np.arange(len(lists)), length)
        self._start = np.concatenate([[0], np.cumsum(length)])
        code = {item_id: code for code, item_id in enumerate(log.item_ids)}
        try:
            self._item = np.array([code[item] for items in lists for item in items], np.int64)
        except KeyError as error:
            raise ValueError(
                f"expected item ids of the log in the lists, but {error} came"
            ) from None
        if np.unique(self._row * log.num_items + self._item).size < self._item.size:
            raise ValueError("expected each item at most once in a list, but some stand twice")
        self._score = np.float32(self._start[1:][self._row] - np.arange(self._item.size))
        self._num_items = log.num_items
        key = _keys(asked)
        self._order = np.argsort(key)
        self._sorted = key[self._order]

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """float32 [n, num_items]; see `trecs.evaluation.protocol.Scorer`."""
        key = _keys(requests)
        place = np.minimum(np.searchsorted(self._sorted, key), self._sorted.size - 1)
        if (self._sorted[place] != key).any():
            raise ValueError("expected requests that were exported, but others are evaluated")
        scores = np.full((len(requests), self._num_items), -np.inf, np.float32)
        for k, row in enumerate(self._order[place]):
            part = slice(self._start[row], self._start[row + 1])
            scores[k, self._item[part]] = self._score[part]
        return scores


def distinct(requests: Requests) -> NDArray[np.int64]:
    """Position of the first target of each different request, int64 [m], in time order."""
    return np.sort(np.unique(_keys(requests), return_index=True)[1])


def _keys(requests: Requests) -> NDArray[np.int64]:
    """A number a request: a user's history grows with each moment, so its end tells them apart."""
    return requests.history_hi * (np.int64(2) ** 31) + requests.user


def _select(requests: Requests, rows: NDArray[np.int64]) -> Requests:
    return Requests(*(getattr(requests, name)[rows] for name in Requests.__dataclass_fields__))


def load(source: str, kind: str) -> tuple[Dataset, Split, bool]:
    """The data set, the split with the defaults of trecs, and whether seen items are filtered."""
    dataset, _ = load_data(source)
    split = make_split(load_config(overrides=[f"split.kind={kind}"]), dataset.log)
    return dataset, split, excludes_seen_by_default(dataset.log, split)


def test_requests(log: EventLog, split: Split) -> Requests:
    """The different requests of the test targets."""
    asked = make_requests(log, build_sequences(log), split.targets("test"), split.ties)
    return _select(asked, distinct(asked))


def export(source: str, kind: str, folder: Path) -> None:
    """Write the files of a split, see the module."""
    dataset, split, exclude_seen = load(source, kind)
    log = dataset.log
    folder.mkdir(parents=True, exist_ok=True)
    columns = ["user_id", "item_id", "timestamp"]
    events_frame(log.select(split.train))[columns].to_parquet(folder / "train.parquet", index=False)
    targets = split.targets("validation")
    limit = load_config().training.validation_targets
    if 0 < limit < targets.size:
        rng = np.random.default_rng(VALIDATION_SEED)
        targets = targets[np.sort(rng.choice(targets.size, limit, replace=False))]
    length = None if exclude_seen else HISTORY_LEN
    validation = make_requests(log, build_sequences(log), targets, split.ties)
    table = _requests_table(log, validation, length)
    item_ids = pa.array(log.item_ids, pa.string())
    table = table.append_column("item_id", item_ids.take(pa.array(validation.target_item)))
    pq.write_table(table, folder / "validation.parquet")
    requests = test_requests(log, split)
    pq.write_table(_requests_table(log, requests, length), folder / "requests.parquet")
    protocol = {
        "data": source,
        "split": kind,
        "ties": split.ties,
        "exclude_seen": exclude_seen,
        "candidates": CANDIDATES,
        "top_k": TOP_K,
        "num_requests": len(requests),
        "num_targets": int(split.targets("test").size),
    }
    (folder / "protocol.json").write_text(json.dumps(protocol, indent=2) + "\n")
    print(json.dumps(protocol))


def _requests_table(log: EventLog, requests: Requests, length: int | None) -> pa.Table:
    """Requests as a table, with the newest `length` events of each history, or all."""
    hi, lo = requests.history_hi, requests.history_lo
    if length is not None:
        lo = np.maximum(lo, hi - length)
    offsets = np.concatenate([[0], np.cumsum(hi - lo)]).astype(np.int32)
    place = np.arange(offsets[-1]) + np.repeat(lo - offsets[:-1], hi - lo)
    event = build_sequences(log).order[place]
    item_ids = pa.array(log.item_ids, pa.string())
    return pa.table(
        {
            "request": np.arange(len(requests), dtype=np.int32),
            "user_id": pa.array(log.user_ids, pa.string()).take(pa.array(requests.user)),
            "request_time_s": requests.request_time_s,
            "history_item_ids": pa.ListArray.from_arrays(
                offsets, item_ids.take(pa.array(log.item[event]))
            ),
            "history_times_s": pa.ListArray.from_arrays(offsets, pa.array(log.timestamp_s[event])),
        }
    )


def score(folder: Path, answers: Path, results: Path) -> dict[str, Any]:
    """Measure the lists in `answers` and write them, with the run's figures, to `results`."""
    protocol = json.loads((folder / "protocol.json").read_text())
    place = results / Path(protocol["data"]).stem / protocol["split"] / f"{answers.name}.json"
    result = {"data": protocol["data"], "split": protocol["split"]}
    if (answers / "run.json").exists():
        result |= json.loads((answers / "run.json").read_text())
        result |= _measure(protocol, answers)
        print(answers.name, {name: round(result["metrics"][name], 4) for name in TABLE_METRICS})
    else:
        peer, _, model = answers.name.partition("-")
        result |= {"peer": peer, "model": model, "status": "failed"}
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".part")
    partial.write_text(json.dumps(result, indent=2) + "\n")
    os.replace(partial, place)
    return result


def _measure(protocol: dict[str, Any], answers: Path) -> dict[str, Any]:
    """Targets, protocol and metrics of the lists in a folder."""
    dataset, split, exclude_seen = load(protocol["data"], protocol["split"])
    table = pq.read_table(answers / "lists.parquet").sort_by("request")
    asked = test_requests(dataset.log, split)
    if not np.array_equal(table["request"].to_numpy(), np.arange(len(asked))):
        raise ValueError(f"expected requests 0 to {len(asked) - 1} in {answers}, each once")
    scorer = ListScorer(dataset.log, asked, table["item_ids"].to_pylist())
    found = evaluate(dataset, split, scorer, exclude_seen=exclude_seen, top_k=TOP_K)
    return {
        "targets": int(found.events.size),
        "protocol": found.protocol,
        "metrics": metrics_of(found),
    }


def table(results: Path) -> str:
    """Markdown of every result under a folder, best NDCG@10 first within a data set and split."""
    found = [json.loads(path.read_text()) for path in sorted(results.rglob("*.json"))]
    head = ["data, split", "peer", *TABLE_METRICS, "epochs (best)", "train", "predict", "memory"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]

    def key(result: dict[str, Any]) -> tuple[str, str, float]:
        metrics = result.get("metrics", {})
        return result["data"], result["split"], -metrics.get("ndcg@10", -1.0)

    for result in sorted(found, key=key):
        note = "" if result["status"] == "finished" else f", {result['status']}"
        note += "" if result.get("device", "CPU") == "CPU" else f", {result['device']}"
        cells = [
            f"{result['data']}, {result['split']}",
            f"{result['peer']} {result['model']}{note}",
        ]
        if "metrics" in result:
            cells += [f"{result['metrics'][name]:.4f}" for name in TABLE_METRICS]
            cells += [
                f"{result['epochs']} ({result['best_epoch']})",
                f"{result['train_s']:.0f} s",
                f"{result['predict_s']:.1f} s",
                f"{result['peak_memory_bytes'] / 2**30:.1f} GiB",
            ]
        cells += [""] * (len(head) - len(cells))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run one of the three commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export", help="write the files of a split")
    command.add_argument("data", help="a name that `trecs fetch` knows, or the path of a log")
    command.add_argument("split", choices=("temporal", "leave-last-out"))
    command.add_argument("folder", type=Path)
    command = commands.add_parser("score", help="measure lists.parquet of a folder")
    command.add_argument("folder", type=Path, help="what export wrote")
    command.add_argument("answers", type=Path, help="with lists.parquet and run.json")
    command.add_argument("results", type=Path)
    command = commands.add_parser("table", help="print all results as Markdown")
    command.add_argument("results", type=Path)
    options = parser.parse_args()
    if options.command == "export":
        export(options.data, options.split, options.folder)
    elif options.command == "score":
        score(options.folder, options.answers, options.results)
    else:
        print(table(options.results))


if __name__ == "__main__":
    main()
