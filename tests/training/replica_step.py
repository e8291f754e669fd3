"""One training step on one device and on two replicas; prints the largest differences as JSON.

Run by test_replicas.py in a process of its own, since logical devices must be made before
TensorFlow computes anything.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from gpu_ops import REFUSED, ops_of

import trecs  # noqa: F401 - before tensorflow
from trecs.config import load_config
from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.run import Run
from trecs.training.recipe import make_objective
from trecs.training.strategy import make_strategy
from trecs.training.trainer import BatchPlan, input_dataset


def first(value):
    return value[0] if isinstance(value, tuple) else value


def make_run(loss, precision):
    rng = np.random.default_rng(7)
    num = 400
    events = pd.DataFrame(
        {
            "user_id": [f"u{u}" for u in rng.integers(0, 24, num)],
            "item_id": [f"i{i}" for i in rng.integers(0, 20, num)],
            "timestamp": np.sort(rng.integers(1_600_000_000, 1_604_000_000, num)),
        }
    )
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(20)], "title": "a film"})
    dataset = align(first(log_from_frame(events)), first(catalogue_from_frame(items)))
    config = load_config(
        overrides=[
            "model.embedding_dim=8",
            "model.history_len=8",
            "model.dropout=0.0",
            "model.item_id_dropout=0.0",
            "model.user_id_dropout=0.0",
            f"model.loss={loss}",
            "model.num_uniform_negatives=16",
            f"training.precision={precision}",
        ]
    )
    vectors = rng.normal(size=(dataset.num_items, 6)).astype(np.float32)
    return Run(Path("unused"), config, dataset, vectors)


def gradients(run, strategy_name, start):
    """The step of SGD with rate 1 is the gradient."""
    strategy = make_strategy(strategy_name)
    plan = BatchPlan(
        run.events(run.split.train),
        run.strict,
        8,
        256,
        seed=1,
        num_replicas=strategy.num_replicas_in_sync,
    )
    with strategy.scope():
        model = run.untrained_model()
        model.set_weights(start)
        model.compile(keras.optimizers.SGD(1.0), make_objective(run.config, run.vocabulary))
        model.fit(input_dataset(plan, 0), steps_per_epoch=1, epochs=1, shuffle=False, verbose=0)
    return strategy.num_replicas_in_sync, [
        before - after for before, after in zip(start, model.get_weights(), strict=True)
    ]


def ops_of_step(run):
    """Ops of a training step of one device."""
    events = run.events(run.split.train)
    plan = BatchPlan(events, run.strict, 8, 256, seed=1)
    with make_strategy("one-device").scope():
        model = run.untrained_model()
        model.compile(keras.optimizers.SGD(1.0), make_objective(run.config, run.vocabulary))
        model.optimizer.build(model.trainable_variables)
        return ops_of(model.train_step, next(plan.batches(0)))


def main(loss, precision):
    devices = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        devices[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    run = make_run(loss, precision)
    keras.utils.set_random_seed(3)
    start = run.untrained_model().get_weights()
    # Zeros would hide the gradients behind them.
    rng = np.random.default_rng(5)
    start = [
        w + rng.normal(scale=0.1, size=w.shape).astype(w.dtype) if w.dtype.kind == "f" else w
        for w in start
    ]
    _, one = gradients(run, "one-device", start)
    replicas, two = gradients(run, "mirrored", start)
    ops = ops_of_step(run)
    floats = [(a, b) for a, b in zip(one, two, strict=True) if a.dtype.kind == "f"]
    sys.stdout.write(
        json.dumps(
            {
                "replicas": replicas,
                "ops": sorted(ops),
                "refused_on_gpus": sorted(ops & REFUSED),
                "largest_gradient": float(max(np.abs(a).max() for a, _ in floats)),
                "smallest_of_largest": float(min(np.abs(a).max() for a, _ in floats)),
                "largest_difference": float(max(np.abs(a - b).max() for a, b in floats)),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
