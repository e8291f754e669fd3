"""The batch-scoring example gives every user the list that a request of their own gives."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from serving_shop import Shop

EXAMPLE = Path(__file__).parents[2] / "examples" / "batch_scoring.py"


def test_lists_of_a_batch_job_are_those_of_single_requests(shop: Shop, tmp_path: Path):
    users = [f"u{n}" for n in range(1, 8)]
    rows = [(user, item, at) for user in users for item, at in shop.history(user)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame.sample(frac=1.0, random_state=0).to_parquet(tmp_path / "events.parquet")
    paths = [str(shop.version), str(tmp_path / "events.parquet"), str(tmp_path / "lists.parquet")]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *paths, "--at", str(shop.as_of_s), "--rows", "3", "-k", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lists = pd.read_parquet(tmp_path / "lists.parquet").set_index("user_id")

    assert sorted(lists.index) == users
    for user in users:
        ids, scores = shop.recommend([user], [shop.history(user)], [shop.as_of_s])
        assert lists.loc[user, "item_ids"].tolist() == ids[0][:5]
        np.testing.assert_allclose(lists.loc[user, "scores"], scores[0][:5], rtol=1e-5, atol=1e-5)


def test_lists_end_with_the_items_and_a_failed_job_leaves_none(shop: Shop, tmp_path: Path):
    rows = [("u1", item, at) for item, at in shop.history("u1")]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame.to_parquet(tmp_path / "events.parquet")
    spec = importlib.util.spec_from_file_location("batch_scoring", EXAMPLE)
    batch_scoring = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(batch_scoring)
    paths = shop.version, tmp_path / "events.parquet", tmp_path / "lists.parquet"
    batch_scoring.score(*paths, shop.as_of_s, 3, 20)
    found = pd.read_parquet(tmp_path / "lists.parquet")
    seen = {item for item, _ in shop.history("u1")}
    assert len(found["item_ids"][0]) == len(found["scores"][0]) == 31 - len(seen)
    (tmp_path / "lists.parquet").unlink()
    frame.assign(timestamp="noon").to_parquet(tmp_path / "events.parquet")
    with pytest.raises(Exception, match="noon|int64|string"):
        batch_scoring.score(*paths, shop.as_of_s, 3, 20)
    assert not (tmp_path / "lists.parquet").exists()
