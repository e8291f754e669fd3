"""The local server under load, alone and while its model changes; nothing may be lost.

    python benchmarks/serving_changes.py saved_models/NAME

Serves a copy of the folder's newest version by `trecs serve` and asks it over REST, then over
gRPC: one client alone; 50 that think; 50 that do not (see `serving_load.py`); and 50 that do not
while a second version appears after a quarter of the time, and `trecs refresh` begins a third after
another quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from lean_clients import Grpc, Inputs, Rest, api_of
from serving_load import inputs_of, load, unloaded_median_s

from trecs.serving.export import versions
from trecs.serving.writing import PARTIAL

ALONE_S = 10.0
LOADS = ("thinking", "closed", "changes")
NAME = "model"
START_S = 120.0
TRECS = (sys.executable, "-m", "trecs.cli")


@contextmanager
def served(folder: Path, log: Path) -> Iterator[dict[str, str]]:
    """The addresses, by API, of a server of the folder, in a process of its own."""
    command = [*TRECS, "serve", str(folder), "--name", NAME, "--rest-port", "0", "--grpc-port", "0"]
    with log.open("w") as said, subprocess.Popen(command, stderr=said) as process:
        try:
            yield _addresses(process, log)
        finally:
            process.terminate()


def _addresses(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("serving "):
                rest, grpc = line.rpartition("http://")[2].split(", gRPC ")
                return {"rest": f"http://{rest.partition('/')[0]}", "grpc": f"grpc://{grpc}"}
        time.sleep(0.1)
    raise SystemExit(f"the server did not start: {log.read_text()[-1000:]}")


async def changed_load(
    api: Rest | Grpc, asked: tuple[list[Inputs], int], told: argparse.Namespace, folder: Path
) -> dict[str, object]:
    """Figures of a closed load during which two versions appear."""

    async def change() -> None:
        newest = folder / str(versions(folder)[-1])
        await asyncio.sleep(told.seconds / 4)
        await asyncio.to_thread(_copy, newest, folder / str(int(newest.name) + 1))
        await asyncio.sleep(told.seconds / 4)
        command = [*TRECS, "refresh", str(folder), "--events", str(_newer_events(newest))]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        if await process.wait():
            raise SystemExit("the refresh failed")

    found, _ = await asyncio.gather(load(api, asked, told.clients, told.seconds, 0.0), change())
    return found.figures()


def _copy(version: Path, target: Path) -> None:
    """As an export does: beside, then renamed."""
    partial = target.with_name(f"{PARTIAL}{target.name}")
    shutil.copytree(version, partial)
    partial.rename(target)


def _newer_events(version: Path) -> Path:
    """Each known user has, a day after the last event, an item of another user."""
    events = pd.read_parquet(version / "assets.extra" / "histories.parquet")
    last = events.groupby("user_id", sort=False).tail(1)[["user_id", "item_id", "timestamp"]]
    last = last.assign(
        item_id=last["item_id"].sample(frac=1, random_state=0).to_numpy(),
        timestamp=events["timestamp"].max() + 86_400,
    )
    path = version.parent.parent / f"after-{version.name}.parquet"
    last.to_parquet(path, index=False)
    return path


def states(address: str) -> dict[str, str]:
    """States of the versions by number."""
    with urllib.request.urlopen(f"{address}/v1/models/{NAME}") as response:
        return {s["version"]: s["state"] for s in json.load(response)["model_version_status"]}


def measure(told: argparse.Namespace, root: Path) -> dict[str, object]:
    """All loads over all APIs that are asked for."""
    folder, report = root / NAME, {}
    folder.mkdir()
    shutil.copytree(told.model / str(versions(told.model)[-1]), folder / "1")
    with served(folder, root / "log") as addresses:
        for name in told.apis:
            api, asked = api_of(addresses[name], NAME), inputs_of(folder / "1")
            alone_s = unloaded_median_s(api, asked, min(ALONE_S, told.seconds))
            figures = report[name] = {"unloaded_median_ms": round(1e3 * alone_s, 2)}
            for kind in told.loads:
                if kind == "changes":
                    found = asyncio.run(changed_load(api, asked, told, folder))
                    found["versions"] = states(addresses["rest"])
                else:
                    think_s = told.think if kind == "thinking" else 0.0
                    found = asyncio.run(
                        load(api, asked, told.clients, told.seconds, think_s)
                    ).figures()
                    found["p99_over_unloaded_median"] = round(found["p99_ms"] / 1e3 / alone_s, 1)
                figures[kind] = found
    return report


def main() -> None:
    """Measure and print the figures as JSON; the exit code is 1 if a request was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of versions")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each load")
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds between requests")
    parser.add_argument("--apis", nargs="+", default=["rest", "grpc"], choices=["rest", "grpc"])
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=LOADS)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        report = measure(told, Path(root))
    print(json.dumps({"clients": told.clients, "seconds": told.seconds, **report}, indent=2))
    lost = sum(report[api][kind]["lost"] for api in told.apis for kind in told.loads)
    if lost:
        raise SystemExit(f"{lost} requests were lost")


if __name__ == "__main__":
    main()
