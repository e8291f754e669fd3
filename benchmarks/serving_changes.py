"""The local server under load, alone and while its model changes; nothing may be lost.

    python benchmarks/serving_changes.py saved_models/NAME

Serves a copy of the folder's newest version by `trecs serve` and asks it over REST, then over
gRPC: one client alone; 50 that think; 50 that do not (see `serving_load.py`); and 50 that do not
while a second version appears after a quarter of the time, and `trecs refresh` writes a third a
quarter later; that load goes on until the third is served.
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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Served:
    """A served folder, and the addresses by API."""

    folder: Path
    addresses: dict[str, str]


@contextmanager
def served_copy(model: Path, root: Path) -> Iterator[Served]:
    """A server of a copy of the newest version, in a process of its own."""
    folder, log = root / NAME, root / "log"
    folder.mkdir()
    _copy(model / str(versions(model)[-1]), folder / "1")
    command = [*TRECS, "serve", str(folder), "--name", NAME, "--rest-port", "0", "--grpc-port", "0"]
    with log.open("w") as said, subprocess.Popen(command, stderr=said) as process:
        try:
            yield Served(folder, _addresses(process, log))
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
    api: Rest | Grpc, asked: tuple[list[Inputs], int], told: argparse.Namespace, served: Served
) -> dict[str, object]:
    """Figures of a closed load during which two versions appear; it ends when both were served."""
    change = asyncio.create_task(_change(served, told.seconds / 4))
    found = await load(api, asked, told.clients, told.seconds, 0.0, change)
    await change
    return found.figures() | {"versions": states(served)}


async def _change(served: Served, wait_s: float) -> None:
    newest = versions(served.folder)[-1]
    version = served.folder / str(newest)
    await asyncio.sleep(wait_s)
    await asyncio.to_thread(_copy, version, served.folder / str(newest + 1))
    await _until_served(served, newest + 1)
    await asyncio.sleep(wait_s)
    events = str(_newer_events(version))
    command = [*TRECS, "refresh", str(served.folder), "--events", events, "--keep", "2"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise SystemExit("the refresh failed")
    await _until_served(served, newest + 2)


async def _until_served(served: Served, number: int) -> None:
    for _ in range(int(START_S)):
        found = await asyncio.to_thread(states, served)
        if found.get(str(number)) == "AVAILABLE":
            return
        await asyncio.sleep(1)
    raise SystemExit(f"version {number} was not served within {START_S:.0f} s: {found}")


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


def states(served: Served) -> dict[str, str]:
    """States of the versions by number."""
    url = f"{served.addresses['rest']}/v1/models/{NAME}"
    with urllib.request.urlopen(url, timeout=START_S) as response:
        return {s["version"]: s["state"] for s in json.load(response)["model_version_status"]}


def measure(served: Served, name: str, told: argparse.Namespace) -> dict[str, object]:
    """Figures of the loads over one API."""
    api = api_of(served.addresses[name], NAME)
    asked = inputs_of(served.folder / str(versions(served.folder)[-1]))
    alone_s = unloaded_median_s(api, asked, min(ALONE_S, told.seconds))
    report: dict[str, object] = {"unloaded_median_ms": round(1e3 * alone_s, 2)}
    for kind in told.loads:
        if kind == "changes":
            report[kind] = asyncio.run(changed_load(api, asked, told, served))
            continue
        think_s = told.think if kind == "thinking" else 0.0
        found = asyncio.run(load(api, asked, told.clients, told.seconds, think_s)).figures()
        ratio = round(found["p99_ms"] / 1e3 / alone_s, 1)
        report[kind] = found | {"p99_over_unloaded_median": ratio}
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
    with tempfile.TemporaryDirectory() as root, served_copy(told.model, Path(root)) as served:
        report = {name: measure(served, name, told) for name in told.apis}
    print(json.dumps({"clients": told.clients, "seconds": told.seconds, **report}, indent=2))
    lost = sum(report[api][kind]["lost"] for api in told.apis for kind in told.loads)
    if lost:
        raise SystemExit(f"{lost} requests were lost")


if __name__ == "__main__":
    main()
