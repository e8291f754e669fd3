"""What tuning the BERT costs: seconds a training step by mode, and against every occurrence.

Steps of the default batch on MovieLens-100K with MiniLM. A step encodes each distinct text of its
items once. What encoding every occurrence would cost is measured on the encoder alone, forward
and backward in parts that fit in memory, and added to a step with a frozen BERT.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from trecs import api
from trecs.config import load_config
from trecs.features.batches import training_batches
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run
from trecs.text.encoder import TextEncoder
from trecs.training.loss import tuned_items
from trecs.training.recipe import make_objective, make_optimizer

MODES = ("frozen", "lora", "last-n", "full")
PART = 512


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The median of the timed calls, after one that is not timed."""
    run()
    times = []
    for _ in range(repeats):
        began = time.monotonic()
        run()
        times.append(time.monotonic() - began)
    return float(np.median(times))


def first_batch(run: Run) -> dict[str, tf.Tensor]:
    """A batch of the longest windows, as most events of MovieLens are in."""
    batches = training_batches(
        run.events(run.split.train),
        strict=run.strict,
        history_len=run.config.model.history_len,
        batch_events=run.config.training.batch_events,
        seed=1,
        epoch=0,
    )
    batch = max((next(batches) for _ in range(8)), key=lambda b: b["history_row"].size)
    return {name: tf.constant(values) for name, values in batch.items()}


def encoding_seconds(encoder: TextEncoder, token_ids: np.ndarray, repeats: int) -> float:
    """Forward and backward over texts, in parts."""

    @tf.function(reduce_retracing=True)
    def gradients(part: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(part) ** 2)
        return tape.gradient(loss, [w.value for w in encoder.trainable_weights])

    def run() -> None:
        for start in range(0, len(token_ids), PART):
            gradients(tf.constant(token_ids[start : start + PART]))

    return seconds(run, repeats)


def measure(folder: Path, repeats: int) -> dict[str, object]:
    """Seconds by mode, and of encoding distinct texts and every occurrence."""
    dataset, _ = api.load_data("movielens-100k")
    found: dict[str, object] = {}
    for mode in MODES:
        run = Run.create(folder / mode, load_config(overrides=[f"text.tuning={mode}"]), dataset)
        batch = first_batch(run)
        model = run.untrained_model()
        encoder = model.text_encoder
        text = [] if encoder is None else encoder.trainable_variables
        model.compile(
            make_optimizer(run.config, 500, text), make_objective(run.config, run.vocabulary)
        )
        model.optimizer.build(model.trainable_variables)
        step = tf.function(model.train_step)
        found[mode] = seconds(lambda step=step, batch=batch: step(batch), repeats)
        print(mode, found[mode], flush=True)
        if mode == "full" and encoder is not None:
            found |= occurrences(model, batch, encoder, repeats)
    every = found["frozen"] + found["encode_every"]
    found["full_over_every_occurrence"] = found["full"] / every
    return found


def occurrences(
    model: RetrievalModel, batch: dict[str, tf.Tensor], encoder: TextEncoder, repeats: int
) -> dict[str, object]:
    """Texts of a batch, and seconds to encode them once each and every time."""
    rows = tuned_items(model, batch).numpy()
    number, token_ids = (tensor.numpy() for tensor in model.items.texts)
    number = number[rows]
    number = number[number >= 0]
    return {
        "occurrences": len(number),
        "distinct": len(np.unique(number)),
        "encode_distinct": encoding_seconds(encoder, token_ids[np.unique(number)], repeats),
        "encode_every": encoding_seconds(encoder, token_ids[number], 1),
    }


def main() -> None:
    """Measure and print, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", default="benchmarks/out/fine_tuning.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.repeats)
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=2))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
