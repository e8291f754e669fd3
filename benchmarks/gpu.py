"""Training on a GPU: events per second, device memory and quality, in float32 and in bfloat16.

Each precision trains the default model in this process; the first epoch, which traces the graph, is
left out of the speed. Beside them stand the records of peers that benchmarks/peers/run made on the
same card. Run it on a machine with a GPU: `python benchmarks/gpu.py complete-journey`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trecs import api
from trecs.config import load_config
from trecs.training.trainer import best_epoch

DEVICE = "GPU:0"


def train_once(data: str, precision: str, epochs: int) -> dict[str, Any]:
    """Train the default model on the temporal split, and say what it took."""
    config = load_config(overrides=[f"training.precision={precision}", f"training.epochs={epochs}"])
    dataset, _ = api.load_data(data)
    tf.config.experimental.reset_memory_stats(DEVICE)
    with tempfile.TemporaryDirectory() as folder:
        run = api.train(dataset, Path(folder) / "run", config, verbose=0)
        curve = run.learning_curve
    seconds = [row["train_seconds"] for row in curve]
    return {
        "data": data,
        "precision": precision,
        "events": len(run.split.train),
        "epoch_seconds": seconds,
        "events_per_s": len(run.split.train) / float(np.median(seconds[1:])),
        "peak_memory_bytes": tf.config.experimental.get_memory_info(DEVICE)["peak"],
        "validation_ndcg@10": best_epoch(curve)["val_ndcg@10"],
        "losses": [row["loss"] for row in curve],
    }


def main() -> None:
    """Train each precision on each data set, and print a line of JSON a training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="as `trecs train` takes it")
    parser.add_argument("--epochs", type=int, default=3, help="at most; 2 at least")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        parser.error("expected a GPU that TensorFlow sees, found none")
    print(json.dumps(tf.config.experimental.get_device_details(gpus[0])), flush=True)
    for data in options.data:
        for precision in options.precisions:
            print(json.dumps(train_once(data, precision, options.epochs)), flush=True)


if __name__ == "__main__":
    main()
