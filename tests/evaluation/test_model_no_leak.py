"""The model's scores do not move when anything at or after the request changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trecs.config import load_config
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.data.sequences import build_sequences
from trecs.evaluation.protocol import make_requests
from trecs.features.vocabulary import fit_vocabulary
from trecs.run import Run

OVERRIDES = ["model.embedding_dim=8", "model.num_layers=1", "model.history_len=8"]


@pytest.fixture(scope="module", params=["temporal", "rolling-origin"])
def run(request):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{n}" for n in rng.integers(0, 12, 400)],
            "item_id": [f"i{n}" for n in rng.integers(0, 15, 400)],
            # 100 distinct seconds a day apart: ties within and across users.
            "timestamp": np.sort(rng.integers(0, 100, 400)) * 86_400 + 1_600_000_000,
        }
    )
    log = log_from_frame(frame)
    dataset = align(log[0] if isinstance(log, tuple) else log, None)
    config = load_config(overrides=[*OVERRIDES, f"split.kind={request.param}"])
    vectors = np.zeros((dataset.num_items, 0), np.float32)
    return Run(Path("unused"), config, dataset, vectors)


def with_another_future(run, from_s):
    """The same run with the items of all events from a moment on dealt out anew."""
    log = run.dataset.log
    later = log.timestamp_s >= from_s
    item = log.item.copy()
    item[later] = np.random.default_rng(0).permutation(item[later])[::-1]
    return replace(run, dataset=replace(run.dataset, log=replace(log, item=item)))


def test_scores_see_nothing_at_or_after_the_request(run):
    model = run.untrained_model()
    weights = [w + 0.1 * np.sin(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    log = run.dataset.log
    target = run.split.test[len(run.split.test) // 2 :][:1]
    other = with_another_future(run, int(log.timestamp_s[target[0]]))
    assert not np.array_equal(other.dataset.log.item, log.item)
    scores = []
    for each in (run, other):
        sequences = build_sequences(each.dataset.log)
        requests = make_requests(each.dataset.log, sequences, target, "strict")
        scores.append(each.scorer(model).score(requests))
    np.testing.assert_array_equal(*scores)


def test_fitted_state_sees_nothing_after_the_training_window(run):
    other = with_another_future(run, run.split.train_end_s)
    assert fit_vocabulary(other.dataset, other.split.train) == run.vocabulary
    batches = [each.events(each.split.train) for each in (run, other)]
    np.testing.assert_array_equal(batches[0].item_row, batches[1].item_row)
    for table, same in zip(run.neighbour_tables, other.neighbour_tables, strict=True):
        np.testing.assert_array_equal(table.neighbour, same.neighbour)
        np.testing.assert_array_equal(table.weight, same.weight)
