"""A small world: a few dozen users, with text, categories, release times, ties and repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_once import made_once
from shop_world import train_shop

import trecs
from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import Dataset, align
from trecs.data.log import log_from_frame

_NUM_USERS = 40
_NUM_ITEMS = 25
_GENRES = ("action", "comedy", "drama", "war")
_START_S = 893_286_638
# Folders of files that take long, longest first.
_SLOW_FOLDERS = ("training", "serving", "tests", "text", "reporting")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long go first, so that no process is left with one when all else is done."""
    places = {name: place for place, name in enumerate(_SLOW_FOLDERS)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def make_world(seed: int = 7) -> Dataset:
    """40 users with 3 to 29 events each over 60 days; 25 items in the log, 3 more only listed."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(_NUM_USERS):
        num_events = int(rng.integers(3, 30))
        # In steps of an hour, so that some events of a user share their second.
        time_s = _START_S + rng.integers(0, 60 * 24, num_events) * 3600
        time_s[-1] = time_s[0]
        item = (rng.exponential(6, num_events).astype(int) + user) % _NUM_ITEMS
        rows += [(f"u{user:02}", f"i{i:02}", t) for i, t in zip(item, time_s, strict=True)]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    events = events.sample(frac=1, random_state=seed)
    events["rating"] = rng.integers(1, 6, len(events)).astype(float)
    num_listed = _NUM_ITEMS + 3
    items = pd.DataFrame(
        {
            "item_id": [f"i{i:02}" for i in range(num_listed)],
            "title": [f"The film number {i}" for i in range(num_listed)],
            "genres": ["|".join(_GENRES[: i % 5]) for i in range(num_listed)],
            "release_year": [1950 + i for i in range(num_listed)],
        }
    )
    log, _ = log_from_frame(events)
    catalogue, _ = catalogue_from_frame(items)
    return align(log, catalogue)


def _train_unrated(folder: Path) -> None:
    train_shop(folder, "rating.loss=none", "training.tensorboard=true")


@pytest.fixture(scope="session")
def unrated_run(tmp_path_factory: pytest.TempPathFactory) -> trecs.Run:
    """A run on the shop without a rating head, which told TensorBoard of its training."""
    return trecs.Run.open(made_once(tmp_path_factory, "unrated", _train_unrated) / "run")


@pytest.fixture(scope="session")
def world() -> Dataset:
    """The small world; nothing in it may be changed."""
    return make_world()
