"""Two replicas take the pretraining step of one device with the whole batch."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("pretraining_replica_step.py")


def test_two_replicas_take_the_same_pretraining_step_as_one():
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["replicas"] == 2
    # Half of the gradient, or means of unequal halves, would be off by about as much.
    assert found["largest_gradient"] > 1e-2
    assert found["largest_difference"] < 1e-6
    # There is no GPU here; the graph tells whether one would take the step.
    assert "MatMul" in found["ops"]
    assert not found["refused_on_gpus"]
