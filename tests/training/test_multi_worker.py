"""Two workers on loopback train one model."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


# Another minute; what a step of several replicas gives is held to one device's in test_replicas.py.
@pytest.mark.slow
def test_two_workers_see_one_loss_and_leave_one_run(tmp_path):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = []
    for index in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE.parent),
            "TF_CONFIG": json.dumps(task),
        }
        command = [sys.executable, HERE / "worker_run.py", tmp_path / f"{index}", tmp_path / "run"]
        workers.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    outputs = [worker.communicate(timeout=240) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs[0][1][-2000:]
    losses = [json.loads(out.strip().splitlines()[-1]) for out, _ in outputs]
    assert len(losses[0]) == 2
    assert losses[0] == losses[1]
    assert losses[0][1] < losses[0][0]
    assert (tmp_path / "run" / "model.weights.h5").exists()
