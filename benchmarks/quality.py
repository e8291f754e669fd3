"""Quality on MovieLens-100K or another log: both splits, several seeds, beside all baselines.

`make quality` writes the table of the README. Early stopping on validation NDCG@10 chooses the
epoch of each run; its test targets are scored after training. On the temporal split they are all
events of the test window (`all`), and each user's last one alone (`last`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from trecs import api
from trecs.config import load_config
from trecs.evaluation.rolling import mean_and_deviation
from trecs.training.trainer import best_epoch

METRICS = ("ndcg@10", "recall@10", "mrr@10", "coverage@10")


Report = dict[str, Any]


def one_run(data: str, items: str | None, split: str, seed: int, names: str) -> list[Report]:
    """Train one seed, and evaluate it for each choice of targets."""
    config = load_config(overrides=[f"split.kind={split}", f"training.seed={seed}"])
    dataset, _ = api.load_data(data, items, config)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = api.train(dataset, Path(folder) / "run", config, verbose=0)
        of_run = {
            "split": split,
            "seed": seed,
            "validation": best_epoch(run.learning_curve)["val_ndcg@10"],
            "epochs": len(run.learning_curve),
            "seconds": time.monotonic() - began,
        }
        # The baselines have no seed: they are measured beside the first.
        baselines = tuple(names.split(",")) if seed == 1 else ()
        return [
            api.evaluate(run, per_user=targets, baselines=baselines) | of_run | {"of": targets}
            for targets in (("all", "last") if split == "temporal" else ("all",))
        ]


def table(reports: list[Report]) -> str:
    """Markdown: mean and standard deviation over seeds, and the baselines."""
    lines = [
        f"| split, targets | model | {' | '.join(METRICS)} |",
        f"|---|---|{'---|' * len(METRICS)}",
    ]
    for split, targets in dict.fromkeys((r["split"], r["of"]) for r in reports):
        chosen = [r for r in reports if (r["split"], r["of"]) == (split, targets)]
        mean, deviation = mean_and_deviation([r["metrics"] for r in chosen])
        cells = [f"{mean[name]:.4f} ± {deviation[name]:.4f}" for name in METRICS]
        seeds = f"trecs, {len(chosen)} seeds"
        lines.append(f"| {split}, {targets} | {seeds} | {' | '.join(cells)} |")
        for name, values in chosen[0]["baselines"].items():
            cells = [f"{values[metric]:.4f}" for metric in METRICS]
            lines.append(f"| | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run all seeds of all splits and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="movielens-100k", help="as `trecs train` takes it")
    parser.add_argument("--items", help="the items file, where the data is a file")
    parser.add_argument("--splits", nargs="+", default=["temporal", "leave-last-out"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--baselines", default="all", help="as `trecs evaluate` takes them")
    parser.add_argument("--json", default="benchmarks/out/quality.json")
    options = parser.parse_args()
    reports: list[Report] = []
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    for split in options.splits:
        for seed in range(1, options.seeds + 1):
            new = one_run(options.data, options.items, split, seed, options.baselines)
            reports += new
            target.write_text(json.dumps(reports, indent=2))
            print(
                split, seed, *(f"{r['of']} {r['metrics']['ndcg@10']:.4f}" for r in new), flush=True
            )
    print(table(reports))


if __name__ == "__main__":
    main()
