"""How near a training step comes to the matrix speed of its machine.

A step of the default model on MovieLens-100K is timed, and then the matrix products of that step
alone: the same shapes, forward and both backward, one after the other, by the same TensorFlow on
the same cores. The share is the products' time over the step's. The profile says what takes the
rest. Both are medians of interleaved rounds, so that other work on the machine slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from trecs import api
from trecs.config import load_config
from trecs.features.time import NUM_REQUEST_FEATURES, NUM_TIME_FEATURES
from trecs.features.trend import NUM_TREND_FEATURES
from trecs.run import Run
from trecs.training.recipe import make_objective, make_optimizer
from trecs.training.trainer import BatchPlan

# They wait for other operations, whose time is counted.
_AROUND_OTHERS = {"Process", "Run", "While", "StatelessWhile", "If", "PartitionedCall"}
_AROUND_OTHERS |= {"StatefulPartitionedCall"}

Product = tuple[int, int, int, int]
"""How many, m, k, n: of products of [m, k] and [k, n]."""


def products(run: Run, batch: dict[str, np.ndarray]) -> dict[str, list[Product]]:
    """The forward matrix products of a step, by part of the model."""
    settings = run.config.model
    rows, length = batch["history_row"].shape
    queries = batch["query_position"].size
    width, events = settings.embedding_dim, rows * length
    heads, layers = settings.num_heads, settings.num_layers
    items, text = run.text_vectors.shape
    request = NUM_REQUEST_FEATURES + width
    attention = [
        (4, events, width, width),
        (rows * heads, length, width // heads, length),
        (rows * heads, length, length, width // heads),
    ]
    feed_forward = [(1, events, width, 4 * width), (1, events, 4 * width, width)]
    return {
        "item tower": [(1, items, text, width)],
        "timestamp tower": [
            (1, events, NUM_TIME_FEATURES, 4 * width),
            (length, rows, width, 4 * width),
        ],
        "user tower": layers * (2 * attention + feed_forward)
        + [
            (1, queries, width, width),
            (1, queries, request, width),
            (1, queries, request + width, NUM_TREND_FEATURES),
        ],
        "scores": [(1, queries, width, items), (1, queries, NUM_TREND_FEATURES, items)],
    }


def backward(product: Product) -> list[Product]:
    """The two products by which the gradients of both factors come."""
    number, m, k, n = product
    return [(number, m, n, k), (number, k, m, n)]


def timed_products(parts: dict[str, list[Product]]) -> Any:
    """A function that does all of them, and the floating-point operations of each part."""
    operations = {
        part: sum(6 * number * m * k * n for number, m, k, n in forward)
        for part, forward in parts.items()
    }
    every = [p for forward in parts.values() for one in forward for p in (one, *backward(one))]
    factors = [
        (tf.random.normal([number, m, k]), tf.random.normal([number, k, n]))
        for number, m, k, n in every
    ]

    @tf.function
    def run() -> tf.Tensor:
        # One number of each product, so that none is left out.
        return tf.add_n([tf.matmul(a, b)[0, 0, 0] for a, b in factors])

    return run, operations


def median_seconds(functions: dict[str, Any], rounds: int) -> dict[str, float]:
    """Median seconds of each function, called in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def seconds_by_operation(step: Any, folder: Path, steps: int = 10) -> dict[str, float]:
    """Share of the time in kernels by kind of operation, largest first, as profiled."""
    tf.profiler.experimental.start(str(folder))
    for _ in range(steps):
        step()
    tf.profiler.experimental.stop()
    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    picoseconds: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # A kernel is called "name of the node:its operation".
                name = plane.event_metadata[event.metadata_id].name
                operation = name.rpartition(":")[2]
                if ":" in name and operation.isidentifier() and operation not in _AROUND_OTHERS:
                    picoseconds[operation] += event.duration_ps
    total = sum(picoseconds.values())
    return {name: value / total for name, value in picoseconds.most_common(12)}


def main() -> None:
    """Time steps and products, and print the share as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/out/step_speed.json"))
    options = parser.parse_args()
    dataset, _ = api.load_data("movielens-100k")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", load_config(), dataset)
        plan = BatchPlan(
            run.events(run.split.train),
            strict=run.strict,
            history_len=run.config.model.history_len,
            batch_events=run.config.training.batch_events,
            seed=1,
        )
        batches = list(plan.batches(0))
        batch = batches[len(batches) // 2]
        model = run.untrained_model()
        model.compile(make_optimizer(run.config, 1000), make_objective(run.config, run.vocabulary))
        tensors = {name: tf.constant(array) for name, array in batch.items()}
        step = tf.function(lambda: model.train_step(tensors)["loss"])
        multiply, operations = timed_products(products(run, batch))
        seconds = median_seconds(
            {
                "step": lambda: step().numpy(),
                "products": lambda: multiply().numpy(),
                "batch": lambda: next(plan.batches(0)),
            },
            options.rounds,
        )
        by_operation = seconds_by_operation(step, Path(folder) / "profile")
    total = sum(operations.values())
    result = {
        "step_s": seconds["step"],
        "products_s": seconds["products"],
        "make_batch_s": seconds["batch"],
        "share": seconds["products"] / seconds["step"],
        "gigaflops_of_products": total / seconds["products"] / 1e9,
        "operations": operations,
        "kernel_time": by_operation,
        "rows_and_history": list(batch["history_row"].shape),
        "machine": platform.processor() or platform.machine(),
        "num_cores": os.cpu_count(),
        "date": date.today().isoformat(),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
