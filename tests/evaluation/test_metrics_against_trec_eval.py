"""The metrics of whole evaluations equal those that trec_eval computes from the lists."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG

from trecs.data.splits import temporal
from trecs.evaluation.metrics import RANK_METRICS, target_values
from trecs.evaluation.protocol import evaluate

THEIRS = {"ndcg": nDCG, "recall": R, "hit_rate": Success, "precision": P, "mrr": RR, "map": AP}
KS = (1, 3, 10, 20)


class Coarse:
    """A few distinct scores, so that ties are everywhere, and some items never recommended."""

    def __init__(self, num_items: int, seed: int) -> None:
        scores = np.random.default_rng(seed).integers(0, 4, (50, num_items)).astype(np.float32)
        scores[scores == 0] = -np.inf
        scores[:5] = -np.inf
        self._scores = scores

    def score(self, requests):
        return self._scores[requests.request_time_s % 50]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_every_target_and_metric_agrees(make_dataset, seed, exclude_seen):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 9, 300), rng.integers(0, 30, 300), np.sort(rng.integers(0, 150, 300))
    dataset = make_dataset(list(zip(*columns, strict=True)), num_items=35)
    split = temporal(dataset.log, 0.3, 0.5, ties="order")
    outcome = evaluate(dataset, split, Coarse(35, seed), exclude_seen=exclude_seen, top_k=20)
    assert (outcome.ranks == 0).any()
    assert (outcome.top_items == -1).all(axis=1).any()
    run = [
        ir_measures.ScoredDoc(str(k), str(item), -place)
        for k, items in enumerate(outcome.top_items.tolist())
        for place, item in enumerate(items)
        if item >= 0
    ]
    wanted = [
        ir_measures.Qrel(str(k), str(item), 1)
        for k, item in enumerate(outcome.requests.target_item)
    ]
    measures = {THEIRS[name] @ k: f"{name}@{k}" for name in THEIRS for k in KS}
    theirs = {name: np.full(len(wanted), np.nan) for name in measures.values()}
    for found in ir_measures.iter_calc(list(measures), wanted, run):
        theirs[measures[found.measure]][int(found.query_id)] = found.value
    ours = target_values(outcome.ranks, KS, tuple(RANK_METRICS))
    assert set(ours) == set(theirs)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=0, atol=1e-9, err_msg=name)
