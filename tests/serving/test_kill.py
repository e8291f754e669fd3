"""kill -9 at random moments of real exports and refreshes, one after the other on one folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from serving_process import copy_version
from serving_shop import Shop

import trecs
from trecs.serving.export import versions
from trecs.serving.writing import PARTIAL

pytestmark = pytest.mark.slow
KILLS = 5

_EXPORTS = """
import sys
import trecs
from trecs.run import Run

run = Run.open(sys.argv[2])
while True:
    trecs.export(run, sys.argv[1], k=20)
"""

_REFRESHES = """
import sys, time
from pathlib import Path
import trecs

model, events, at_s = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
while True:
    at_s += 60
    events.write_text(f"user_id,item_id,timestamp\\nu1,i2,{at_s}\\nu2,brand,{at_s}\\n")
    trecs.refresh(model, events)
"""


def _run_and_kill(model: Path, script: str, *arguments: str, after_s: float) -> bool:
    """Run a script, kill it some time into a version; whether it left one that is not whole."""
    command = [sys.executable, "-c", script, str(model), *arguments]
    with subprocess.Popen(command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}) as process:
        known = set(model.glob(f"{PARTIAL}*"))
        deadline = time.monotonic() + 120
        while set(model.glob(f"{PARTIAL}*")) <= known and time.monotonic() < deadline:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.01)
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    return bool(list(model.glob(f"{PARTIAL}*")))


def _files(version: Path) -> set[str]:
    return {str(path.relative_to(version)) for path in version.rglob("*")}


def _check_every_version(model: Path, shop: Shop) -> None:
    """Each has all files, and the newest answers."""
    found = versions(model)
    whole = _files(model / "1")
    assert [number for number in found if _files(model / str(number)) != whole] == []
    newest = Shop(
        shop.run,
        model / str(found[-1]),
        tf.saved_model.load(str(model / str(found[-1]))),
        trecs.Recommender(model),
    )
    ids, _ = newest.recommend(["u1"], [newest.history("u1")], [newest.as_of_s])
    assert len(set(ids[0])) > 10


def _last_s(shop: Shop) -> int:
    return int(shop.run.dataset.log.timestamp_s[-1])


@pytest.mark.parametrize("what", ["export", "refresh"])
def test_the_folder_never_holds_a_broken_version(shop: Shop, tmp_path: Path, what: str):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    events = tmp_path / "events.csv"
    moments = random.Random(11)
    unfinished = 0
    for n in range(KILLS):
        after_s = moments.uniform(0, 1.5)
        if what == "export":
            unfinished += _run_and_kill(model, _EXPORTS, str(shop.run.directory), after_s=after_s)
        else:
            begin_s = str(_last_s(shop) + n * 3600)
            unfinished += _run_and_kill(model, _REFRESHES, str(events), begin_s, after_s=after_s)
        _check_every_version(model, shop)
    assert unfinished > 0

    events.write_text(f"user_id,item_id,timestamp\nu3,i2,{_last_s(shop) + 100_000}\n")
    newest = trecs.refresh(model, events)
    assert newest == model / str(versions(model)[-1])
    assert not list(model.glob(f"{PARTIAL}*"))
    _check_every_version(model, shop)
