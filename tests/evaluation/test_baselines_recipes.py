"""Figures computed outside this package, made again by its baselines and its evaluator.

MovieLens-100K, items of at least 5 events, each user's last event to be found.
"""

from __future__ import annotations

import numpy as np
import pytest

from trecs.data.dataset import align
from trecs.data.ease import fit_ease
from trecs.data.loading import load_data
from trecs.data.log import events_frame, log_from_frame
from trecs.data.sequences import build_sequences
from trecs.data.splits import Split
from trecs.errors import FetchError
from trecs.evaluation.baselines.ease import Ease
from trecs.evaluation.baselines.markov import Markov, transition_shares
from trecs.evaluation.baselines.popularity import MostPopular
from trecs.evaluation.metrics import ndcg, recall
from trecs.evaluation.protocol import evaluate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def films():
    try:
        dataset, _ = load_data("movielens-100k")
    except FetchError as error:
        pytest.skip(f"MovieLens-100K is neither cached nor reachable: {error}")
    events = events_frame(dataset.log)
    often = events.groupby("item_id")["item_id"].transform("size") >= 5
    log, _ = log_from_frame(events[often])
    assert (log.num_events, log.num_items) == (99_287, 1_349)
    sequences = build_sequences(log)
    test = np.sort(sequences.order[sequences.start[1:] - 1])
    train = np.setdiff1d(np.arange(log.num_events), test)
    none = np.array([], np.int64)
    return align(log, None), Split("leave-last-out", "order", train, none, test, None, None)


RECIPES = {
    "most popular": (lambda log, train: MostPopular(log, train), "0.087 0.044"),
    "ease": (lambda log, train: Ease(log, fit_ease(log, train, 200)), "0.145 0.075"),
    "ease decayed": (lambda log, train: Ease(log, fit_ease(log, train, 200), 0.95), "0.191 0.103"),
    "markov": (
        lambda log, train: Markov(log, transition_shares(log, train, 10), 0.8, last=20),
        "0.208 0.116",
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_hit_rate_and_ndcg_at_10_are_the_known_ones_to_the_third_digit(films, name):
    dataset, split = films
    make, known = RECIPES[name]
    scorer = make(dataset.log, split.train)
    ranks = evaluate(dataset, split, scorer, exclude_seen=True, top_k=0).ranks
    assert f"{recall(ranks, 10).mean():.3f} {ndcg(ranks, 10).mean():.3f}" == known
