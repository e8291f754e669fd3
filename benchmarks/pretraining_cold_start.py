"""What each corpus and each loss of pretraining does to items that did not train.

A small BERT, new each time, is pretrained on MovieLens-100K's texts of the training window in every
way, then the recommender is trained with it; targets and measures are those of `cold_start.py`.

    python benchmarks/pretraining_cold_start.py --json benchmarks/out/pretraining_cold_start.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from cold_start import NotRaised, measure

from trecs import api
from trecs.config import load_config
from trecs.data.dataset import Dataset
from trecs.data.split_choice import make_split
from trecs.text.corpus import data_corpora
from trecs.training.pretrain import pretrain

VOCABULARY = "pretraining.vocabulary_size=1000"
RATE = "pretraining.learning_rate=0.001"
LOSSES = {
    "both": (RATE,),
    "masked": (RATE, "pretraining.causal_weight=0"),
    "causal": (RATE, "pretraining.mlm_weight=0"),
}
UNTRAINED = ("pretraining.steps=1", "pretraining.learning_rate=1e-8", "pretraining.warmup_steps=0")


def write_corpora(dataset: Dataset, folder: Path) -> dict[str, list[Path]]:
    """Write the texts of the training window, a text a line, and name the files by corpus."""
    config = load_config()
    train = make_split(config, dataset.log).train
    paths = {}
    for corpus in data_corpora("films", dataset, train, config.pretraining.held_out_share):
        kind = "histories" if corpus.repeats_items else "titles"
        paths[kind] = folder / f"{kind}.txt"
        lines = [" ".join(text.split()) for text in (*corpus.train, *corpus.held_out)]
        paths[kind].write_text("\n".join(lines), encoding="utf-8")
    return {"titles": [paths["titles"]], "histories": [paths["histories"]]} | {
        "titles and histories": list(paths.values())
    }


def presets(dataset: Dataset, folder: Path, steps: int) -> dict[str, Path]:
    """Pretrain in every way; the presets by what they read and which loss."""
    corpora = write_corpora(dataset, folder)
    ways = {"a new BERT, not pretrained": (corpora["titles and histories"], UNTRAINED)}
    for corpus, paths in corpora.items():
        for loss, settings in LOSSES.items():
            # Each loss where both corpora are read, each corpus where both losses are.
            if loss == "both" or len(paths) > 1:
                more = (*settings, f"pretraining.steps={steps}")
                ways[f"{corpus}, loss: {loss}"] = (paths, more)
    found = {}
    for name, (paths, settings) in ways.items():
        found[name] = folder / f"preset {len(found)}"
        config = load_config(overrides=[VOCABULARY, *settings])
        report = pretrain(paths, found[name], config, verbose=0)
        losses = {when: report[when] for when in ("before", "after")}
        print(name, json.dumps(losses), flush=True)
    return found


def main() -> None:
    """Pretrain, train, measure, and write the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=450, help="of each pretraining")
    parser.add_argument("--json", default="benchmarks/out/pretraining_cold_start.json")
    options = parser.parse_args()
    dataset, _ = api.load_data("movielens-100k")
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        berts: dict[str, str | Path] = {"MiniLM": "minilm"}
        berts |= presets(dataset, folder, options.steps)
        for seed in range(1, options.seeds + 1):
            for name, bert in berts.items():
                overrides = [f"text.preset={bert}", f"training.seed={seed}", "rating.loss=none"]
                run = api.train(
                    dataset, folder / f"{seed} {name}", load_config(overrides=overrides), verbose=0
                )
                row = measure(run, run.scorer(run.model()), "test")
                row["cold_recall@10, not raised"] = measure(run, NotRaised(run), "test", 0)[
                    "cold_recall@10"
                ]
                rows.setdefault(name, {})[str(seed)] = row
                print(seed, name, json.dumps(row), flush=True)
                target.write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
