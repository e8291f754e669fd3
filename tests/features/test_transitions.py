"""The table of followers, and the term that reads it."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from trecs.data.log import log_from_frame
from trecs.data.transitions import count_transitions
from trecs.features.transitions import NUM_RECENT, TransitionTable, build_transition_table
from trecs.models.transitions import Transitions, recent_events


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
    counts = count_transitions(log, np.arange(5), window=2)
    candidate_of_code = np.array([2, 0, 1])
    table = build_transition_table(counts, candidate_of_code)
    a, b, c = (candidate_of_code[log.item_ids.tolist().index(item)] for item in "abc")
    assert table.follower[a].tolist() == [b, c]
    assert table.share[a] == pytest.approx([2 / 7.5, 0.5 / 7.5])
    assert table.share[b] == pytest.approx([1 / 6, 0])
    assert table.share[c].tolist() == [0, 0]


def test_shares_of_recent_events_add_up_with_decay():
    table = TransitionTable(
        np.array([[1, 2], [2, 0], [0, 0]], np.int32),
        np.array([[0.5, 0.25], [0.5, 0], [0, 0]], np.float32),
    )
    recent = np.full((2, NUM_RECENT), -1, np.int32)
    # An unknown item between the two known ones counts as a place.
    recent[0, -3:] = [0, -1, 1]
    found = Transitions(table).log_shares(tf.constant(recent)).numpy()
    total = [0, 0.64 * 0.5, 0.64 * 0.25 + 0.5]
    assert found[0] == pytest.approx([np.log1p(x / 0.01) for x in total], rel=1e-5)
    assert found[1].tolist() == [0, 0, 0]


def test_recent_events_are_the_newest_valid_ones():
    candidate = tf.constant([[4, 5, 6, 99], [7, 99, 99, 99]])
    found = recent_events(candidate, tf.constant([3, 0])).numpy()
    assert found[0, -3:].tolist() == [4, 5, 6]
    assert (found[0, :-3] == -1).all()
    assert (found[1] == -1).all()
