"""A small shop whose log is made by a seeded generator, and a run trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import trecs

NUM_USERS = 40
NUM_ITEMS = 30
EVENTS_PER_USER = 12
START_S = 1_600_000_000
DAYS = 60
SETTINGS = (
    "text.preset=none",
    "model.embedding_dim=8",
    "model.num_layers=1",
    "model.history_len=8",
    "training.epochs=2",
    "training.batch_events=64",
    "training.learning_rate=0.02",
    "training.warmup_steps=2",
    "training.precision=float32",
    "evaluation.seen_filter=on",
)


def shop_events(seed: int = 7) -> pd.DataFrame:
    """Events of users who never have an item twice; late items are popular late."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(NUM_USERS):
        days = np.sort(random.uniform(0, DAYS, EVENTS_PER_USER))
        item_order = random.permutation(NUM_ITEMS)
        drift = np.argsort(np.abs(item_order / NUM_ITEMS - 0.5) + random.uniform(0, 1, NUM_ITEMS))
        for day, item in zip(days, item_order[drift], strict=False):
            time_s = START_S + int(day * 86_400)
            rows.append((f"u{user}", f"i{item}", time_s, float(1 + item % 5)))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "rating"])


def shop_items() -> pd.DataFrame:
    """The items, and one that nobody has had."""
    return pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(NUM_ITEMS)] + ["new"],
            "title": [f"Thing {n}" for n in range(NUM_ITEMS)] + ["New thing"],
            "genres": [f"kind{n % 3}|shape{n % 4}" for n in range(NUM_ITEMS)] + ["kind0|shape9"],
        }
    )


def write_shop(folder: Path) -> tuple[Path, Path]:
    """Write the log and the items file as CSV; return their paths."""
    events, items = folder / "events.csv", folder / "items.csv"
    shop_events().to_csv(events, index=False)
    shop_items().to_csv(items, index=False)
    return events, items


def train_shop(folder: Path, *more: str) -> trecs.Run:
    """Train on the shop in `folder/run`, with more settings if any."""
    events, items = write_shop(folder)
    config = trecs.load_config(overrides=[*SETTINGS, *more])
    dataset, _ = trecs.load_data(events, items, config)
    return trecs.train(dataset, folder / "run", config, verbose=0)
