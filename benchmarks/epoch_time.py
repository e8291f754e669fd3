"""Time training epochs of trecs' default model over all events of MovieLens-100K, as JSON.

The counterpart of benchmarks/recbole; `make bench` runs both, one after the other, on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from datetime import date
from pathlib import Path

from trecs import api
from trecs.config import load_config


def main() -> None:
    """Train a few epochs and report the median seconds of all but the first, which compiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--json", default="benchmarks/out/epoch_time.json")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    overrides = [
        f"training.epochs={options.epochs}",
        f"training.patience={options.epochs}",
        # Leave-last-out trains on 98,114 of the 100,000 events, as RecBole's split does.
        "split.kind=leave-last-out",
        *options.set,
    ]
    dataset, _ = api.load_data("movielens-100k")
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(overrides=overrides)
        run = api.train(dataset, Path(folder) / "run", config, verbose=0)
        seconds = [row["train_seconds"] for row in run.learning_curve][1:]
    result = {
        "model": "trecs",
        "epoch_s": statistics.median(seconds),
        "epochs_s": seconds,
        "num_training_events": len(run.split.train),
        "machine": platform.processor() or platform.machine(),
        "num_cores": os.cpu_count(),
        "date": date.today().isoformat(),
    }
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
