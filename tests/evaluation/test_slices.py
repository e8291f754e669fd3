"""Metrics by slice on a world small enough to count."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.splits import Split
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.slices import slice_tables, slicings

DAY = 86_400


class ById:
    """Item 0 first, then 1, and so on; or the other way round."""

    def __init__(self, num_items: int, sign: int = -1) -> None:
        self._row = sign * np.arange(num_items, dtype=np.float32)

    def score(self, requests):
        return np.tile(self._row, (len(requests), 1))


@pytest.fixture
def world(make_dataset):
    """User 0 trains on items 0 to 5 and user 1 on item 6; item 7 is listed, user 2 is new."""
    train = [(0, item, item) for item in range(6)] + [(1, 6, 50)]
    test = [
        (0, 0, 10 * DAY),
        (0, 7, 10 * DAY + 30),
        (1, 6, 11 * DAY),
        (2, 1, 12 * DAY),
        (2, 7, 12 * DAY + 3600),
    ]
    dataset = make_dataset([*train, *test], num_items=8, listed=(7,))
    return dataset, Split(
        "temporal", "strict", np.arange(7), np.arange(0), np.arange(7, 12), DAY, DAY
    )


def labels(evaluation):
    return {
        name: [slicing.labels[k] for k in slicing.index]
        for name, slicing in slicings(evaluation).items()
    }


def test_each_target_is_in_the_slice_it_belongs_to(world):
    assert labels(evaluate(*world, ById(8), exclude_seen=False)) == {
        "item": ["warm", "cold", "warm", "warm", "cold"],
        "user": ["known", "known", "known", "new", "new"],
        "history_length": ["6-20", "6-20", "1-5", "0", "1-5"],
        "gap": [
            "7 to 30 days",
            "under a minute",
            "7 to 30 days",
            "no history",
            "an hour to a day",
        ],
        "days_since_training": ["9 to 10", "9 to 10", "10 to 11", "11 to 12", "11 to 12"],
    }


def test_a_slice_has_its_own_mean_beside_the_baselines(world):
    model = evaluate(*world, ById(8), exclude_seen=False)
    other = evaluate(*world, ById(8, sign=1), exclude_seen=False)
    tables = slice_tables(model, {"reverse": other})
    assert model.ranks.tolist() == [1, 8, 7, 2, 8]
    assert other.ranks.tolist() == [8, 1, 2, 7, 1]
    second, seventh, eighth = 1 / np.log2(3), 1 / 3, 1 / np.log2(9)
    assert tables["user"] == [
        {
            "slice": "known",
            "targets": 3,
            "users": 2,
            "model": pytest.approx((1 + eighth + seventh) / 3),
            "reverse": pytest.approx((eighth + 1 + second) / 3),
        },
        {
            "slice": "new",
            "targets": 2,
            "users": 1,
            "model": pytest.approx((second + eighth) / 2),
            "reverse": pytest.approx((seventh + 1) / 2),
        },
    ]
    decay = tables["days_since_training"]
    assert [(row["from"], row["to"], row["targets"]) for row in decay] == [
        (9, 10, 2),
        (10, 11, 1),
        (11, 12, 2),
    ]
    # The slices of each slicing hold all targets, and those without any are left out.
    assert all(sum(row["targets"] for row in rows) == 5 for rows in tables.values())
    assert [row["slice"] for row in tables["history_length"]] == ["0", "1-5", "6-20"]


def test_a_long_window_is_cut_in_ten_equal_bins(make_dataset):
    events = [(0, 0, 0)] + [(0, 0, DAY * k) for k in range(40, 80)]
    dataset = make_dataset(events)
    split = Split("temporal", "strict", np.arange(1), np.arange(0), np.arange(1, 41), 0, 0)
    found = slicings(evaluate(dataset, split, ById(1), exclude_seen=False))["days_since_training"]
    assert found.edges == tuple(range(40, 81, 4))
    assert np.bincount(found.index).tolist() == [4] * 10


def test_no_day_since_training_where_no_moment_ends_it(make_dataset):
    dataset = make_dataset([(0, 0, 0), (0, 0, 1)])
    split = Split("leave-last-out", "order", np.arange(1), np.arange(0), np.array([1]), None, None)
    assert "days_since_training" not in slicings(
        evaluate(dataset, split, ById(1), exclude_seen=False)
    )
