"""A run that is killed and started again ends with the weights of one that was not."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from trecs import api
from trecs.config import load_config
from trecs.run import Run

OVERRIDES = [
    "text.preset=none",
    "model.embedding_dim=8",
    "model.num_layers=1",
    "model.history_len=8",
    "training.batch_events=32",
    "training.epochs=6",
    "training.patience=6",
    "rating.epochs=3",
    "training.checkpoint_steps=7",
]


@pytest.fixture
def log_path(tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "events.csv"
    pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, 900),
            "item_id": rng.integers(0, 25, 900),
            "timestamp": np.sort(rng.integers(1_600_000_000, 1_604_000_000, 900)),
            "rating": rng.integers(1, 6, 900),
        }
    ).to_csv(path, index=False)
    return path


def train_command(log_path, out):
    sets = [word for override in OVERRIDES for word in ("--set", override)]
    return [sys.executable, "-m", "trecs.cli", "train", str(log_path), "--out", str(out), *sets]


def train_until_killed(log_path, out):
    command = train_command(log_path, out)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    curve = out / "history.csv"
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if curve.exists() and len(curve.read_text().splitlines()) >= 3:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_run_ends_with_the_weights_of_an_uninterrupted_one(log_path, tmp_path):
    dataset, _ = api.load_data(log_path)
    config = load_config(overrides=OVERRIDES)
    killed = tmp_path / "killed"
    train_until_killed(log_path, killed)
    assert not (killed / "model.weights.h5").exists()
    assert 2 <= len(Run.open(killed).learning_curve) < 6
    resumed = api.train(dataset, killed, config, verbose=0)
    whole = api.train(dataset, tmp_path / "whole", config, verbose=0)
    assert len(resumed.learning_curve) == len(whole.learning_curve) == 6
    for ours, theirs in zip(resumed.model().weights, whole.model().weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    scores = [[row["val_ndcg@10"] for row in run.learning_curve] for run in (resumed, whole)]
    assert scores[0] == scores[1]
    # One that was killed in the phase of ratings has a model and no head yet.
    (killed / "rating_head.npz").unlink()
    api.train(dataset, killed, config, verbose=0)
    heads = [np.load(folder / "rating_head.npz") for folder in (killed, tmp_path / "whole")]
    assert heads[0].files == heads[1].files
    for name in heads[0].files:
        np.testing.assert_array_equal(heads[0][name], heads[1][name], err_msg=name)
