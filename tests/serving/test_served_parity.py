"""REST, gRPC and the C API answer held-out requests as the live model does."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import c_program
import numpy as np
import pytest
from serving_process import SETTINGS
from serving_shop import Shop

import trecs
from trecs.api.exporting import deploy
from trecs.data.sequences import build_sequences
from trecs.evaluation.model_scorer import ModelScorer
from trecs.evaluation.requests import make_requests
from trecs.serving import Client
from trecs.serving.server import Server

TOP = 10
NUM_REQUESTS = 1000
# Scores this near may change places: sums of another order differ in their last digits.
TIE = 1e-4


class _FrozenTrend:
    """The trend as the version froze it, whatever the request time."""

    def __init__(self, trend, as_of_s: int) -> None:
        self._trend, self._as_of_s = trend, as_of_s

    def row(self, times_s):
        return self._trend.row(np.full(len(times_s), self._as_of_s, np.int64))

    def features(self, *arguments):
        return self._trend.features(*arguments)


def _held_out(run: trecs.Run, count: int) -> tuple[list[c_program.Request], np.ndarray, np.ndarray]:
    """Test requests, the live model's scores of all items, and the items' ids."""
    log, deployment = run.dataset.log, deploy(run, TOP)
    targets = np.random.default_rng(0).permutation(run.split.test)[:count]
    sequences = build_sequences(log)
    requests = make_requests(log, sequences, targets, run.split.ties)
    deployment.index()
    scorer = ModelScorer(
        deployment.model,
        run.events(),
        _FrozenTrend(deployment.trend(), deployment.as_of_s),
        deployment.neighbours(),
        run.items.row_of_code,
        run.config.model.history_len,
    )
    scores = scorer.score(requests)
    asked = []
    bounds = zip(requests.history_lo, requests.history_hi, strict=True)
    for row, (first, last) in enumerate(bounds):
        events = sequences.order[first:last]
        if run.exclude_seen:
            scores[row, log.item[events]] = -np.inf
        items, times = log.item_ids[log.item[events]], log.timestamp_s[events]
        history = list(zip(items.tolist(), times.tolist(), strict=True))
        user, at_s = log.user_ids[requests.user[row]], int(requests.request_time_s[row])
        asked.append((user, history, at_s))
    return asked, scores, log.item_ids


def _check(run: trecs.Run, folder: Path, count: int) -> None:
    asked, scores, item_ids = _held_out(run, count)
    version = trecs.export(run, folder / "model", k=TOP)
    answers = {"c": c_program.ask(c_program.build(folder), version, asked)}
    server = Server(folder / "model", settings=SETTINGS)
    server.start()
    try:
        for api, port in (("http", server.rest_port), ("grpc", server.grpc_port)):
            client = Client(f"{api}://127.0.0.1:{port}", "model", timeout_s=60)
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda one, c=client: c.recommend(*one, TOP), asked))
            answers[api] = [[(item.item_id, item.score) for item in row] for row in found]
    finally:
        server.stop()
    code = {item_id: n for n, item_id in enumerate(item_ids)}
    for api, rows in answers.items():
        assert len(rows) == len(asked), api
        for row, answer in enumerate(rows):
            best = np.sort(scores[row])[::-1][:TOP]
            own = scores[row, [code[item_id] for item_id, _ in answer]]
            np.testing.assert_allclose([score for _, score in answer], best, atol=TIE, err_msg=api)
            np.testing.assert_allclose(own, best, atol=TIE, err_msg=api)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_held_out_requests_of_the_shop_are_answered_alike_by_all(shop: Shop, tmp_path: Path):
    _check(shop.run, tmp_path, 40)


@pytest.mark.slow
@pytest.mark.skipif("TRECS_RUN" not in os.environ, reason="needs TRECS_RUN, a finished run")
def test_a_thousand_held_out_requests_are_answered_alike_by_all(tmp_path: Path):
    run = trecs.Run.open(os.environ["TRECS_RUN"])
    assert len(run.split.test) >= NUM_REQUESTS
    _check(run, tmp_path, NUM_REQUESTS)
