"""What each part of the model is worth: the part off, everything else the same, several seeds.

`make ablations` prints the tables of docs/results.md; their JSON is for `trecs report --ablations`.
Parts without a setting are taken out of the built model here, so that the package has no switches
that only this table would use. Every variant chooses its epoch and its neighbour weights on
validation, as the full model does. A log too large for it is sampled by its users (`--users`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from trecs import api
from trecs.config import load_config
from trecs.data.catalogue import Catalogue
from trecs.data.dataset import Dataset, align
from trecs.data.log import events_frame, log_from_frame
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run

METRICS = ("ndcg@10", "recall@10", "mrr@10")


def _leave(model: RetrievalModel) -> None:
    """Change nothing."""


def _without_lstm(model: RetrievalModel) -> None:
    """The timestamp tower's states are zeros."""
    tower = model.timestamp_tower
    tower.call = lambda times, **_: tf.zeros(
        [*tf.unstack(tf.shape(times["event_time_s"])), tower.units]
    )


def _mean_pooling(model: RetrievalModel) -> None:
    """The mean of the events so far, for the decoder layers."""
    model.user_tower._decode = _running_mean


def _running_mean(x: tf.Tensor, _: tf.Tensor, position: tf.Tensor, training: bool) -> tf.Tensor:
    place = tf.range(1, tf.shape(x)[1] + 1)[None, :, None]
    return tf.gather(tf.cumsum(x, axis=1) / tf.cast(place, x.dtype), position, batch_dims=1)


def _without_trend(model: RetrievalModel) -> None:
    """The weights of the trend are zeros."""
    _silence(model.user_tower.trend_weight)


def _trend_alone(model: RetrievalModel) -> None:
    """The query is zeros: what is left are the trend by its weights, and the items' biases."""
    _silence(model.user_tower.query)


def _without_repeats(model: RetrievalModel) -> None:
    """Items that the user has had get no addition."""
    term = model.repeat_term
    if term is not None:
        term.call = lambda inputs: tf.zeros([tf.shape(inputs["item"])[0]])


def _silence(layer: keras.layers.Dense) -> None:
    layer.call = lambda x, **_: tf.zeros([*tf.unstack(tf.shape(x))[:2], layer.units], x.dtype)


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes:
        overrides: settings that differ.
        change: takes a part out of the built model.
        neighbours: whether the neighbour terms take part.
        request_time: `known` or `withheld` when measuring.
    """

    overrides: tuple[str, ...] = ()
    change: Callable[[RetrievalModel], None] = _leave
    neighbours: bool = True
    request_time: str = "known"


VARIANTS = {
    "full model": Variant(),
    "request time withheld": Variant(request_time="withheld"),
    "neighbour terms off": Variant(neighbours=False),
    "trend off": Variant(change=_without_trend),
    "LSTM off": Variant(change=_without_lstm),
    "BERT off": Variant(("text.preset=none",)),
    "mean pooling for the decoder": Variant(change=_mean_pooling),
    "user id off": Variant(("model.user_id_dropout=1.0",)),
    "trend alone, with biases": Variant(change=_trend_alone, neighbours=False),
    "sampled loss": Variant(("model.loss=sampled",)),
    "repeat term off": Variant(change=_without_repeats),
}
# Rows that need no training of their own.
_OF_FULL_MODEL = ("request time withheld", "neighbour terms off")


def of_users(dataset: Dataset, number: int) -> Dataset:
    """The events of some users, drawn by a seed, and the items that they had."""
    if number == 0:
        return dataset
    log = dataset.log
    chosen = np.random.default_rng(0).choice(log.num_users, number, replace=False)
    log, _ = log_from_frame(events_frame(log.select(np.isin(log.user, chosen))))
    whole = dataset.catalogue
    had = np.flatnonzero(np.isin(whole.item_ids, log.item_ids) & dataset.listed)
    catalogue = Catalogue(
        item_ids=whole.item_ids[had],
        titles=whole.titles[had],
        texts=whole.texts[had],
        categories={name: tuple(of[i] for i in had) for name, of in whole.categories.items()},
        release_time_s=None if whole.release_time_s is None else whole.release_time_s[had],
        columns=whole.columns,
    )
    return align(log, catalogue)


def trained(dataset: Dataset, settings: list[str], variant: Variant, folder: Path) -> Run:
    """Train a run of a variant."""
    config = load_config(overrides=[*settings, *variant.overrides])
    with patched(variant):
        return api.train(dataset, folder, config, verbose=0)


def patched(variant: Variant) -> Any:
    """Every model that a run builds inside the block has the variant's part taken out."""
    build = Run.untrained_model

    def build_and_change(run: Run) -> RetrievalModel:
        model = build(run)
        variant.change(model)
        return model

    return patch.object(Run, "untrained_model", build_and_change)


def measured(run: Run, variant: Variant) -> dict[str, float]:
    """The metrics of a trained run."""
    load = Run.model

    def load_and_silence(run: Run) -> RetrievalModel:
        model = load(run)
        if not variant.neighbours:
            model.transition_weight.assign(0.0)
            model.ease_weight.assign(0.0)
        return model

    with patched(variant), patch.object(Run, "model", load_and_silence):
        report = api.evaluate(run, request_time=variant.request_time, baselines=())
    return {metric: report["metrics"][metric] for metric in METRICS}


def one_seed(
    dataset: Dataset, settings: list[str], names: list[str], say: Callable[..., None]
) -> None:
    """Measure variants with one seed; `say` gets each row's name and metrics."""
    with tempfile.TemporaryDirectory() as folder:
        full = trained(dataset, settings, VARIANTS["full model"], Path(folder, "full"))
        for name in names:
            variant = VARIANTS[name]
            if name == "full model" or name in _OF_FULL_MODEL:
                say(name, measured(full, variant))
            elif variant.change is not _without_repeats or full.has_repeats:
                run = trained(dataset, settings, variant, Path(folder, name.replace(" ", "-")))
                say(name, measured(run, variant))


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean and standard deviation over the seeds, and the ratio to the full model."""
    whole = np.mean([row["ndcg@10"] for row in rows["full model"]])
    lines = [
        f"| variant | seeds | {' | '.join(METRICS)} | of the full model |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in rows.items():
        cells = []
        for metric in METRICS:
            column = [row[metric] for row in values]
            spread = f" ± {np.std(column, ddof=1):.4f}" if len(column) > 1 else ""
            cells.append(f"{np.mean(column):.4f}{spread}")
        share = np.mean([row["ndcg@10"] for row in values]) / whole
        lines.append(f"| {name} | {len(values)} | {' | '.join(cells)} | {share:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the variants of all seeds, a seed after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="movielens-100k")
    parser.add_argument("--split", default="temporal")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--users", type=int, default=0, help="of a sample; 0 is all")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="KEY=VALUE")
    parser.add_argument("--variants", default="", help="names, separated by semicolons; all")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/out/ablations.json"))
    options = parser.parse_args()
    names = options.variants.split(";") if options.variants else list(VARIANTS)
    rows: dict[str, list[dict[str, float]]] = {}
    options.json.parent.mkdir(parents=True, exist_ok=True)

    def say(name: str, metrics: dict[str, float]) -> None:
        rows.setdefault(name, []).append(metrics)
        mean = {n: {m: float(np.mean([v[m] for v in r])) for m in METRICS} for n, r in rows.items()}
        options.json.write_text(json.dumps(mean, indent=2) + "\n")
        print(f"{name}: {json.dumps(metrics)}", flush=True)

    dataset = of_users(api.load_data(options.data)[0], options.users)
    for seed in options.seeds:
        of_seed = [f"split.kind={options.split}", f"training.seed={seed}", *options.settings]
        one_seed(dataset, of_seed, names, say)
    print(table(rows))


if __name__ == "__main__":
    main()
