"""What profile texts add: MovieLens-100K with and without a text of each user, by history.

The texts are written from the set's own columns, "student, 24, male". The file of the users is in
the package that `trecs fetch movielens-100k` falls back on. Temporal split, whole catalogue ranked.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trecs import api
from trecs.config import load_config
from trecs.data.sources import data_set
from trecs.data.sources_cache import cache_folder
from trecs.data.sources_wheels import fetch_wheel
from trecs.evaluation.metrics import ndcg, recall
from trecs.evaluation.protocol import Evaluation, evaluate
from trecs.evaluation.significance import compare
from trecs.run import Run

SLICES = {"none": (0, 0), "1 to 5": (1, 5), "6 and more": (6, 10**9)}

# Ratings have a head of their own, which trains after the rest.
SETTINGS = ("rating.loss=none",)


def write_users(path: Path) -> None:
    """Write user_id and profile of the 943 users as CSV."""
    (wheel,) = data_set("movielens-100k").sources[-1].files
    with zipfile.ZipFile(fetch_wheel(wheel, cache_folder())) as archive:
        text = archive.read("recbole/dataset_example/ml-100k/ml-100k.user").decode()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "profile"])
        for user, age, gender, occupation, _ in csv.reader(io.StringIO(text), delimiter="\t"):
            if age.isdigit():
                said = f"{occupation}, {age}, {'male' if gender == 'M' else 'female'}"
                rows.writerow([user, said])


def measure(run: Run) -> Evaluation:
    """The run's ranks of the test targets."""
    scorer = run.scorer(run.model())
    return evaluate(
        run.dataset, run.split, scorer, targets="test", exclude_seen=run.exclude_seen, top_k=0
    )


def by_history(plain: Evaluation, profiled: Evaluation) -> dict[str, dict[str, object]]:
    """Both models' means by the number of events before the request, and their difference."""
    requests = plain.requests
    length = requests.history_hi - requests.history_lo
    parts = {name: (length >= lo) & (length <= hi) for name, (lo, hi) in SLICES.items()}
    parts |= {"of users who did not train": ~plain.known_user, "all": length >= 0}
    return {name: _row(plain, profiled, inside) for name, inside in parts.items()}


def _row(plain: Evaluation, profiled: Evaluation, inside: NDArray[np.bool_]) -> dict[str, object]:
    values = [
        {"ndcg@10": ndcg(e.ranks, 10)[inside], "recall@10": recall(e.ranks, 10)[inside]}
        for e in (plain, profiled)
    ]
    user = plain.requests.user[inside]
    found = compare(user, values[1], values[0])
    row: dict[str, object] = {"targets": int(inside.sum()), "users": len(np.unique(user))}
    for name, difference in found.items():
        means = [float(value[name].mean()) for value in values]
        row[name] = {"without": means[0], "with": means[1], **vars(difference)}
    return row


def main() -> None:
    """Train both models for each seed, and write the tables as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", default="benchmarks/out/user_text.json")
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        users = Path(temporary) / "users.csv"
        write_users(users)
        for seed in range(1, options.seeds + 1):
            config = load_config(overrides=[*SETTINGS, f"training.seed={seed}"])
            measured = []
            for name, path in (("without", None), ("with", users)):
                dataset, _ = api.load_data("movielens-100k", users=path)
                run = api.train(dataset, Path(temporary) / f"{name}-{seed}", config, verbose=0)
                measured.append(measure(run))
            rows[seed] = by_history(*measured)
            print(seed, json.dumps(rows[seed], indent=1), flush=True)
    target = Path(options.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
