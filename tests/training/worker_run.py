"""Train the shop as one of the workers that TF_CONFIG names; prints the losses as JSON.

Run by test_multi_worker.py, a process a worker.
"""

import json
import sys
from pathlib import Path

from shop_world import SETTINGS, write_shop

import trecs


def main(data: Path, out: Path) -> None:
    data.mkdir()
    config = trecs.load_config(overrides=[*SETTINGS, "training.strategy=multi-worker"])
    dataset, _ = trecs.load_data(*write_shop(data), config)
    run = trecs.train(dataset, out, config, verbose=0)
    sys.stdout.write(json.dumps([row["loss"] for row in run.learning_curve]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
