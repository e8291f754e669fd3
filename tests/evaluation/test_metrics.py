"""Metrics by hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trecs.evaluation.metrics import coverage, metrics_table, mrr, ndcg, recall

RANKS = np.array([1, 2, 3, 10, 11, 0], np.int64)


def test_ndcg_is_one_over_log2_of_rank_plus_one_up_to_k():
    expected = [1.0, 1 / math.log2(3), 0.5, 1 / math.log2(11), 0.0, 0.0]
    np.testing.assert_allclose(ndcg(RANKS, 10), expected, rtol=1e-15)
    np.testing.assert_allclose(ndcg(RANKS, 2), [*expected[:2], 0, 0, 0, 0], rtol=1e-15)


def test_recall_is_whether_the_target_is_within_k():
    assert recall(RANKS, 10).tolist() == [1, 1, 1, 1, 0, 0]
    assert recall(RANKS, 1).tolist() == [1, 0, 0, 0, 0, 0]


def test_mrr_is_one_over_the_rank_up_to_k():
    np.testing.assert_allclose(mrr(RANKS, 10), [1, 1 / 2, 1 / 3, 1 / 10, 0, 0], rtol=1e-15)


def test_coverage_counts_each_item_once_and_no_empty_place():
    top = np.array([[4, 1, 2], [4, 2, -1]], np.int32)
    assert coverage(top, num_candidates=10, k=1) == 0.1
    assert coverage(top, num_candidates=10, k=3) == 0.3


def test_the_table_has_every_metric_at_every_k():
    ranks = np.array([1, 3, 0], np.int64)
    top = np.array([[0, 1], [2, 0], [2, 1]], np.int32)
    assert metrics_table(ranks, top, num_candidates=4, ks=(1, 2)) == {
        "ndcg@1": pytest.approx(1 / 3),
        "recall@1": pytest.approx(1 / 3),
        "mrr@1": pytest.approx(1 / 3),
        "coverage@1": 0.5,
        "ndcg@2": pytest.approx(1 / 3),
        "recall@2": pytest.approx(1 / 3),
        "mrr@2": pytest.approx(1 / 3),
        "coverage@2": 0.75,
    }


def test_the_table_leaves_coverage_out_where_no_lists_were_kept():
    table = metrics_table(np.array([2]), np.empty((1, 0), np.int32), num_candidates=4, ks=(5,))
    assert table == {
        "ndcg@5": pytest.approx(1 / math.log2(3)),
        "recall@5": 1.0,
        "mrr@5": 0.5,
    }


@pytest.mark.parametrize("metric", [ndcg, recall, mrr])
def test_a_cut_off_below_one_is_refused(metric):
    with pytest.raises(ValueError, match="at least 1, but 0 came"):
        metric(RANKS, 0)


def test_no_targets_are_refused():
    with pytest.raises(ValueError, match="at least one target"):
        metrics_table(np.array([], np.int64), np.empty((0, 5), np.int32), 3)


def test_coverage_beyond_the_lists_is_refused():
    with pytest.raises(ValueError, match=r"the length of the lists, 3, but k is 4.*larger top_k"):
        coverage(np.zeros((1, 3), np.int32), 5, k=4)
    with pytest.raises(ValueError, match="num_candidates is 0"):
        coverage(np.zeros((1, 3), np.int32), 0, k=1)
