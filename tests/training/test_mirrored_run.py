"""A whole run on two replicas: training, validation, the choice of weights, export."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


# A minute and a half; a step is held to one device's in test_replicas.py.
@pytest.mark.slow
def test_a_run_on_two_replicas_trains_evaluates_and_exports(tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "mirrored_run.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["epochs"] == 2
    assert 0 < found["ndcg@10"] < 1
    assert (tmp_path / "saved_models" / "shop" / "1" / "saved_model.pb").exists()
    assert (tmp_path / "refit" / "model.weights.h5").exists()
