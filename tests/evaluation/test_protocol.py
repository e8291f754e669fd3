"""The measurement on worlds whose outcome is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from trecs.data.repeats import repeat_rate
from trecs.data.sequences import build_sequences
from trecs.data.splits import Split, leave_last_out, temporal
from trecs.errors import DataError
from trecs.evaluation import full_ranking as module
from trecs.evaluation.baselines.popularity import MostPopular
from trecs.evaluation.protocol import (
    evaluate,
    excludes_seen_by_default,
    make_requests,
)


@dataclass
class Fixed:
    """Gives every request the same scores, and remembers how it was called."""

    row: list[float]
    chunks: list[int] = field(default_factory=list)

    def score(self, requests):
        self.chunks.append(len(requests))
        return np.tile(np.array(self.row, np.float32), (len(requests), 1))


@pytest.fixture
def world(make_dataset):
    """Three items train; item 3 appears at 40 and is chosen again at 50; item 4 is listed only."""
    events = [(0, 0, 10), (0, 1, 20), (1, 2, 30), (0, 3, 40), (1, 3, 50), (0, 0, 60)]
    dataset = make_dataset(events, num_items=5, listed=(4,))
    test = np.array([3, 4, 5])
    return dataset, Split("temporal", "strict", np.arange(3), test[:0], test, 40, 40)


def test_requests_are_the_targets_in_time_order_with_the_history_before_them(world):
    log = world[0].log
    sequences = build_sequences(log)
    requests = make_requests(log, sequences, np.array([5, 1, 4]), "strict")
    assert requests.user.tolist() == [0, 1, 0]
    assert requests.target_item.tolist() == [1, 3, 0]
    assert requests.request_time_s.tolist() == [20, 50, 60]
    histories = [
        sequences.order[a:b].tolist()
        for a, b in zip(requests.history_lo, requests.history_hi, strict=True)
    ]
    assert histories == [[0], [2], [0, 1, 3]]
    part = requests.take(slice(1, 2))
    assert (len(requests), len(part), part.request_time_s.tolist()) == (3, 1, [50])


def test_ranks_lists_and_the_cold_target_without_a_seen_filter(world):
    dataset, split = world
    outcome = evaluate(dataset, split, Fixed([1, 2, 3, 9, 5]), exclude_seen=False, top_k=5)
    # At 40 item 3 is unknown to everybody, so cold; afterwards it is the best.
    assert outcome.ranks.tolist() == [0, 1, 5]
    assert outcome.top_items.tolist() == [[4, 2, 1, 0, -1], [3, 4, 2, 1, 0], [3, 4, 2, 1, 0]]
    assert outcome.cold.tolist() == [True, False, False]
    assert outcome.excluded.tolist() == [False, False, False]
    assert outcome.events.tolist() == [3, 4, 5]
    assert outcome.num_candidates == 5


def test_the_seen_filter_takes_the_history_away_and_a_repeat_is_a_miss(world):
    dataset, split = world
    outcome = evaluate(dataset, split, Fixed([1, 2, 3, 9, 5]), exclude_seen=True, top_k=5)
    assert outcome.ranks.tolist() == [0, 1, 0]
    # User 0 had 0 and 1 at 40, and 3 too at 60; user 1 had 2 at 50.
    assert outcome.top_items.tolist() == [[4, 2, -1, -1, -1], [3, 4, 1, 0, -1], [4, 2, -1, -1, -1]]
    assert outcome.cold.tolist() == [True, False, False]
    assert outcome.excluded.tolist() == [False, False, True]


def test_the_protocol_is_said(world):
    dataset, split = world
    outcome = evaluate(dataset, split, Fixed([0] * 5), exclude_seen=True)
    said = outcome.protocol
    expected = {
        "split": "temporal",
        "targets": "test",
        "train_end_s": 40,
        "validation_end_s": 40,
        "ties": "strict",
        "request_time": "known",
        "seen_filter": "on",
        "num_candidates": 5,
        "num_cold_targets": 1,
        "num_excluded_targets": 1,
    }
    assert {name: said[name] for name in expected} == expected
    assert "1 + better + equal // 2" in said["tie_rule"]
    assert "counts as a miss" in said["cold_policy"]


def test_no_lists_are_kept_where_none_are_asked_for(world):
    dataset, split = world
    scorer = Fixed([1, 2, 3, 9, 5])
    outcome = evaluate(dataset, split, scorer, exclude_seen=False, top_k=0)
    assert outcome.ranks.tolist() == [0, 1, 5]
    assert outcome.top_items.shape == (3, 0)


def test_targets_may_be_given_and_are_put_in_time_order(world):
    dataset, split = world
    given = np.array([5, 2])
    outcome = evaluate(dataset, split, Fixed([1, 2, 3, 9, 5]), targets=given, exclude_seen=False)
    assert outcome.events.tolist() == [2, 5]
    assert given.tolist() == [5, 2]
    assert outcome.protocol["targets"] == "given"


def test_validation_targets_are_evaluated_by_name(make_dataset):
    dataset = make_dataset([(0, 0, 1), (0, 1, 2), (0, 2, 3)])
    split = leave_last_out(dataset.log)
    outcome = evaluate(
        dataset, split, Fixed([0, 1, 2]), targets="validation", exclude_seen=False, top_k=3
    )
    # Item 1 is in neither the training part nor before the request.
    assert (outcome.events.tolist(), outcome.ranks.tolist()) == ([1], [0])
    assert outcome.top_items.tolist() == [[0, -1, -1]]


def random_world(make_dataset, seed):
    rng = np.random.default_rng(seed)
    time_s = np.sort(rng.integers(0, 120, 240))
    user, item = rng.integers(0, 7, 240), np.sort(rng.integers(0, 12, 240) + np.arange(240) // 40)
    item = np.where(rng.random(240) < 0.5, rng.permutation(item), item)
    dataset = make_dataset(list(zip(user, item, time_s, strict=True)), num_items=22, listed=(19, 3))
    return dataset, temporal(dataset.log, 0.4, 0.6, ties="order" if seed % 2 else "strict")


class Hashed:
    """Few distinct scores from user, time and item: many ties, different for each request."""

    def score(self, requests):
        mixed = (requests.user * 7 + requests.request_time_s)[:, None] * (np.arange(22) + 3)
        return (mixed % 5).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_outcome_agrees_with_a_plain_count_target_by_target(
    make_dataset, monkeypatch, seed, exclude_seen, chunk
):
    monkeypatch.setattr(module, "_CHUNK_REQUESTS", chunk)
    dataset, split = random_world(make_dataset, seed)
    log = dataset.log
    outcome = evaluate(dataset, split, Hashed(), exclude_seen=exclude_seen, top_k=6)
    trained = set(log.item[split.train].tolist()) | set(np.flatnonzero(dataset.listed).tolist())
    for k, event in enumerate(split.test.tolist()):
        user, target, t = log.user[event], int(log.item[event]), log.timestamp_s[event]
        earlier = log.timestamp_s < t
        own = log.user == user
        before = own & (earlier if split.ties == "strict" else np.arange(log.num_events) < event)
        shown = trained | set(log.item[earlier].tolist())
        assert outcome.cold[k] == (target not in shown)
        if exclude_seen:
            seen = set(log.item[before].tolist())
            assert outcome.excluded[k] == (target in shown and target in seen)
            shown -= seen
        score = {i: (int(user) * 7 + int(t)) * (i + 3) % 5 for i in shown}
        if target not in shown:
            assert outcome.ranks[k] == 0
            continue
        better = sum(s > score[target] for s in score.values())
        equal = sum(s == score[target] for s in score.values())
        assert outcome.ranks[k] == 1 + better + equal // 2
        listed = outcome.top_items[k].tolist()
        if outcome.ranks[k] <= 6:
            assert listed[outcome.ranks[k] - 1] == target
        else:
            assert target not in listed
        best = sorted(score.values(), reverse=True)[:6]
        assert [score[i] for i in listed if i >= 0] == best


def test_chunks_have_one_size_and_fit_the_budget(make_dataset, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_SCORES", 4 * 5 + 3)
    dataset = make_dataset([(0, k % 5, k) for k in range(20)])
    scorer = Fixed([0, 1, 2, 3, 4])
    evaluate(dataset, temporal(dataset.log, 0.3, 0.5), scorer, exclude_seen=False)
    assert scorer.chunks == [4, 4, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_read_only_or_wider_array_of_a_scorer_is_taken_and_not_changed(world, dtype):
    dataset, split = world
    kept = np.broadcast_to(np.array([1, 2, 3, 9, 5], dtype), (3, 5))

    class ReadOnly:
        def score(self, requests):
            return kept

    outcome = evaluate(dataset, split, ReadOnly(), exclude_seen=True)
    assert outcome.ranks.tolist() == [0, 1, 0]
    assert np.isfinite(kept).all()


def test_nan_scores_are_refused(world):
    dataset, split = world
    scorer = Fixed([1, float("nan"), 3, 9, 5])
    with pytest.raises(DataError, match=r"Fixed gave NaN for 3 of 15 scores.*diverge"):
        evaluate(dataset, split, scorer, exclude_seen=False)


def test_scores_of_another_shape_are_refused(world):
    dataset, split = world
    with pytest.raises(ValueError, match=r"= \(3, 5\) scores, but Fixed gave \(3, 4\)"):
        evaluate(dataset, split, Fixed([1, 2, 3, 4]), exclude_seen=False)


def test_a_split_without_targets_is_refused(world):
    dataset, split = world
    with pytest.raises(DataError, match="'temporal' has no validation targets"):
        evaluate(dataset, split, Fixed([0] * 5), targets="validation", exclude_seen=False)


def test_repeat_rate_is_the_share_of_events_on_an_item_the_user_had(make_dataset):
    log = make_dataset([(0, 0, 1), (0, 0, 2), (1, 0, 3), (0, 1, 4), (0, 0, 5)]).log
    assert repeat_rate(log, np.arange(5)) == pytest.approx(2 / 5)
    assert repeat_rate(log, np.array([1, 2, 3])) == 0
    assert repeat_rate(log, np.array([], np.int64)) == 0


@pytest.mark.parametrize(("repeats", "expected"), [(0, True), (1, True), (2, False)])
def test_the_seen_filter_is_on_unless_more_than_a_tenth_of_training_repeats(
    make_dataset, repeats, expected
):
    items = [*range(10 - repeats), *range(repeats), 0, 0]
    log = make_dataset([(0, item, k) for k, item in enumerate(items)]).log
    split = temporal(log, 0.9, 0.95)
    assert split.train.size == 10
    assert excludes_seen_by_default(log, split) is expected


def test_most_popular_on_a_planted_world(make_dataset):
    # Item 0 trains three times, item 1 twice, item 2 once: ranks 1, 2, 3 for new users.
    train = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)]
    events = [(u, i, k) for k, (u, i) in enumerate(train)]
    dataset = make_dataset([*events, (3, 2, 10), (4, 0, 11), (5, 1, 12)])
    test = np.array([6, 7, 8])
    split = Split("temporal", "strict", np.arange(6), test[:0], test, 10, 10)
    scorer = MostPopular(dataset.log, split.train)
    assert evaluate(dataset, split, scorer, exclude_seen=True).ranks.tolist() == [3, 1, 2]
