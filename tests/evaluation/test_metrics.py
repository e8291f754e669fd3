"""Metrics by hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trecs.evaluation.metrics import metrics_table, mrr, ndcg, precision, recall, target_values

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


def test_precision_is_one_kth_for_a_hit():
    assert precision(RANKS, 10).tolist() == [0.1, 0.1, 0.1, 0.1, 0, 0]


def test_values_of_all_targets_by_metric_and_cut_off():
    values = target_values(RANKS, ks=(1, 2), names=("recall", "mrr"))
    assert {name: value.tolist() for name, value in values.items()} == {
        "recall@1": [1, 0, 0, 0, 0, 0],
        "mrr@1": [1, 0, 0, 0, 0, 0],
        "recall@2": [1, 1, 0, 0, 0, 0],
        "mrr@2": [1, 0.5, 0, 0, 0, 0],
    }


def test_the_table_has_every_metric_at_every_k():
    ranks = np.array([1, 3, 0], np.int64)
    top = np.array([[0, 1], [2, 0], [2, 1]], np.int32)
    third = pytest.approx(1 / 3)
    assert metrics_table(ranks, top, 4, np.array([4, 2, 2, 0]), ks=(1, 2)) == {
        "ndcg@1": third,
        "recall@1": third,
        "hit_rate@1": third,
        "precision@1": third,
        "mrr@1": third,
        "map@1": third,
        "coverage@1": 0.5,
        # Shown 0, 0, 1, 2 times: (0 - 0 + 1 * 1 + 3 * 2) / (4 * 3).
        "gini@1": pytest.approx(7 / 12),
        # Items 0, 2, 2 hold a half, a quarter, a quarter of the training events.
        "novelty@1": pytest.approx((1 + 2 + 2) / 3),
        "popularity@1": pytest.approx((4 + 2 + 2) / 3),
        "ndcg@2": third,
        "recall@2": third,
        "hit_rate@2": third,
        "precision@2": pytest.approx(1 / 6),
        "mrr@2": third,
        "map@2": third,
        "coverage@2": 0.75,
        "gini@2": pytest.approx((-3 * 0 - 1 * 2 + 1 * 2 + 3 * 2) / (4 * 6)),
        "novelty@2": pytest.approx((1 + 2 + 2 + 1 + 2 + 2) / 6),
        "popularity@2": pytest.approx(16 / 6),
    }


def test_the_table_leaves_lists_out_where_none_were_kept():
    none = np.empty((1, 0), np.int32)
    table = metrics_table(np.array([2]), none, 4, np.zeros(4, np.int64), ks=(5,))
    assert set(table) == {
        f"{m}@5" for m in ("ndcg", "recall", "hit_rate", "precision", "mrr", "map")
    }
    assert table["ndcg@5"] == pytest.approx(1 / math.log2(3))


@pytest.mark.parametrize("metric", [ndcg, recall, precision, mrr])
def test_a_cut_off_below_one_is_refused(metric):
    with pytest.raises(ValueError, match="at least 1, but 0 came"):
        metric(RANKS, 0)


def test_no_targets_are_refused():
    with pytest.raises(ValueError, match="at least one target"):
        metrics_table(np.array([], np.int64), np.empty((0, 5), np.int32), 3, np.zeros(3, np.int64))
