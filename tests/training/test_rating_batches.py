"""What a rating may read, in a log that is small enough to list."""

import numpy as np
import pandas as pd
import pytest

from trecs.data.log import log_from_frame
from trecs.errors import ConfigError
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models.ranking_data import RATING_FEATURES, RATING_TARGETS, fit_scale
from trecs.training.rating_batches import rating_batches, rating_rows
from trecs.training.rating_statistics import item_sums_before, item_sums_without

#         user item second rating
EVENTS = [
    ("u", "a", 10, 5.0),
    ("v", "a", 20, 1.0),
    ("u", "b", 20, 4.0),
    ("u", "c", 20, 2.0),
    ("u", "d", 30, 3.0),
    ("v", "d", 40, 3.0),
]


def make_log(events=EVENTS):
    frame = pd.DataFrame(events, columns=["user_id", "item_id", "timestamp", "rating"])
    return log_from_frame(frame, timestamp_unit="s")[0]


def lay_out(log, readable, targets, reads="earlier"):
    items = np.arange(log.num_items, dtype=np.int32) + FIRST_ITEM_ROW
    users = np.arange(log.num_users, dtype=np.int32) + 1
    scale = fit_scale(np.array([1.0, 5.0], np.float32))  # mean 3, deviation 2
    return rating_rows(log, items, users, scale, np.array(readable), np.array(targets), reads)


def seen(rows):
    """For each target event: the sorted ratings that it may read."""
    found = {}
    for which, batch in rating_batches(rows, 2):
        for row, column in zip(*np.nonzero(which >= 0), strict=True):
            event = int(rows.targets["event"][which[row, column]])
            found[event] = sorted(batch["history_rating"][row][batch["visible"][row, column]])
    return found


def test_a_target_reads_its_users_ratings_of_earlier_seconds():
    assert seen(lay_out(make_log(), range(6), range(6))) == {
        0: [], 1: [], 2: [5.0], 3: [5.0], 4: [2.0, 4.0, 5.0], 5: [1.0],
    }  # fmt: skip


def test_what_may_not_be_read_is_not_read():
    assert seen(lay_out(make_log(), [0, 1, 2], [4]))[4] == [4.0, 5.0]


def test_all_but_target_reads_later_ratings_and_not_its_own():
    found = seen(lay_out(make_log(), range(6), [0, 3], "all-but-target"))
    assert found == {0: [2.0, 3.0, 4.0], 3: [3.0, 4.0, 5.0]}


def test_a_held_out_target_of_a_random_fold_reads_all_that_trains():
    assert seen(lay_out(make_log(), [0, 2, 4], [3], "all-but-target"))[3] == [3.0, 4.0, 5.0]


def test_item_sums_are_of_earlier_seconds_and_readable_events():
    log, residual = make_log(), np.array([2.0, -2, 1, -1, 0.5, 0])
    total, count = item_sums_before(log, residual, np.arange(6), np.arange(6))
    assert total.tolist() == [0, 2, 0, 0, 0, 0.5]
    assert count.tolist() == [0, 1, 0, 0, 0, 1]
    total, count = item_sums_before(log, residual, np.array([1]), np.array([1, 5]))
    assert (total.tolist(), count.tolist()) == ([0, 0], [0, 0])


def test_item_sums_without_leave_out_the_target_alone():
    log, residual = make_log(), np.array([2.0, -2, 1, -1, 0.5, 0])
    total, count = item_sums_without(log, residual, np.array([0, 1, 2]), np.array([0, 1, 4]))
    assert total.tolist() == [-2, 2, 0]
    assert count.tolist() == [1, 1, 0]


def test_an_event_without_a_rating_is_read_and_counts_in_no_mean():
    events = [*EVENTS[:1], ("w", "a", 15, np.nan), ("u", "b", 15, np.nan), *EVENTS[1:]]
    log = make_log(events)
    rated = log.rated(np.arange(8))[0]
    assert rated.tolist() == [0, 3, 4, 5, 6, 7]
    rows = lay_out(log, range(8), rated)
    plain = lay_out(make_log(), range(6), range(6))
    for name in ("offset", "count", "rating"):
        np.testing.assert_array_equal(rows.targets[name], plain.targets[name])
    np.testing.assert_array_equal(np.sort(seen(rows)[6]), [2.0, 4.0, 5.0, np.nan])


def test_offsets_are_shrunk_by_ten_ratings():
    rows = lay_out(make_log(), range(6), [1])
    # One earlier rating of a: (5 - 3) / 2 = 1, over 1 + 10.
    np.testing.assert_allclose(rows.targets["offset"], [1 / 11], rtol=1e-6)
    np.testing.assert_allclose(rows.targets["count"], [np.log(2) / 5], rtol=1e-6)


def test_batches_keep_the_contract_and_weights_sum_to_one():
    for which, batch in rating_batches(lay_out(make_log(), range(6), range(6)), 3):
        sizes = {}
        for feature in RATING_FEATURES + RATING_TARGETS:
            array = batch[feature.name]
            assert array.dtype == np.dtype(feature.dtype), feature.name
            for dim, size in zip(feature.dims, array.shape, strict=True):
                assert sizes.setdefault(dim, size) == size
        assert batch["weight"].sum() == pytest.approx(1)
        assert not batch["visible"][which < 0].any()


def test_a_long_history_is_cut_to_the_newest_events():
    events = [("u", f"i{n}", n, float(1 + n % 5)) for n in range(700)]
    rows = lay_out(make_log(events), range(700), [699, 300, 600])
    found = {e: len(r) for e, r in seen(rows).items()}
    assert found == {300: 300, 600: 512, 699: 512}


def test_every_target_is_in_one_batch_whatever_the_order():
    rows = lay_out(make_log(), range(6), range(6))
    for rng in (None, np.random.default_rng(3)):
        numbers = np.concatenate([which[which >= 0] for which, _ in rating_batches(rows, 2, rng)])
        assert sorted(numbers) == list(range(6))


def test_a_user_who_rated_much_in_a_second_does_not_pad_the_others():
    events = [(f"u{n}", f"i{n % 50}", n, 3.0) for n in range(2000)]
    events += [("bulk", f"i{n}", 5000, 4.0) for n in range(600)]
    rows = lay_out(make_log(events), range(2600), range(2600))
    found, largest = 0, 0
    for which, _ in rating_batches(rows, 1000, np.random.default_rng(0)):
        found += (which >= 0).sum()
        largest = max(largest, which.size)
    assert found == 2600
    assert largest <= 4 * 1000


def test_a_log_without_ratings_and_an_unknown_rule_are_errors():
    frame = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [1]})
    log = log_from_frame(frame, timestamp_unit="s")[0]
    with pytest.raises(ConfigError, match="no ratings came"):
        lay_out(log, [0], [0])
    with pytest.raises(ConfigError, match="'everything' came"):
        lay_out(make_log(), [0], [0], "everything")
