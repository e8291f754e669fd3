"""Load on a running server: many clients at once, what was lost, and the latencies.

    trecs serve saved_models/NAME &
    python benchmarks/serving_load.py http://127.0.0.1:8501 NAME saved_models/NAME/1 --clients 50

Works against TensorFlow Serving too (`grpc://host:8500`). The clients are threads of this one
Python process, which shares the machine with a local server: for a server's limit, use
`deploy/load.sh` from another machine. Histories are the export's own, cut at a length drawn from a
seed.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from trecs.serving import Client

Request = tuple[str, list[tuple[str, int]]]


def requests_of(version: Path, count: int, seed: int) -> tuple[list[Request], int]:
    """Users with histories of random length, and a time after all of their events."""
    extra = version / "assets.extra"
    dice = random.Random(seed)
    frame = pd.read_parquet(extra / "histories.parquet")
    users = [
        (str(user), list(zip(own["item_id"], own["timestamp"].astype(int), strict=True)))
        for user, own in list(frame.groupby("user_id"))[:200]
    ]
    found = []
    for _ in range(count):
        user, history = dice.choice(users)
        found.append((user, history[-dice.randint(1, min(len(history), 100)) :]))
    at_s = json.loads((extra / "metadata.json").read_text("utf-8"))["trend_as_of_s"]
    return found, int(at_s)


def load(
    address: str, name: str, asked: tuple[list[Request], int], clients: int, seconds: float
) -> tuple[list[float], list[str]]:
    """Latencies (s) of the answers, and errors, of clients that ask one request after another."""
    latencies: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds
    requests, at_s = asked

    def ask(number: int) -> None:
        client = Client(address, name, timeout_s=30, retries=0)
        place = number
        while time.monotonic() < end:
            user, history = requests[place % len(requests)]
            place += clients
            began = time.monotonic()
            try:
                client.recommend(user, history, at_s)
                latencies.append(time.monotonic() - began)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
        client.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, errors


def main() -> None:
    """Ask alone, then with all clients, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Load on a running server.")
    parser.add_argument("address", help="http://host:port or grpc://host:port")
    parser.add_argument("name", help="of the model")
    parser.add_argument("version", type=Path, help="folder of the version, for its histories")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0)
    told = parser.parse_args()
    asked = requests_of(told.version, 1000, seed=0)
    alone, _ = load(told.address, told.name, asked, 1, min(told.seconds, 10.0))
    busy, errors = load(told.address, told.name, asked, told.clients, told.seconds)
    median, p99 = float(np.median(alone)), float(np.percentile(busy, 99))
    figures = {
        "clients": told.clients,
        "answered": len(busy),
        "lost": len(errors),
        "first_errors": errors[:3],
        "requests_per_s": len(busy) / told.seconds,
        "unloaded_median_ms": 1e3 * median,
        "p50_ms": 1e3 * float(np.median(busy)),
        "p99_ms": 1e3 * p99,
        "p99_over_unloaded_median": p99 / median,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
