"""Two replicas with half the batch each take the step of one device with the whole batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("replica_step.py")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_two_replicas_take_the_same_step_as_one(loss, precision):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), loss, precision], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["replicas"] == 2
    # Half of the gradient, or the sum of two means, would be off by this much.
    assert found["largest_gradient"] > 1e-2
    # Keras' mixed precision rounds each weight's gradient to bfloat16 (8 bits) in each replica,
    # before the replicas are summed: no closer than that rounding is possible.
    limit = 1e-5 if precision == "float32" else 2**-6 * found["largest_gradient"]
    assert found["largest_difference"] < limit
