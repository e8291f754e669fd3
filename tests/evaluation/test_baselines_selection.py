"""Settings are chosen on validation targets alone, and the first of equals wins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trecs.data.splits import Split, temporal
from trecs.evaluation.baselines.selection import choose, sample_targets

NUM_ITEMS = 30


class Favourite:
    """Scores one item above all others."""

    def __init__(self, item):
        self._item = item

    def score(self, requests):
        scores = np.zeros((len(requests), NUM_ITEMS), np.float32)
        scores[:, self._item] = 1
        return scores


@pytest.fixture
def dataset(make_dataset):
    """Item 1 is what the validation window wants, item 2 what the test window wants."""
    train = [(k % 5, 3 + k % 27, k) for k in range(80)]
    held_out = [(k % 5, 1, 80 + k) for k in range(10)] + [(k % 5, 2, 90 + k) for k in range(10)]
    listed = tuple(range(NUM_ITEMS))
    return make_dataset(train + held_out, num_items=NUM_ITEMS, listed=listed)


def fits(*items):
    return (({"item": item}, Favourite(item)) for item in items)


def test_the_validation_window_decides_and_not_the_test_window(dataset):
    split = temporal(dataset.log)
    assert set(dataset.log.item[split.test]) == {2}
    choice = choose(dataset, split, fits(2, 1, 3), exclude_seen=False)
    assert choice.parameters == {"item": 1}
    assert choice.ndcg == pytest.approx(1.0)


def test_the_first_of_equal_fits_is_taken(dataset):
    split = temporal(dataset.log)
    assert choose(dataset, split, fits(9, 8, 7), exclude_seen=False).parameters == {"item": 9}
    assert choose(dataset, split, fits(7, 8, 9), exclude_seen=False).parameters == {"item": 7}


def test_the_seen_filter_of_the_test_is_that_of_the_choice(dataset):
    split = temporal(dataset.log)
    # With the filter, item 1 is found once by each of the five users, and excluded from then on.
    assert choose(dataset, split, fits(1), exclude_seen=True).ndcg == pytest.approx(0.5)


def test_without_validation_targets_the_first_fit_is_taken_unmeasured(dataset):
    whole = temporal(dataset.log)
    none = np.array([], np.int64)
    split = Split("temporal", "strict", whole.train, none, whole.test, None, None)
    choice = choose(dataset, split, fits(5, 1), exclude_seen=False)
    assert choice.parameters == {"item": 5}
    assert math.isnan(choice.ndcg)


def test_a_choice_among_nothing_is_refused(dataset):
    with pytest.raises(ValueError, match="a choice needs one fit at least, but none came"):
        choose(dataset, temporal(dataset.log), iter(()), exclude_seen=False)


def test_a_sample_is_fixed_ascending_without_repeats_and_whole_if_small():
    targets = np.arange(100, 5_100)
    sample = sample_targets(targets, 2_000)
    assert sample.size == 2_000
    assert (np.diff(sample) > 0).all()
    assert set(sample) <= set(targets)
    assert np.array_equal(sample, sample_targets(targets, 2_000))
    assert sample_targets(targets, 5_000) is targets
