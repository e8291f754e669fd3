"""Who may be recommended, and when."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.evaluation import histories
from trecs.evaluation.candidates import hide_seen, make_candidates


@pytest.fixture
def candidates(make_dataset):
    # Item 0 trains; 1 appears at 20, 2 at 30; 3 (event at 30) and 4 (no event) are listed.
    events = [(0, 0, 10), (0, 1, 20), (0, 2, 30), (0, 3, 30), (0, 0, 40)]
    dataset = make_dataset(events, num_items=5, listed=(3, 4))
    return make_candidates(dataset.log, np.array([0]), dataset.listed)


def test_an_item_is_known_strictly_after_its_first_event(candidates):
    item = np.arange(5, dtype=np.int32)
    known = {t: candidates.known(item, np.full(5, t)).tolist() for t in (5, 20, 21, 30, 31)}
    assert known == {
        5: [True, False, False, True, True],
        20: [True, False, False, True, True],
        21: [True, True, False, True, True],
        30: [True, True, False, True, True],
        31: [True, True, True, True, True],
    }
    assert [candidates.count(t) for t in (5, 21, 31)] == [3, 4, 5]


@pytest.mark.parametrize(
    "times", [[5], [20], [21, 30], [31, 99], [5, 20, 21, 30, 31], [31, 5, 21], [20, 20, 20]]
)
def test_hiding_leaves_just_the_known_items(candidates, times):
    scores = np.zeros((len(times), 5), np.float32)
    candidates.hide_unknown(scores, np.array(times))
    item = np.arange(5, dtype=np.int32)
    expected = [candidates.known(item, np.full(5, t)).tolist() for t in times]
    assert (scores == 0).tolist() == expected


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_seen_items_are_hidden_row_by_row_in_blocks_of_any_size(block, monkeypatch):
    monkeypatch.setattr(histories, "_BLOCK_EVENTS", block)
    seen_item = np.array([3, 0, 3, 1, 2, 2], np.int32)
    lo, hi = np.array([0, 3, 3, 1, 0]), np.array([2, 3, 6, 4, 0])
    scores = np.zeros((5, 4), np.float32)
    hide_seen(scores, seen_item, lo, hi)
    hidden = [np.flatnonzero(row == -np.inf).tolist() for row in scores]
    assert hidden == [[0, 3], [], [1, 2], [0, 1, 3], []]
