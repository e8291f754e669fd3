"""A shop whose users repeat: training, evaluation and the export score repeats alike."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from live_model import ask_live
from serving_shop import Shop
from shop_world import SETTINGS

import trecs
from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.data.sequences import build_sequences
from trecs.evaluation import model_scorer
from trecs.evaluation.requests import Requests, make_requests
from trecs.features.batches import training_batches
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models import retrieval
from trecs.models.repeats import fading_terms
from trecs.run import WEIGHTS
from trecs.training.loss import own_items
from trecs.training.recipe import make_objective, make_optimizer

NUM_ITEMS = 12
HABITS = "trained_habits.npy"


def repeat_events():
    random = np.random.default_rng(3)
    rows = []
    for user in range(12):
        favourites = random.permutation(NUM_ITEMS)[:5]
        days = np.sort(random.uniform(0, 40, 14))
        days[5] = days[6]
        for day, item in zip(days, random.choice(favourites, 14), strict=True):
            rows.append((f"u{user}", f"i{item}", 1_600_000_000 + int(day * 86_400)))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).drop_duplicates()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(NUM_ITEMS)]})
    dataset = align(log_from_frame(repeat_events())[0], catalogue_from_frame(items)[0])
    settings = [s for s in SETTINGS if "seen_filter" not in s]
    run = trecs.train(
        dataset,
        tmp_path_factory.mktemp("repeats") / "run",
        trecs.load_config(overrides=settings),
        verbose=0,
    )
    model = run.model()
    np.save(run.directory / HABITS, model.repeat_term.habits.numpy())
    # Weights that every part of the score depends on.
    random = np.random.default_rng(1)
    parts = [model.user_tower.repeat_weight, model.repeat_term, model.user_tower.trend_weight]
    for weight in [w for part in parts for w in part.weights]:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    model.transition_weight.assign(0.7)
    model.ease_weight.assign(3.0)
    model.ease_decay.assign(0.98)
    model.save_weights(run.directory / WEIGHTS)
    return run


def test_a_repeating_log_keeps_seen_items_and_has_a_repeat_term(run):
    assert run.has_repeats
    assert run.model().repeat_term is not None


def test_the_habits_of_items_are_those_of_the_training_events_alone(run):
    before = pd.DataFrame(
        {
            "user": run.dataset.log.user[run.split.train],
            "item": run.dataset.log.item[run.split.train],
            "day": run.dataset.log.timestamp_s[run.split.train] / 86_400,
        }
    ).sort_values(["user", "day"], kind="stable")
    gap = np.log(before.groupby(["user", "item"])["day"].diff() + 0.5)
    found = np.load(run.directory / HABITS)
    trained = list(run.vocabulary.item_ids)
    for item, gaps in gap.groupby(before["item"]):
        place = FIRST_ITEM_ROW + trained.index(str(run.dataset.log.item_ids[item]))
        expected = (gaps.sum() + 100 * gap.mean()) / (gaps.count() + 100)
        assert found[place, 0] == pytest.approx(expected, rel=1e-5)
    assert found[0, :2].tolist() == [pytest.approx(gap.mean(), rel=1e-5), 0]


def test_an_item_that_did_not_train_has_the_average_habits(run):
    term = run.model().repeat_term
    rows = tf.constant([FIRST_ITEM_ROW, term.num_ids - 1, term.num_ids, term.num_ids + 7])
    found, kept = term.item_habits(rows).numpy(), term.habits.numpy()
    assert found.tolist() == kept[[FIRST_ITEM_ROW, term.num_ids - 1, 0, 0]].tolist()


def test_the_export_scores_repeats_and_transitions_as_the_live_model_does(run, tmp_path):
    version = trecs.export(run, tmp_path / "shop", k=NUM_ITEMS)
    shop = Shop(
        run, version, tf.saved_model.load(str(version)), trecs.Recommender(tmp_path / "shop")
    )
    at_s = shop.as_of_s
    live = ask_live(run, run.dataset, run.text_vectors, at_s, at_s)
    # In another order, since clients send events in any; ties keep theirs.
    histories = [history[8:] + history[:8] for history in live.histories]
    ids, found = shop.recommend(live.user_ids, histories, [at_s] * len(histories))
    best, expected = live.best(NUM_ITEMS)
    assert ids == best
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_repeats_change_the_scores_of_own_items_alone(run):
    with_term = run.model()
    without = run.model()
    without.repeat_term = None
    log = run.dataset.log
    sequences = build_sequences(log)
    lo, hi = sequences.start[:-1], sequences.start[1:]
    users = np.arange(log.num_users, dtype=np.int32)
    times = np.full(len(users), int(log.timestamp_s[-1]) + 1, np.int64)
    requests = Requests(users, np.zeros_like(users), times, lo, hi)
    changed = run.scorer(with_term).score(requests) != run.scorer(without).score(requests)
    own = np.zeros_like(changed)
    own[np.repeat(users, hi - lo), log.item[sequences.order]] = True
    assert changed.tolist() == own.tolist()


def test_a_training_batch_sees_the_own_items_that_an_evaluation_at_its_moments_sees(run):
    """Entry by entry: query, item, count, seconds since, interval, sums, events since."""
    events = run.events(run.split.train)
    batches = training_batches(events, strict=True, history_len=6, batch_events=40, seed=0, epoch=0)
    num_entries = 0
    for batch in batches:
        own, place = own_items({name: tf.constant(value) for name, value in batch.items()})
        for j in range(len(place)):
            b, q, _ = place[j].numpy()
            user = int(np.flatnonzero(events.user_row == batch["user_row"][b])[0])
            mine = slice(events.start[user], events.start[user + 1])
            before = events.time_s[mine] < batch["request_time_s"][b, q]
            items, times = events.item_row[mine][before], events.time_s[mine][before]
            same = np.flatnonzero(items == own.row[j].numpy())
            assert own.count[j] == len(same)
            assert own.since_s[j] == batch["request_time_s"][b, q] - times[same[-1]]
            assert own.events_since[j] == len(items) - 1 - same[-1]
            interval = (times[same[-1]] - times[same[0]]) / max(len(same) - 1, 1)
            assert own.interval_s[j].numpy() == pytest.approx(interval, rel=1e-6)
            gap_s, apart = times[same[-1]] - times[same], (same[-1] - same).astype(np.int32)
            sums = tf.reduce_sum(fading_terms(tf.constant(gap_s), tf.constant(apart)), axis=0)
            np.testing.assert_allclose(own.sums[j].numpy(), sums.numpy(), rtol=1e-4, atol=1e-4)
            num_entries += 1
        asked = np.argwhere(batch["weight"] > 0)
        expected = 0
        for b, q in asked:
            user = int(np.flatnonzero(events.user_row == batch["user_row"][b])[0])
            mine = slice(events.start[user], events.start[user + 1])
            before = events.time_s[mine] < batch["request_time_s"][b, q]
            expected += len(np.unique(events.item_row[mine][before]))
        assert len(place) == expected
    assert num_entries > 100


def test_the_sampled_loss_counts_own_items_and_the_full_loss_agrees_that_repeats_matter(run):
    """Raising the weight of repeats moves both losses, and no own item is an empty place."""
    for loss in ("full", "sampled"):
        config = dataclasses.replace(
            run.config, model=dataclasses.replace(run.config.model, loss=loss)
        )
        changed = dataclasses.replace(run, config=config)
        model = changed.model()
        model.compile(make_optimizer(config, 1), make_objective(config, run.vocabulary))
        batch = next(
            training_batches(
                run.events(run.split.train),
                strict=True,
                history_len=8,
                batch_events=64,
                seed=0,
                epoch=0,
            )
        )
        batch = {name: tf.constant(value) for name, value in batch.items()}
        with tf.GradientTape() as tape:
            share = model._objective(model, batch)
        gradient = tape.gradient(share, model.user_tower.repeat_weight.bias.value)
        assert np.isfinite(share.numpy())
        assert np.abs(gradient).max() > 1e-4
        assert int(tf.reduce_min(own_items(batch)[0].row)) >= FIRST_ITEM_ROW


def test_long_histories_are_scored_in_parts_as_in_one(run, monkeypatch):
    log, sequences = run.dataset.log, build_sequences(run.dataset.log)
    requests = make_requests(log, sequences, run.split.test, "strict", "known")
    scorer = run.scorer(run.model())
    whole = scorer.score(requests)
    monkeypatch.setattr(model_scorer, "_MAX_HISTORY_EVENTS", 20)
    monkeypatch.setattr(retrieval, "_BLOCK_ROWS", 3)
    np.testing.assert_allclose(scorer.score(requests), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.scorer(run.model()).score(requests), whole, atol=1e-5)
