"""What all peers share: reading the exchange files, choosing the epoch, writing the lists.

It runs in each peer's own environment, with NumPy and PyArrow and nothing of trecs. A library gives
a `Peer`; `main` trains it epoch by epoch, keeps the weights of the epoch with the best validation
NDCG@10, answers the requests with them and records time and memory.

Items are numbered 1 to N in the order of their first training event; 0 is padding. Items of a
history that did not train are left out of it, since no peer can read them. A request that a peer
cannot answer (no known item in its history; for TFRS, a user who did not train) gets the items in
the order of their training counts, and is counted in `num_fallback`.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

NUM_THREADS = 2
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Requests:
    """n requests with their histories of known items, one after the other.

    Attributes:
        user: int32 [n], row of the training users; -1 for a user who did not train.
        time_s: int64 [n], UTC epoch seconds.
        start: int64 [n + 1]; the history of request k is `item[start[k]:start[k + 1]]`.
        item: int32 [h], item numbers from 1, oldest first.
        item_time_s: int64 [h], UTC epoch seconds.
        target: int32 [n], item numbers, 0 for one that did not train; empty if not told.
    """

    user: NDArray[np.int32]
    time_s: NDArray[np.int64]
    start: NDArray[np.int64]
    item: NDArray[np.int32]
    item_time_s: NDArray[np.int64]
    target: NDArray[np.int32]

    def __len__(self) -> int:
        """Number of requests."""
        return self.user.size

    @property
    def length(self) -> NDArray[np.int64]:
        """Number of known items in each history, int64 [n]."""
        return np.diff(self.start)

    def only(self, known: NDArray[np.bool_]) -> Requests:
        """The same requests with the items of their histories that are known, bool [N + 1]."""
        kept = known[self.item]
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(
            self,
            start=before[self.start],
            item=self.item[kept],
            item_time_s=self.item_time_s[kept],
        )

    def newest(
        self, rows: NDArray[np.int64], max_len: int, side: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The newest items of some requests and their times, padded on a side with 0.

        Returns:
            int64 [len(rows), max_len] item numbers, and times of the same shape.
        """
        length = np.minimum(self.length[rows], max_len)[:, None]
        column = np.arange(max_len)[None, :]
        shift = max_len - length if side == "left" else 0
        offset = column - shift
        valid = (offset >= 0) & (offset < length)
        place = np.where(valid, self.start[rows + 1][:, None] - length + offset, 0)
        items = np.where(valid, self.item[place], 0)
        return items.astype(np.int64), np.where(valid, self.item_time_s[place], 0)


@dataclass(frozen=True, eq=False)
class Exchange:
    """The files of a split: training events by time, requests, whether seen items are filtered."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time_s: NDArray[np.int64]
    num_users: int
    item_ids: pa.Array
    validation: Requests
    requests: Requests
    exclude_seen: bool
    top_k: int

    @property
    def num_items(self) -> int:
        """Number of items that trained, N."""
        return len(self.item_ids)


class Peer(Protocol):
    """A model of another library."""

    patience: int
    """Epochs without a better validation NDCG@10 after which training stops."""
    settings: dict[str, Any]
    """What the model was made with, for the record."""

    def train_epoch(self) -> None:
        """Train on every training event once."""

    def answers(self, requests: Requests) -> NDArray[np.bool_]:
        """Which requests the model can answer, bool [n]."""

    def score(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of items 1 to N for the requests at `rows`, float32 [len(rows), N]."""

    def weights(self) -> Any:
        """A copy of the weights."""

    def restore(self, weights: Any) -> None:
        """Take the weights back."""


class TimeUpError(Exception):
    """The time limit is over."""


def read_exchange(folder: Path) -> Exchange:
    """Read what `exchange.py export` wrote."""
    protocol = json.loads((folder / "protocol.json").read_text())
    train = pq.read_table(folder / "train.parquet")
    user, item = (
        train[name].combine_chunks().cast(pa.string()).dictionary_encode()
        for name in ("user_id", "item_id")
    )
    validation, requests = (
        _read_requests(pq.read_table(folder / name), user.dictionary, item.dictionary)
        for name in ("validation.parquet", "requests.parquet")
    )
    return Exchange(
        user=user.indices.to_numpy(),
        item=item.indices.to_numpy() + np.int32(1),
        time_s=train["timestamp"].to_numpy(),
        num_users=len(user.dictionary),
        item_ids=item.dictionary,
        validation=validation,
        requests=requests,
        exclude_seen=protocol["exclude_seen"],
        top_k=protocol["top_k"],
    )


def _read_requests(table: pa.Table, user_ids: pa.Array, item_ids: pa.Array) -> Requests:
    def number(values: pa.Array, known: pa.Array) -> NDArray[np.int32]:
        return pc.fill_null(pc.index_in(values, known), -1).to_numpy(zero_copy_only=False)

    history = table["history_item_ids"].combine_chunks()
    item = number(history.flatten(), item_ids) + 1
    has_target = "item_id" in table.column_names
    requests = Requests(
        user=number(table["user_id"].combine_chunks(), user_ids),
        time_s=table["request_time_s"].to_numpy(),
        start=history.offsets.to_numpy(),
        item=item,
        item_time_s=table["history_times_s"].combine_chunks().flatten().to_numpy(),
        target=number(table["item_id"].combine_chunks(), item_ids) + 1
        if has_target
        else np.array([], np.int32),
    )
    return requests.only(np.arange(len(item_ids) + 1) > 0)


def score_blocks(
    peer: Peer, exchange: Exchange, requests: Requests
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Rows and scores [b, N] of all requests, block by block, seen items at -inf if filtered."""
    counts = np.bincount(exchange.item, minlength=exchange.num_items + 1)[1:].astype(np.float32)
    can = peer.answers(requests)
    for first in range(0, len(requests), _BATCH):
        rows = np.arange(first, min(first + _BATCH, len(requests)))
        scores = np.tile(counts, (rows.size, 1))
        asked = can[rows]
        if asked.any():
            scores[asked] = peer.score(requests, rows[asked])
        if exchange.exclude_seen:
            length = requests.length[rows]
            seen = requests.item[requests.start[rows[0]] : requests.start[rows[-1] + 1]] - 1
            scores[np.repeat(np.arange(rows.size), length), seen] = -np.inf
        yield rows, scores


def validation_ndcg(peer: Peer, exchange: Exchange, k: int = 10) -> float:
    """Mean NDCG@k of the validation targets; equal scores count half, as in trecs."""
    requests = exchange.validation
    gains = np.zeros(len(requests))
    for rows, scores in score_blocks(peer, exchange, requests):
        target = requests.target[rows]
        own = scores[np.arange(rows.size), np.maximum(target, 1) - 1][:, None]
        rank = 1 + (scores > own).sum(axis=1) + (scores == own).sum(axis=1) // 2
        hit = (target > 0) & np.isfinite(own[:, 0]) & (rank <= k)
        gains[rows] = np.where(hit, 1 / np.log2(1 + rank), 0)
    return float(gains.mean())


def write_lists(peer: Peer, exchange: Exchange, path: Path) -> None:
    """Write the best `top_k` items of every request; fewer where no more may be recommended."""
    lists = []
    width = min(exchange.top_k, exchange.num_items)
    for _, scores in score_blocks(peer, exchange, exchange.requests):
        best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        own = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-own, axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        finite = np.isfinite(np.take_along_axis(own, order, axis=1))
        lists += [row[keep] for row, keep in zip(best, finite, strict=True)]
    offsets = np.concatenate([[0], np.cumsum([items.size for items in lists])]).astype(np.int32)
    item_ids = exchange.item_ids.take(pa.array(np.concatenate(lists)))
    answers = pa.ListArray.from_arrays(offsets, item_ids)
    requests = np.arange(len(lists), dtype=np.int32)
    pq.write_table(pa.table({"request": requests, "item_ids": answers}), path)


@contextmanager
def time_limit(limit_s: int) -> Iterator[None]:
    """Raise TimeUpError in the block after some seconds, also amid an epoch; 0 is no limit."""

    def stop(*_: object) -> None:
        raise TimeUpError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(limit_s)
    try:
        yield
    finally:
        signal.alarm(0)


def fit(peer: Peer, exchange: Exchange, limit_s: int) -> dict[str, Any]:
    """Train until validation NDCG@10 rises no more or time is up; leave the best weights in place.

    Where not even one epoch was done, the weights stay as the limit found them.
    """
    curve: list[float] = []
    best, weights, status = 0, None, "finished"
    clock = {"train_s": 0.0, "validate_s": 0.0}
    began = time.monotonic()
    try:
        with time_limit(limit_s):
            while not curve or len(curve) - best < peer.patience:
                before = time.monotonic()
                peer.train_epoch()
                trained = time.monotonic()
                clock["train_s"] += trained - before
                curve.append(validation_ndcg(peer, exchange))
                clock["validate_s"] += time.monotonic() - trained
                if curve[-1] > max(curve[:-1], default=-1.0):
                    best, weights = len(curve), peer.weights()
                print(f"epoch {len(curve)}: validation ndcg@10 {curve[-1]:.4f}", flush=True)
    except TimeUpError:
        status = "stopped by the limit"
        clock["train_s"] = time.monotonic() - began - clock["validate_s"]
    if weights is not None:
        peer.restore(weights)
    return {
        "status": status,
        "epochs": len(curve),
        "best_epoch": best,
        "validation_ndcg@10": curve[best - 1] if best else None,
        "curve": curve,
        **clock,
    }


def main(name: str, packages: list[str], models: dict[str, Callable[[Exchange], Peer]]) -> None:
    """Read the command line, train one of a library's models, and write lists.parquet, run.json.

    Args:
        name: of the library.
        packages: whose versions the record names.
        models: what makes each model, by name.
    """
    parser = argparse.ArgumentParser(description=f"Train a model of {name} on exported files.")
    parser.add_argument("model", choices=models)
    parser.add_argument("folder", type=Path, help="what exchange.py export wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--time-limit", type=int, default=0, metavar="SECONDS", help="of training")
    options = parser.parse_args()
    exchange = read_exchange(options.folder.resolve())
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    peer = models[options.model](exchange)
    prepared = time.monotonic()
    record = fit(peer, exchange, options.time_limit)
    before = time.monotonic()
    write_lists(peer, exchange, out / "lists.parquet")
    record = {
        "peer": name,
        "model": options.model,
        **record,
        "time_limit_s": options.time_limit,
        "prepare_s": prepared - began,
        "predict_s": time.monotonic() - before,
        # Of all threads: unlike the clock's, hardly moved by other work on the machine.
        "cpu_s": time.process_time(),
        # Linux counts it in KiB.
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "num_requests": len(exchange.requests),
        "num_fallback": int((~peer.answers(exchange.requests)).sum()),
        "num_threads": NUM_THREADS,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "settings": {"patience": peer.patience, **peer.settings},
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in packages},
        },
    }
    (out / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"{name} {options.model}: {record['status']}, best epoch {record['best_epoch']}")
