"""Load on a running server: many clients at once, what was lost, and the latencies.

    trecs serve saved_models/NAME &
    python benchmarks/serving_load.py http://127.0.0.1:8501 NAME saved_models/NAME/1 --clients 50

First one client alone. Then two loads, one after the other, both reported. `thinking`: each client
waits between its requests, a second on average (exponential), as 50 people would. `closed`: each
client asks again as soon as it has its answer, which is a test of throughput: with 50 clients the
mean latency is 50 times the time that the server and this generator take for one.

A request is lost if it is refused, is not answered in 30 s, or has fewer than `k` items. Works
against TensorFlow Serving too (`grpc://host:8500`). Histories are the export's own, cut at a length
drawn from a seed. `benchmarks/serving_changes.py` changes the version meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from lean_clients import Grpc, Inputs, Rest, api_of

LIMIT_S = 30.0
WARM_S = 2.0


@dataclass
class Found:
    """What a load found.

    Attributes:
      latencies: seconds of each good answer.
      errors: of each request that was lost.
      seconds: from the first request to the last answer.
    """

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> dict[str, object]:
        """Counts, and latencies in ms."""
        p50, p99, longest = 1e3 * np.percentile(self.latencies, [50, 99, 100])
        return {
            "answered": len(self.latencies),
            "lost": len(self.errors),
            "first_errors": self.errors[:3],
            "requests_per_s": round(len(self.latencies) / self.seconds, 1),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "longest_ms": round(float(longest), 2),
        }


def inputs_of(version: Path, count: int = 1000, seed: int = 0) -> tuple[list[Inputs], int]:
    """Users with histories of random length at a time after all of their events, and `k`."""
    extra = version / "assets.extra"
    dice = random.Random(seed)
    metadata = json.loads((extra / "metadata.json").read_text("utf-8"))
    users = list(pd.read_parquet(extra / "histories.parquet").groupby("user_id"))[:200]
    found: list[Inputs] = []
    for _ in range(count):
        user, events = dice.choice(users)
        events = events.iloc[-dice.randint(1, min(len(events), 100)) :]
        found.append(
            {
                "user_id": [str(user)],
                "history_item_ids": [events["item_id"].tolist()],
                "history_timestamps": [events["timestamp"].astype(int).tolist()],
                "request_time": [int(metadata["trend_as_of_s"])],
            }
        )
    return found, int(metadata["k"])


async def load(
    api: Rest | Grpc,
    asked: tuple[list[Inputs], int],
    clients: int,
    seconds: float,
    think_s: float,
    meanwhile: asyncio.Task[None] | None = None,
) -> Found:
    """Clients that ask one request after another, `think_s` apart on average.

    They go on for `seconds`, and for as long as something else takes that happens meanwhile.
    """
    requests, k = [api.request(inputs) for inputs in asked[0]], asked[1]
    found, began = Found(), time.perf_counter()

    async def ask(number: int) -> None:
        connection, dice = await api.connect(), random.Random(number)
        for place in range(number, 1 << 62, clients):
            pause_s = dice.expovariate(1 / think_s) if think_s else 0.0
            asked_at = time.perf_counter() + pause_s
            if asked_at - began > seconds and (meanwhile is None or meanwhile.done()):
                break
            await asyncio.sleep(pause_s)
            asked_at = time.perf_counter()
            try:
                items = await asyncio.wait_for(
                    connection.ask(requests[place % len(requests)]), LIMIT_S
                )
                if items != k:
                    raise ValueError(f"{items} items instead of {k}")
                found.latencies.append(time.perf_counter() - asked_at)
            # Whatever went wrong, the request is lost; the next one has a connection anew.
            except Exception as error:
                found.errors.append(f"{type(error).__name__}: {error}")
                await connection.close()
                connection = await api.connect()
        await connection.close()

    await asyncio.gather(*map(ask, range(clients)))
    found.seconds = time.perf_counter() - began
    return found


def unloaded_median_s(api: Rest | Grpc, asked: tuple[list[Inputs], int], seconds: float) -> float:
    """Of one client alone, after a start that does not count."""
    asyncio.run(load(api, asked, 1, WARM_S, 0.0))
    return float(np.median(asyncio.run(load(api, asked, 1, seconds, 0.0)).latencies))


def main() -> None:
    """Ask alone, then with all clients, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Load on a running server.")
    parser.add_argument("address", help="http://host:port or grpc://host:port")
    parser.add_argument("name", help="of the model")
    parser.add_argument("version", type=Path, help="folder of the version, for its histories")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds between requests")
    parser.add_argument("--loads", nargs="+", default=["thinking", "closed"])
    told = parser.parse_args()
    asked, api = inputs_of(told.version), api_of(told.address, told.name)
    median_s = unloaded_median_s(api, asked, min(told.seconds, 10.0))
    report: dict[str, object] = {"clients": told.clients, "unloaded_median_ms": 1e3 * median_s}
    for kind in told.loads:
        think_s = told.think if kind == "thinking" else 0.0
        figures = asyncio.run(load(api, asked, told.clients, told.seconds, think_s)).figures()
        ratio = {"p99_over_unloaded_median": round(figures["p99_ms"] / 1e3 / median_s, 1)}
        report[kind] = figures | ratio
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
