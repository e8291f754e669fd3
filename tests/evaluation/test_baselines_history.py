"""Histories as matrices, and the scorers that read nothing but the history."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.blocks import cost_blocks
from trecs.data.cooccurrences import training_matrix
from trecs.data.sequences import build_sequences
from trecs.evaluation import histories
from trecs.evaluation.baselines.history import HistoryReader
from trecs.evaluation.baselines.personal import UserMostFrequent, UserMostRecent
from trecs.evaluation.histories import history_blocks
from trecs.evaluation.requests import make_requests


def requests_of(dataset, positions=None):
    log = dataset.log
    chosen = np.arange(log.num_events) if positions is None else np.array(positions)
    return make_requests(log, build_sequences(log), chosen, "order")


@pytest.fixture
def dataset(make_dataset):
    """User 0 has the items 4, 4, 2, 3, 4, 0 in this order, user 1 the items 1, 3."""
    events = [
        (0, 4, 1),
        (1, 1, 2),
        (0, 4, 3),
        (0, 2, 4),
        (1, 3, 5),
        (0, 3, 6),
        (0, 4, 7),
        (0, 0, 8),
    ]
    return make_dataset(events, num_items=6)


def test_blocks_keep_to_the_limit_and_a_dear_row_stands_alone():
    cost = np.array([3, 1, 7, 0, 2, 3])
    blocks = [(b.start, b.stop) for b in cost_blocks(cost, limit=4)]
    assert blocks == [(0, 2), (2, 3), (3, 5), (5, 6)]
    assert list(cost_blocks(np.array([], np.int64), limit=4)) == []


def test_places_of_histories_with_an_empty_one_between():
    blocks = list(history_blocks(np.array([5, 3, 0]), np.array([7, 3, 2])))
    assert len(blocks) == 1
    part, row, place = blocks[0]
    assert (part, row.tolist(), place.tolist()) == (slice(0, 3), [0, 0, 2, 2], [5, 6, 0, 1])


def test_the_training_matrix_is_binary_and_blind_to_other_events(dataset):
    matrix = training_matrix(dataset.log, np.array([0, 1, 2, 3]))
    assert matrix.toarray().tolist() == [[0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 0]]
    assert matrix.dtype == np.float32


@pytest.mark.parametrize("block", [1, 4, 1000])
def test_a_reader_sees_items_ages_and_the_newest_of_each(dataset, monkeypatch, block):
    monkeypatch.setattr(histories, "_BLOCK_EVENTS", block)

    def ages(events):
        # age + 1 of the newest event of each item
        newest = events.newest()
        return newest.matrix(newest.age + 1).toarray()

    found = HistoryReader(dataset.log).score(requests_of(dataset, [0, 4, 7]), ages)
    assert found.tolist() == [[0] * 6, [0, 1, 0, 0, 0, 0], [0, 0, 3, 2, 1, 0]]
    last = HistoryReader(dataset.log, last=2).score(requests_of(dataset, [0, 4, 7]), ages)
    assert last.tolist() == [[0] * 6, [0, 1, 0, 0, 0, 0], [0, 0, 0, 2, 1, 0]]


def test_weights_of_repeated_items_add_up(dataset):
    def weights(events):
        return events.matrix(0.5**events.age).toarray()

    found = HistoryReader(dataset.log).score(requests_of(dataset, [7]), weights)
    assert found.tolist() == [[0, 0, 0.25, 0.5, 1 + 0.125 + 0.0625, 0]]


def test_the_most_recent_items_score_by_their_newest_event(dataset):
    scores = UserMostRecent(dataset.log).score(requests_of(dataset, [0, 4, 7]))
    assert scores.tolist() == [[0] * 6, [0, 1, 0, 0, 0, 0], [0, 0, 3, 4, 5, 0]]
    assert scores.dtype == np.float32


def test_the_most_frequent_items_come_first_and_newer_ones_before_older_among_equals(dataset):
    scores = UserMostFrequent(dataset.log).score(requests_of(dataset, [0, 4, 7]))
    # In the last history, item 4 has three events, items 2 and 3 have one, and 3 is the newer.
    assert scores.tolist() == [[0] * 6, [0, 1, 0, 0, 0, 0], [0, 0, 1, 2, 3, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_personal_orders_agree_with_a_loop_over_the_history(make_dataset, seed):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 4, 200), rng.integers(0, 9, 200), np.arange(200)
    dataset = make_dataset(list(zip(*columns, strict=True)), num_items=9, num_users=4)
    requests = requests_of(dataset)
    recent = UserMostRecent(dataset.log).score(requests)
    frequent = UserMostFrequent(dataset.log).score(requests)
    for k in range(200):
        history = [i for u, i, t in zip(*columns, strict=True) if u == columns[0][k] and t < k]
        newest = {item: place for place, item in enumerate(history)}
        by_count = sorted(newest, key=lambda item: (history.count(item), newest[item]))
        for item in range(9):
            assert recent[k, item] == newest.get(item, -1) + 1
            place = by_count.index(item) + 1 if item in newest else 0
            assert frequent[k, item] == place


def test_no_requests_give_no_rows(dataset):
    nobody = requests_of(dataset).take(slice(0, 0))
    assert UserMostRecent(dataset.log).score(nobody).shape == (0, 6)
