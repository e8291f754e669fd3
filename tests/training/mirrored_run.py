"""Train the shop on two replicas, evaluate and export it; prints the report's metrics as JSON.

Run by test_mirrored_run.py in a process of its own, since logical devices must be made before
TensorFlow computes anything.
"""

import json
import sys
from pathlib import Path

import tensorflow as tf
from shop_world import SETTINGS, write_shop

import trecs


def main(folder: Path) -> None:
    devices = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        devices[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    events, items = write_shop(folder)
    settings = [*SETTINGS, "training.strategy=mirrored", "rating.loss=none"]
    config = trecs.load_config(overrides=settings)
    dataset, _ = trecs.load_data(events, items, config)
    run = trecs.train(dataset, folder / "run", config, verbose=0)
    report = trecs.evaluate(run, baselines=("most_popular",))
    trecs.export(run, folder / "saved_models" / "shop")
    # A second training in one process, with batches of other shapes.
    trecs.refit(run, folder / "refit", verbose=0)
    sys.stdout.write(json.dumps({"epochs": len(run.learning_curve), **report["metrics"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
