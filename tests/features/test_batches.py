"""Training batches and query batches, against the events themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.sequences import build_sequences, history_bounds
from trecs.features.batches import (
    EventRows,
    event_rows,
    num_training_batches,
    query_batches,
    training_batches,
)
from trecs.features.items import build_item_table
from trecs.features.spec import QUERY_FEATURES, TRAINING_FEATURES, check_batch
from trecs.features.vocabulary import fit_vocabulary

Batch = dict[str, NDArray[np.generic]]
HISTORY_LEN = 10


def world_rows(world: Dataset) -> EventRows:
    vocabulary = fit_vocabulary(world, np.arange(world.log.num_events))
    table = build_item_table(world, vocabulary, np.zeros((world.num_items, 0), np.float32))
    return event_rows(world.log, build_sequences(world.log), table, vocabulary.user_ids)


@pytest.fixture(scope="module")
def rows(world: Dataset) -> EventRows:
    return world_rows(world)


def batches(rows: EventRows, strict: bool = False, **changes: int) -> list[Batch]:
    arguments = {"history_len": HISTORY_LEN, "batch_events": 60, "seed": 1, "epoch": 0} | changes
    return list(training_batches(rows, strict=strict, **arguments))


def targets(batch: Batch) -> Iterator[tuple[int, int, int, int, int]]:
    """(batch row, user row, target row, request time, query position) of each real target."""
    for row, column in zip(*np.nonzero(batch["weight"]), strict=True):
        yield (
            int(row),
            int(batch["user_row"][row]),
            int(batch["target_row"][row, column]),
            int(batch["request_time_s"][row, column]),
            int(batch["query_position"][row, column]),
        )


def all_events(rows: EventRows) -> list[tuple[int, int, int]]:
    """(user row, item row, time) of every event, in one order."""
    user = np.repeat(rows.user_row, np.diff(rows.start))
    return sorted(zip(user.tolist(), rows.item_row.tolist(), rows.time_s.tolist(), strict=True))


def tie_rows() -> EventRows:
    """One user: item 2 at 10, items 3 and 4 at 20, item 5 at 30; another user: item 6 at 5."""
    return EventRows(
        item_row=np.array([2, 3, 4, 5, 6], np.int32),
        time_s=np.array([10, 20, 20, 30, 5], np.int64),
        start=np.array([0, 4, 5], np.int64),
        user_row=np.array([1, 2], np.int32),
    )


def same(a: Batch, b: Batch) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("strict", [False, True])
def test_batches_keep_the_contract(rows: EventRows, strict: bool) -> None:
    for batch in batches(rows, strict, row_multiple=3):
        check_batch(batch, TRAINING_FEATURES)


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_every_event_is_a_target_once_an_epoch(rows: EventRows, epoch: int) -> None:
    found = [t[1:4] for batch in batches(rows, epoch=epoch) for t in targets(batch)]
    assert sorted(found) == all_events(rows)


def test_every_short_history_trains_whole_under_the_strict_rule(rows: EventRows) -> None:
    found = [t[1:4] for b in batches(rows, True, history_len=64) for t in targets(b)]
    assert sorted(found) == all_events(rows)


def test_weights_sum_to_one(rows: EventRows) -> None:
    for batch in batches(rows, row_multiple=4):
        assert batch["weight"].sum() == pytest.approx(1, abs=1e-6)


def test_a_history_is_laid_out_from_its_start() -> None:
    (batch,) = batches(tie_rows())
    order = np.argsort(batch["user_row"])
    ours = {name: values[order] for name, values in batch.items()}
    pad = [0, 0, 0, 0]
    # The start takes the time of the first event; the last event is a target only.
    assert ours["history_row"][0].tolist() == [0, 2, 3, 4, *pad]
    assert ours["event_time_s"][0].tolist() == [10, 10, 20, 20, *pad]
    assert ours["next_time_s"][0].tolist() == [10, 20, 20, 30, *pad]
    assert ours["target_row"][0].tolist() == [2, 3, 4, 5, *pad]
    assert ours["request_time_s"][0].tolist() == [10, 20, 20, 30, *pad]
    assert ours["query_position"][0].tolist() == [0, 1, 2, 3, *pad]
    assert ours["history_row"][1].tolist() == [0] * 8
    assert ours["target_row"][1].tolist() == [6, *[0] * 7]


def test_under_the_strict_rule_a_tie_asks_from_before_itself() -> None:
    (batch,) = batches(tie_rows(), strict=True)
    found = {(target, position) for _, _, target, _, position in targets(batch)}
    assert found == {(2, 0), (3, 1), (4, 1), (5, 3), (6, 0)}


def test_the_query_stands_at_the_last_event_that_the_rule_shows(rows: EventRows) -> None:
    for strict in (False, True):
        for batch in batches(rows, strict, epoch=3):
            for row, _, _, time_s, position in targets(batch):
                shown = batch["event_time_s"][row, position]
                is_start = position == 0 and batch["history_row"][row, 0] == 0
                assert is_start or (shown < time_s if strict else shown <= time_s)
                assert batch["next_time_s"][row, position] == time_s


def test_a_resumed_epoch_is_the_tail_of_the_same_epoch(rows: EventRows) -> None:
    whole = batches(rows, epoch=2)
    assert len(whole) > 5
    assert num_training_batches(rows, HISTORY_LEN, 60, 1, 2) == len(whole)
    for a, b in zip(batches(rows, epoch=2, skip=4), whole[4:], strict=True):
        same(a, b)
    assert batches(rows, epoch=2, skip=len(whole)) == []


def test_the_same_seed_and_epoch_give_the_same_batches(rows: EventRows) -> None:
    for a, b in zip(batches(rows), batches(rows), strict=True):
        same(a, b)


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 1}])
def test_another_seed_or_epoch_gives_another_order(rows: EventRows, change: dict[str, int]) -> None:
    first, other = ([b["target_row"].tolist() for b in batches(rows, **c)] for c in ({}, change))
    assert first != other


@pytest.mark.parametrize("multiple", [2, 4])
def test_rows_divide_among_replicas_and_padding_weighs_nothing(
    rows: EventRows, multiple: int
) -> None:
    for plain, padded in zip(batches(rows), batches(rows, row_multiple=multiple), strict=True):
        count = len(plain["user_row"])
        assert len(padded["user_row"]) % multiple == 0
        assert len(padded["user_row"]) < count + multiple
        same(plain, {name: values[:count] for name, values in padded.items()})
        assert not padded["weight"][count:].any()


@pytest.mark.parametrize(
    ("history_len", "allowed"), [(5, {5}), (8, {8}), (20, {8, 16, 20}), (64, {8, 16, 32})]
)
def test_windows_come_in_few_lengths(rows: EventRows, history_len: int, allowed: set[int]) -> None:
    # The longest history of the world is 29 events.
    found = {b["history_row"].shape[1] for b in batches(rows, history_len=history_len)}
    assert found == allowed


def test_a_batch_holds_about_the_targets_that_were_asked_for(rows: EventRows) -> None:
    for batch in batches(rows, batch_events=60, history_len=20):
        assert batch["history_row"].size <= 60


def test_input_is_not_changed(world: Dataset) -> None:
    rows, fresh = world_rows(world), world_rows(world)
    batches(rows, strict=True)
    for name in ("item_row", "time_s", "start", "user_row"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(fresh, name))


@pytest.mark.parametrize("strict", [False, True])
def test_queries_are_what_training_showed_for_the_same_history(
    world: Dataset, rows: EventRows, strict: bool
) -> None:
    history_len = 64  # no window is cut, so that positions agree
    sequences = build_sequences(world.log)
    lo, hi = history_bounds(world.log, sequences, sequences.order, "strict" if strict else "order")
    asked = {}
    for chosen, batch in query_batches(
        rows,
        world.log.user[sequences.order],
        lo,
        hi,
        rows.time_s,
        history_len=history_len,
        batch_rows=16,
    ):
        check_batch(batch, QUERY_FEATURES)
        for k, event in enumerate(chosen.tolist()):
            end = int(batch["query_position"][k, 0]) + 1
            key = (
                int(batch["user_row"][k]),
                int(rows.item_row[event]),
                int(rows.time_s[event]),
                end,
            )
            asked[key] = tuple(
                batch[name][k, :end].tolist()
                for name in ("history_row", "event_time_s", "next_time_s")
            )
            assert not batch["history_row"][k, end:].any()
    trained = {}
    for batch in batches(rows, strict, history_len=history_len):
        for row, user, target, time_s, position in targets(batch):
            end = position + 1
            trained[user, target, time_s, end] = tuple(
                batch[name][row, :end].tolist()
                for name in ("history_row", "event_time_s", "next_time_s")
            )
    assert asked == trained


def test_a_long_history_keeps_its_newest_events() -> None:
    rows = tie_rows()
    user, lo, hi = (np.array([k], dtype) for k, dtype in ((0, np.int32), (0, int), (4, int)))
    ((chosen, batch),) = query_batches(
        rows, user, lo, hi, np.array([99], np.int64), history_len=3, batch_rows=4
    )
    assert chosen.tolist() == [0]
    assert batch["history_row"].tolist() == [[3, 4, 5]]
    assert batch["event_time_s"].tolist() == [[20, 20, 30]]
    assert batch["next_time_s"].tolist() == [[20, 30, 99]]
    assert batch["query_position"].tolist() == [[2]]


def test_an_empty_history_is_its_start_at_the_request() -> None:
    rows = tie_rows()
    user, bound = np.array([1], np.int32), np.array([4], np.int64)
    ((_, batch),) = query_batches(
        rows, user, bound, bound, np.array([77], np.int64), history_len=3, batch_rows=4
    )
    assert batch["history_row"].tolist() == [[0, 0, 0]]
    assert batch["event_time_s"].tolist() == [[77, 0, 0]]
    assert batch["next_time_s"].tolist() == [[77, 0, 0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user_row": None}, r"a batch must have \[.*'user_row'.*\], got"),
        ({"user_row": np.zeros(2, np.int64)}, r"user_row must be int32 \['batch'\], got int64"),
        ({"weight": np.zeros((3, 8), np.float32)}, r"weight has shape \(3, 8\), but batch is 2"),
    ],
)
def test_a_batch_that_breaks_the_contract_is_refused(
    changes: dict[str, NDArray[np.generic] | None], message: str
) -> None:
    (batch,) = batches(tie_rows())
    broken = {name: v for name, v in (batch | changes).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        check_batch(broken, TRAINING_FEATURES)
