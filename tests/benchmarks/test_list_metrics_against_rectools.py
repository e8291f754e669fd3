"""Coverage, novelty and popularity equal RecTools' on full lists, where its environment is built.

RecTools needs pandas 2 and so cannot live in trecs' environment; `benchmarks/peers` builds its own.
"""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from trecs.evaluation.list_metrics import list_metrics

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "benchmarks/peers/rectools/.venv/bin/python"
NUM_USERS, NUM_ITEMS, K = 40, 30, 7
THEIRS = """
import json, sys
import pandas as pd
from rectools import Columns
from rectools.metrics import AvgRecPopularity, CatalogCoverage, MeanInvUserFreq

world = json.load(sys.stdin)
lists, k = world["lists"], world["k"]
rows = [(u, i, r) for u, items in enumerate(lists) for r, i in enumerate(items, start=1)]
reco = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Rank])
seen = pd.DataFrame(world["seen"], columns=[Columns.User, Columns.Item])
seen[Columns.Weight], seen[Columns.Datetime] = 1, pd.Timestamp("2026-01-01")
print(json.dumps({
    "coverage": CatalogCoverage(k=k, normalize=True).calc(reco, range(world["num_items"])),
    "novelty": MeanInvUserFreq(k=k).calc(reco, seen),
    "popularity": AvgRecPopularity(k=k).calc(reco, seen),
}))
"""


@pytest.mark.skipif(not PYTHON.exists(), reason="benchmarks/peers/rectools/setup.sh builds it")
@pytest.mark.parametrize("seed", range(3))
def test_full_lists_agree(seed):
    rng = np.random.default_rng(seed)
    seen = np.argwhere(rng.random((NUM_USERS, NUM_ITEMS)) < 0.3)
    counts = np.bincount(seen[:, 1], minlength=NUM_ITEMS)
    lists = np.stack([rng.permutation(NUM_ITEMS // (1 + seed))[:K] for _ in range(NUM_USERS)])
    world = {"seen": seen.tolist(), "lists": lists.tolist(), "k": K, "num_items": NUM_ITEMS}
    done = subprocess.run(
        [str(PYTHON), "-c", THEIRS],
        input=json.dumps(world),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout.strip().splitlines()[-1])
    ours = list_metrics(lists.astype(np.int32), NUM_ITEMS, counts, K)
    assert ours[f"coverage@{K}"] == pytest.approx(theirs["coverage"], abs=1e-9)
    assert ours[f"popularity@{K}"] == pytest.approx(theirs["popularity"], abs=1e-9)
    # They take shares of users, trecs takes shares of events: the same but for a constant.
    shift = math.log2(len(seen) / np.unique(seen[:, 0]).size)
    assert ours[f"novelty@{K}"] == pytest.approx(theirs["novelty"] + shift, abs=1e-9)
