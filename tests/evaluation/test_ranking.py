"""Exact ranks and lists, with ties, hidden items and signed zeros."""

from __future__ import annotations

import numpy as np
import pytest

from trecs.evaluation.ranking import target_ranks, top_lists

INF = float("inf")


def rank(row: list[float], target: int) -> int:
    return int(target_ranks(np.array([row], np.float32), np.array([target], np.int32))[0])


def top(row: list[float], target: int, k: int) -> list[int]:
    scores, item = np.array([row], np.float32), np.array([target], np.int32)
    return top_lists(scores, item, target_ranks(scores, item), k)[0].tolist()


@pytest.mark.parametrize(
    ("row", "target", "expected"),
    [
        ([3, 1, 2], 0, 1),
        ([3, 1, 2], 2, 2),
        ([3, 1, 2], 1, 3),
        ([2, 2, 0], 0, 2),  # two equal: 1 + 0 + 2 // 2
        ([2, 2, 2, 0], 1, 2),  # three equal: the middle one
        ([9, 2, 2, 2, 2], 3, 4),  # 1 + 1 + 4 // 2
        ([0, 0, 0, 0, 0], 0, 3),  # a constant scorer gets the middle, not the top
        ([0.0, -0.0, 1.0], 0, 3),  # zeros are equal whatever their sign
        ([1, -INF, 2], 1, 0),  # hidden: a miss
        ([-INF, -5, -INF], 1, 1),
        ([INF, 1, 2], 1, 3),
    ],
)
def test_rank_counts_the_better_and_half_of_the_equal(row, target, expected):
    assert rank(row, target) == expected


@pytest.mark.parametrize("to_a_row", [2, 30])
def test_targets_that_share_a_row_have_the_ranks_of_a_row_each(to_a_row):
    rng = np.random.default_rng(to_a_row)
    scores = rng.integers(-3, 4, (20, 50)).astype(np.float32) * np.float32(0.5)
    scores[scores == 0] *= rng.choice(np.array([-1, 1], np.float32), (scores == 0).sum())
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    # Some rows are asked for often, some not at all.
    row = np.sort(rng.integers(0, 20, 20 * to_a_row) // 2 * 2)
    target = rng.integers(0, 50, row.size).astype(np.int32)
    shared = target_ranks(scores, target, row)
    assert np.array_equal(shared, target_ranks(scores[row], target))
    lists = top_lists(scores, target, shared, 7, row)
    assert np.array_equal(lists, top_lists(scores[row], target, shared, 7))


def test_as_many_targets_as_rows_need_not_be_one_to_a_row():
    scores = np.array([[1, 2], [0, 3]], np.float32)
    found = target_ranks(scores, np.array([0, 1], np.int32), np.array([0, 0]))
    assert found.tolist() == [2, 1]


def test_list_is_best_first_and_equal_scores_stand_by_item_row():
    assert top([1, 5, 3, 5, -2, 3], target=4, k=5) == [1, 3, 2, 5, 0]


def test_target_stands_in_the_list_at_its_rank():
    # Items 0, 1, 2, 3 are equal; the target's rank is 1 + 0 + 4 // 2 = 3.
    for target in range(4):
        others = [k for k in range(4) if k != target]
        assert top([7, 7, 7, 7, 1], target, k=5) == [*others[:2], target, others[2], 4]


def test_target_beyond_the_list_is_not_in_it():
    # The target's rank is 3, though by item row it would stand first.
    assert top([7, 7, 7, 7], target=0, k=2) == [1, 2]


def test_hidden_items_are_in_no_list_and_empty_places_are_minus_one():
    assert top([1, -INF, 2, -INF], target=1, k=4) == [2, 0, -1, -1]
    assert top([1, 2], target=0, k=4) == [1, 0, -1, -1]
    assert top([-INF, -INF], target=0, k=1) == [-1]


def test_negative_zero_and_negative_scores_are_in_order():
    assert top([-0.0, 0.0, -1.0, -3.0, -2.0, 1e-45], target=3, k=6) == [5, 0, 1, 2, 4, 3]


def test_scores_are_not_changed():
    scores = np.array([[-0.0, 1.0, -2.0]], np.float32)
    before = scores.tobytes()
    top_lists(scores, np.array([1], np.int32), np.array([1]), 2)
    assert scores.tobytes() == before


@pytest.mark.parametrize("k", [1, 5, 50])
def test_lists_and_ranks_agree_with_a_plain_sort(k):
    rng = np.random.default_rng(k)
    # Few distinct values, so that every row is full of ties, and some hidden items.
    scores = rng.integers(-4, 5, (300, 37)).astype(np.float32) / 3
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    target = rng.integers(0, 37, 300).astype(np.int32)
    ranks = target_ranks(scores, target)
    lists = top_lists(scores, target, ranks, k)
    for row in range(300):
        own = scores[row, target[row]]
        shown = [i for i in range(37) if scores[row, i] > -np.inf]
        others = sorted((i for i in shown if i != target[row]), key=lambda i: (-scores[row, i], i))
        if own == -np.inf:
            assert ranks[row] == 0
            expected = others
        else:
            better = [i for i in others if scores[row, i] > own]
            equal = [i for i in others if scores[row, i] == own]
            assert ranks[row] == 1 + len(better) + (len(equal) + 1) // 2
            expected = [*others[: ranks[row] - 1], int(target[row]), *others[ranks[row] - 1 :]]
        assert lists[row].tolist() == [*expected, *([-1] * k)][:k]
