"""The table of followers, and the term that reads it."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from trecs.data.log import log_from_frame
from trecs.data.transitions import count_transitions
from trecs.features.neighbours import NeighbourTable, ease_table, transition_table
from trecs.models.neighbours import NUM_RECENT, Neighbours, recent_events


def shop_log():
    # ann: a b c; bob: a b.
    frame = pd.DataFrame(
        {
            "user_id": ["ann", "ann", "ann", "bob", "bob"],
            "item_id": ["a", "b", "c", "a", "b"],
            "timestamp": [1_600_000_000 + n for n in range(5)],
        }
    )
    return log_from_frame(frame)[0]


def test_pairs_count_by_the_inverse_of_their_distance():
    log = shop_log()
    counts = count_transitions(log, np.arange(5), window=2).toarray()
    a, b, c = (log.item_ids.tolist().index(item) for item in "abc")
    assert counts[a, b] == 2
    assert counts[a, c] == 0.5
    assert counts[b, c] == 1
    assert counts.sum() == 3.5


def test_events_outside_training_do_not_count():
    log = shop_log()
    assert count_transitions(log, np.array([0, 1]), window=2).sum() == 1


def test_a_table_holds_shares_with_the_shrinkage_of_five_pairs():
    log = shop_log()
    candidate_of_code = np.array([2, 0, 1])
    table = transition_table(log, np.arange(5), candidate_of_code)
    a, b, c = (candidate_of_code[log.item_ids.tolist().index(item)] for item in "abc")
    assert table.neighbour[a].tolist() == [b, c]
    assert table.weight[a] == pytest.approx([2 / 7.5, 0.5 / 7.5])
    assert table.weight[b] == pytest.approx([1 / 6, 0])
    assert table.weight[c].tolist() == [0, 0]


def test_ease_weights_are_those_of_the_formula():
    log = shop_log()
    candidate_of_code = np.array([2, 0, 1])
    table = ease_table(log, np.arange(5), candidate_of_code)
    a, b, c = (log.item_ids.tolist().index(item) for item in "abc")
    users = np.zeros((2, 3))
    users[0, [a, b, c]] = 1
    users[1, [a, b]] = 1
    inverse = np.linalg.inv(users.T @ users + 200 * np.eye(3))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    for code in (a, b, c):
        found = np.zeros(3)
        np.add.at(
            found, table.neighbour[candidate_of_code[code]], table.weight[candidate_of_code[code]]
        )
        assert found[candidate_of_code] == pytest.approx(weights[code], rel=1e-4, abs=1e-9)


def test_terms_of_recent_events_add_up_with_decay():
    table = NeighbourTable(
        np.array([[1, 2], [2, 0], [0, 0]], np.int32),
        np.array([[0.5, 0.25], [0.5, 0], [0, 0]], np.float32),
    )
    recent = np.full((2, NUM_RECENT), -1, np.int32)
    # An unknown item between the two known ones counts as a place.
    recent[0, -3:] = [0, -1, 1]
    neighbours = Neighbours(table, table)
    follow = neighbours.transitions(tf.constant(recent)).numpy()
    total = [0, 0.64 * 0.5, 0.64 * 0.25 + 0.5]
    assert follow[0] == pytest.approx([np.log1p(x / 0.01) for x in total], rel=1e-5)
    assert follow[1].tolist() == [0, 0, 0]
    ease = neighbours.ease(tf.constant(recent), 0.98).numpy()
    assert ease[0] == pytest.approx([0, 0.98**2 * 0.5, 0.98**2 * 0.25 + 0.5], rel=1e-5)


def test_transitions_read_twenty_events_and_ease_a_hundred():
    table = NeighbourTable(np.array([[0]], np.int32), np.array([[1]], np.float32))
    recent = np.full((1, NUM_RECENT), -1, np.int32)
    recent[0, 79] = 0
    neighbours = Neighbours(table, table)
    assert neighbours.transitions(tf.constant(recent)).numpy() == 0
    assert neighbours.ease(tf.constant(recent), 0.98).numpy() == pytest.approx(0.98**20)


def test_recent_events_are_the_newest_valid_ones():
    candidate = tf.constant([[4, 5, 6, 99], [7, 99, 99, 99]])
    found = recent_events(candidate, tf.constant([3, 0])).numpy()
    assert found[0, -3:].tolist() == [4, 5, 6]
    assert (found[0, :-3] == -1).all()
    assert (found[1] == -1).all()


def test_ease_weights_are_those_of_the_most_taken_items(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trecs.features.neighbours._EASE_MAX_ITEMS", 2)
    log = shop_log()
    table = ease_table(log, np.arange(5), np.arange(3))
    a, b, c = (log.item_ids.tolist().index(item) for item in "abc")
    assert table.weight[a].any()
    assert table.weight[b].any()
    assert not table.weight[c].any()
    assert c not in table.neighbour[[a, b]][table.weight[[a, b]] != 0]
