"""Two replicas with half the batch each take the step of one device with the whole batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("replica_step.py")


@pytest.mark.parametrize(
    ("loss", "precision"),
    [
        ("full", "float32"),
        pytest.param("full", "bfloat16", marks=pytest.mark.slow),
        ("sampled", "bfloat16"),
    ],
)
def test_two_replicas_take_the_same_step_as_one(loss, precision):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), loss, precision], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["replicas"] == 2
    # Half of the gradient, or the sum of two means, would be off by this much.
    assert found["largest_gradient"] > 1e-2
    assert found["largest_difference"] < 1e-5
    # There is no GPU here; the graph tells whether one would take the step.
    assert "MatMul" in found["ops"]
    assert not found["refused_on_gpus"]
