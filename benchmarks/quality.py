"""Quality on MovieLens-100K: both splits, several seeds, beside all baselines.

`make quality` writes the table of the README. Early stopping on validation NDCG@10 chooses the
epoch of each run; its test targets are scored once, after training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from trecs import api
from trecs.config import load_config

METRICS = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")


def one_run(split: str, seed: int, overrides: list[str]) -> dict[str, object]:
    """Train and evaluate one seed."""
    config = load_config(overrides=[*overrides, f"split.kind={split}", f"training.seed={seed}"])
    dataset, _ = api.load_data("movielens-100k")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = api.train(dataset, Path(folder) / "run", config, verbose=0)
        # The baselines have no seed: they are measured beside the first.
        report = api.evaluate(run, baselines=("all",) if seed == 1 else ())
        report["validation"] = max(row["val_ndcg@10"] for row in run.learning_curve)
        report["epochs"] = len(run.learning_curve)
    report |= {"split": split, "seed": seed, "seconds": time.monotonic() - began}
    return report


def table(reports: list[dict[str, object]]) -> str:
    """Markdown: mean and standard deviation over seeds, and the baselines."""
    lines = [
        f"| split | model | {' | '.join(METRICS)} |",
        f"|---|---|{'---|' * len(METRICS)}",
    ]
    for split in dict.fromkeys(r["split"] for r in reports):
        chosen = [r for r in reports if r["split"] == split]
        cells = []
        for metric in METRICS:
            values = [r["metrics"][metric] for r in chosen]
            cells.append(f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}")
        lines.append(f"| {split} | trecs, {len(chosen)} seeds | {' | '.join(cells)} |")
        for name, values in chosen[0]["baselines"].items():
            cells = [f"{values[metric]:.4f}" for metric in METRICS]
            lines.append(f"| | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run all seeds of all splits and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", default="benchmarks/out/quality.json")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    reports = []
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    for split in ("temporal", "leave-last-out"):
        for seed in range(1, options.seeds + 1):
            reports.append(one_run(split, seed, options.set))
            target.write_text(json.dumps(reports, indent=2))
            print(split, seed, f"{reports[-1]['metrics']['ndcg@10']:.4f}", flush=True)
    print(table(reports))


if __name__ == "__main__":
    main()
