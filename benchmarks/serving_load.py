"""Load on a running server: many clients at once, what was lost, and the latencies.

    trecs serve saved_models/NAME &
    python benchmarks/serving_load.py http://127.0.0.1:8501 NAME saved_models/NAME/1 --clients 50

Two loads, one after the other, both reported. `closed`: each client asks again as soon as it has
its answer, which is a test of throughput: with 50 clients the mean latency is 50 times the time
that the server and this generator take for one. `thinking`: each client waits between its requests,
a second on average (exponential), as 50 people would.

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
    address: str,
    name: str,
    asked: tuple[list[Request], int],
    clients: int,
    seconds: float,
    think_s: float = 0.0,
) -> tuple[list[float], list[str]]:
    """Latencies (s) of the answers, and errors, of clients that ask one request after another.

    They wait `think_s` on average before each.
    """
    latencies: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds
    requests, at_s = asked

    def ask(number: int) -> None:
        client = Client(address, name, timeout_s=30, retries=0)
        place, dice = number, random.Random(number)
        while time.monotonic() < end:
            if think_s:
                time.sleep(dice.expovariate(1 / think_s))
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
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds between requests")
    told = parser.parse_args()
    asked = requests_of(told.version, 1000, seed=0)
    alone, _ = load(told.address, told.name, asked, 1, min(told.seconds, 10.0))
    median = float(np.median(alone))
    report: dict[str, object] = {"unloaded_median_ms": 1e3 * median}
    for kind, think_s in (("thinking", told.think), ("closed", 0.0)):
        found = load(told.address, told.name, asked, told.clients, told.seconds, think_s)
        report[kind] = _figures(*found, told.seconds, median)
    print(json.dumps({"clients": told.clients, "think_s": told.think, **report}, indent=2))


def _figures(
    latencies: list[float], errors: list[str], seconds: float, unloaded_s: float
) -> dict[str, object]:
    p99 = float(np.percentile(latencies, 99))
    return {
        "answered": len(latencies),
        "lost": len(errors),
        "first_errors": errors[:3],
        "requests_per_s": len(latencies) / seconds,
        "p50_ms": 1e3 * float(np.median(latencies)),
        "p99_ms": 1e3 * p99,
        "p99_over_unloaded_median": p99 / unloaded_s,
    }


if __name__ == "__main__":
    main()
