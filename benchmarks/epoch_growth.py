"""How an epoch's cost grows with events and with users, on MovieLens-100K.

    python benchmarks/epoch_growth.py

Events: the first quarter, the first half and all of the log. Users: all events, each user cut by
time into 1, 2 and 4 users of equally many events. Seconds of processor time of one epoch after the
first, which compiles; the whole process is counted, so two threads may reach two a second.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from trecs import api
from trecs.config import load_config
from trecs.data.log import events_frame

EPOCHS = 4


class Clock(keras.callbacks.Callback):
    """Processor seconds of each epoch's steps."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        """Note when an epoch begins."""
        if batch == 0:
            self._began = time.process_time()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Note what an epoch took."""
        if batch + 1 == self.params["steps"]:
            self.seconds.append(time.process_time() - self._began)


def measure(events: pd.DataFrame, items: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Train on a log and return its sizes and the median cost of an epoch."""
    folder.mkdir()
    events.to_parquet(folder / "events.parquet")
    items.to_csv(folder / "items.csv", index=False)
    config = load_config(
        overrides=[
            f"training.epochs={EPOCHS}",
            f"training.patience={EPOCHS}",
            "training.validation_targets=100",
            "rating.loss=none",
        ]
    )
    dataset, _ = api.load_data(folder / "events.parquet", folder / "items.csv", config)
    clock = Clock()
    run = api.train(dataset, folder / "run", config, callbacks=[clock], verbose=0)
    train = run.split.train
    seconds = float(np.median(clock.seconds[1:]))
    return {
        "events": len(train),
        "users": len(np.unique(dataset.log.user[train])),
        "epoch_cpu_s": seconds,
        "us_an_event": 1e6 * seconds / len(train),
    }


def main() -> None:
    """Measure five logs and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("benchmarks/out/epoch_growth.json"))
    options = parser.parse_args()
    dataset, _ = api.load_data("movielens-100k")
    events = events_frame(dataset.log)[["user_id", "item_id", "timestamp"]]
    catalogue = dataset.catalogue
    items = pd.DataFrame({"item_id": catalogue.item_ids, "title": catalogue.texts})
    logs = {
        f"{share:.0%} of the events": events[: int(share * len(events))] for share in (0.25, 0.5, 1)
    }
    place = events.groupby("user_id").cumcount()
    size = events.groupby("user_id")["item_id"].transform("size")
    for parts in (2, 4):
        part = (place * parts // size).astype(str)
        logs[f"users cut in {parts}"] = events.assign(user_id=events["user_id"] + "-" + part)
    found = {}
    print("| log | training events | users | processor seconds an epoch | microseconds an event |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, log) in enumerate(logs.items()):
            found[name] = row = measure(log, items, Path(folder) / str(number))
            cells = [f"{row['events']:,}", f"{row['users']:,}", f"{row['epoch_cpu_s']:.1f}"]
            cells.append(f"{row['us_an_event']:.0f}")
            print(f"| {' | '.join([name, *cells])} |", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
