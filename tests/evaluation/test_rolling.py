"""A scorer over several splits."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.cross_validation import rolling_origins
from trecs.evaluation.baselines.popularity import MostPopular
from trecs.evaluation.rolling import evaluate_splits


def fit(dataset, split):
    return MostPopular(dataset.log, split.train)


def test_mean_and_deviation_are_over_the_splits_each_fitted_on_its_own(make_dataset):
    # Item 0 is chosen in the first half, item 1 from then on: it takes over in the third origin.
    events = [(k, int(k >= 50), k) for k in range(100)]
    splits = rolling_origins(make_dataset(events).log, num_origins=4, first_quantile=0.5)
    found = evaluate_splits(make_dataset(events), splits[:3], fit, exclude_seen=False, ks=(1, 2))
    # Training events of items 0 and 1: 50 and 0 (item 1 is known from 50 on), 50 and 10, 50 and 20.
    assert [row["metrics"]["recall@1"] for row in found["splits"]] == [0, 0, 0]
    assert [row["metrics"]["mrr@2"] for row in found["splits"]] == [0.5, 0.5, 0.5]
    assert [row["targets"] for row in found["splits"]] == [10, 10, 10]
    assert (found["mean"]["mrr@2"], found["deviation"]["mrr@2"]) == (0.5, 0)


def test_the_deviation_is_that_of_a_sample(make_dataset):
    items = [0] * 40 + [1] * 30 + [0] * 10 + [1] * 20
    dataset = make_dataset([(k, item, k) for k, item in enumerate(items)])
    splits = rolling_origins(dataset.log, num_origins=4, first_quantile=0.5)
    found = evaluate_splits(dataset, splits, fit, exclude_seen=False, ks=(1,))
    hits = [row["metrics"]["recall@1"] for row in found["splits"]]
    # Item 0 leads throughout; the windows tested hold 1, 0, 1 and 1.
    assert hits == [0, 1, 0, 0]
    assert found["mean"]["recall@1"] == 0.25
    assert found["deviation"]["recall@1"] == pytest.approx(np.std(hits, ddof=1))
    one = evaluate_splits(dataset, splits[:1], fit, exclude_seen=False, ks=(1,))
    assert one["deviation"]["recall@1"] == 0
