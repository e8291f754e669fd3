"""What all peers share: reading the exchange files, choosing the epoch, writing the lists.

It runs in each peer's own environment, with NumPy and PyArrow and nothing of trecs. A library gives
a `Peer`; `main` trains it epoch by epoch, keeps the weights of the epoch with the best validation
NDCG@10, answers the requests with them and records time and memory.

A request that a peer cannot answer (no known item in its history; for TFRS, a user who did not
train) gets the items in the order of their training counts, and is counted in `num_fallback`.
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
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from exchange_files import Exchange, Requests, read_exchange
from numpy.typing import NDArray

NUM_THREADS = 2
# Floats of a training step: 1 GiB. A library keeps several arrays of that size, so with its
# own batch a catalogue of 60,000 items would not fit the memory.
MAX_SCORES = 2**28
_BATCH = 256


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
    """The limit is over."""


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
def cpu_limit(limit_s: int) -> Iterator[None]:
    """Raise TimeUpError in the block after some CPU seconds, also amid an epoch; 0 is no limit.

    CPU seconds of all threads, so that other work on the machine does not take from the peer.
    """

    def stop(*_: object) -> None:
        raise TimeUpError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def fit(peer: Peer, exchange: Exchange, limit_s: int) -> dict[str, Any]:
    """Train until validation NDCG@10 rises no more or time is up; leave the best weights in place.

    Where not even one epoch was done, the weights stay as the limit found them.
    """
    curve: list[float] = []
    spent_s: list[float] = []
    best, weights, status = 0, None, "finished"
    clock = {"train_s": 0.0, "validate_s": 0.0}
    began = time.monotonic()
    try:
        with cpu_limit(limit_s):
            while not curve or len(curve) - best < peer.patience:
                before = time.monotonic()
                peer.train_epoch()
                trained = time.monotonic()
                clock["train_s"] += trained - before
                spent_s.append(clock["train_s"])
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
        "curve_train_s": spent_s[: len(curve)],
        **clock,
    }


def on_device(torch: Any) -> dict[str, Any]:
    """What PyTorch computed on, and the most that it held there at a time."""
    if not torch.cuda.is_available():
        return {"device": "CPU"}
    peak = torch.cuda.max_memory_allocated()
    return {"device": torch.cuda.get_device_name(), "device_peak_memory_bytes": peak}


def main(
    name: str,
    packages: list[str],
    models: dict[str, Callable[[Exchange], Peer]],
    device: Callable[[], dict[str, Any]],
) -> None:
    """Read the command line, train one of a library's models, and write lists.parquet, run.json.

    Args:
        name: of the library.
        packages: whose versions the record names.
        models: what makes each model, by name.
        device: says what computed, for the record, after the work.
    """
    parser = argparse.ArgumentParser(description=f"Train a model of {name} on exported files.")
    parser.add_argument("model", choices=models)
    parser.add_argument("folder", type=Path, help="what exchange.py export wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cpu-limit", type=int, default=0, metavar="SECONDS", help="of training")
    options = parser.parse_args()
    exchange = read_exchange(options.folder.resolve())
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    peer = models[options.model](exchange)
    prepared = time.monotonic()
    record = fit(peer, exchange, options.cpu_limit)
    before = time.monotonic()
    write_lists(peer, exchange, out / "lists.parquet")
    record = {
        "peer": name,
        "model": options.model,
        **record,
        "cpu_limit_s": options.cpu_limit,
        "prepare_s": prepared - began,
        "predict_s": time.monotonic() - before,
        # Of all threads: unlike the clock's, hardly moved by other work on the machine.
        "cpu_s": time.process_time(),
        # Linux counts it in KiB.
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "num_requests": len(exchange.requests),
        "num_fallback": int((~peer.answers(exchange.requests)).sum()),
        "num_threads": NUM_THREADS,
        **device(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "settings": {"patience": peer.patience, **peer.settings},
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in packages},
        },
    }
    (out / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"{name} {options.model}: {record['status']}, best epoch {record['best_epoch']}")
