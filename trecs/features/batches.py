"""Where data becomes a batch.

The stream of a user with events e1 .. en is [start, e1, ..., en]; position p of it, read by a
causal model, predicts what comes next. A target e(j) asks from position j - 1 (tie rule `order`),
or from the last position strictly earlier in time (`strict`), so a tie never sees its siblings.
All positions of a window train at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import Sequences
from trecs.features.items import ItemTable
from trecs.features.repeats import NEVER, NUM_SUMS, Occurrences, find_occurrences
from trecs.features.spec import PAD_ROW, UNKNOWN_USER_ROW
from trecs.features.windows import Windows, plan_epoch, runs_of_one_bucket

# Items had before a training window that it knows, the newest ones, beside all of the window.
_MAX_OWN = 512


@dataclass(frozen=True)
class EventRows:
    """Events by user in time order, as the model's rows.

    Attributes:
      item_row: int32 [E] item rows, by user and time.
      time_s: int64 [E] UTC epoch seconds, likewise.
      start: int64 [U + 1] offsets; user code `u` owns [start[u], start[u + 1]).
      user_row: int32 [U] user row of each user code.
      occurrences: the events as occurrences of items; None where repeats play no part.
    """

    item_row: NDArray[np.int32]
    time_s: NDArray[np.int64]
    start: NDArray[np.int64]
    user_row: NDArray[np.int32]
    occurrences: Occurrences | None = None


def event_rows(
    log: EventLog,
    sequences: Sequences,
    table: ItemTable,
    user_ids: Sequence[str],
    repeats: bool = False,
) -> EventRows:
    """Translate a log's events into the model's rows, with their occurrences if `repeats`.

    Args:
      log, sequences: the events, and their order by user.
      table: rows of the items.
      user_ids: as of `trecs.features.users.UserTable`.
      repeats: whether repeats play a part.
    """
    row_of_user = {user_id: i + 1 for i, user_id in enumerate(user_ids)}
    item_row = table.row_of_code[log.item[sequences.order]]
    time_s = log.timestamp_s[sequences.order]
    return EventRows(
        item_row=item_row,
        time_s=time_s,
        occurrences=find_occurrences(item_row, time_s, sequences.start) if repeats else None,
        start=sequences.start,
        user_row=np.array(
            [row_of_user.get(user_id, UNKNOWN_USER_ROW) for user_id in log.user_ids], np.int32
        ),
    )


def training_batches(
    events: EventRows,
    *,
    strict: bool,
    history_len: int,
    batch_events: int,
    seed: int,
    epoch: int,
    row_multiple: int = 1,
    skip: int = 0,
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """One epoch of training batches; every event is a target once, but for the rest of a tie.

    Where a window begins inside a tie and the rule is strict, the rest of that tie would ask from
    before the window, and is left out: docs/decisions/0011.

    The order and the cutting points of long histories depend on (seed, epoch) alone, so that a
    resumed run sees what an uninterrupted one would have seen.

    Args:
      events: the training events.
      strict: tie rule, see the module.
      history_len: longest window.
      batch_events: targets a batch, about; a batch has `batch_events / window length` rows.
      seed, epoch: what the order depends on.
      row_multiple: rows of a batch are padded to a multiple of this (the number of replicas).
      skip: batches to leave out at the start.

    Yields:
      Batches to the contract `trecs.features.spec.TRAINING_FEATURES`. Weights sum to 1 over a
      batch.
    """
    windows, plan = plan_epoch(events.start, history_len, batch_events, seed, epoch)
    group_start = _tie_group_starts(events) if strict else None
    for chosen, bucket_len in plan[skip:]:
        batch = _assemble(events, windows.take(chosen), bucket_len)
        _add_targets(batch, events, windows.take(chosen), group_start)
        batch |= _own_batch(events, windows.take(chosen))
        yield _pad_rows(batch, row_multiple)


def num_training_batches(
    events: EventRows, history_len: int, batch_events: int, seed: int, epoch: int
) -> int:
    """How many batches `training_batches` yields for these arguments without `skip`."""
    return len(plan_epoch(events.start, history_len, batch_events, seed, epoch)[1])


def query_batches(
    events: EventRows,
    user: NDArray[np.int32],
    history_lo: NDArray[np.int64],
    history_hi: NDArray[np.int64],
    request_time_s: NDArray[np.int64],
    *,
    history_len: int,
    batch_rows: int,
) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]]:
    """Batches that ask once a row: what will the user want at the request time?

    Args:
      events: all events that histories may hold.
      user: int32 [n] user codes.
      history_lo, history_hi: int64 [n]; the history is events [lo, hi).
      request_time_s: int64 [n].
      history_len: newest events kept.
      batch_rows: rows a batch at the full history length; shorter histories come in larger batches.

    Yields:
      Pairs of the positions (int64) of the batch's requests among the n, and a batch to the
      contract `trecs.features.spec.QUERY_FEATURES` with one query a row.
    """
    num_positions = history_hi - history_lo + 1
    length = np.minimum(num_positions, history_len)
    windows = Windows(user, history_lo, num_positions - length, length)
    for chosen, bucket_len in runs_of_one_bucket(length, history_len, batch_rows):
        batch = _assemble(events, windows.take(chosen), bucket_len, request_time_s[chosen])
        batch["query_position"] = (length[chosen] - 1)[:, None].astype(np.int32)
        yield chosen, batch


def _tie_group_starts(events: EventRows) -> NDArray[np.int64]:
    """int64 [E]: offset, inside its user, of the first event of each event's second."""
    index = np.arange(len(events.time_s))
    base = np.repeat(events.start[:-1], np.diff(events.start))
    opens = index == base
    opens[1:] |= events.time_s[1:] != events.time_s[:-1]
    return np.maximum.accumulate(np.where(opens, index, 0)) - base


def _assemble(
    events: EventRows,
    windows: Windows,
    bucket_len: int,
    request_time_s: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """The history part of a batch; with request times, these follow the last position."""
    column = np.arange(bucket_len)
    valid = column < windows.length[:, None]
    following = (windows.base + windows.begin)[:, None] + column
    own_index = np.clip(following - 1, 0, len(events.time_s) - 1)
    next_time_s = events.time_s[np.clip(following, 0, len(events.time_s) - 1)]
    if request_time_s is not None:
        next_time_s[np.arange(len(windows.length)), windows.length - 1] = request_time_s
    # The start has no time of its own: it takes that of the first event or request.
    is_start = (windows.begin == 0)[:, None] & (column == 0)
    event_time_s = np.where(is_start, next_time_s, events.time_s[own_index])
    history_row = np.where(valid & ~is_start, events.item_row[own_index], PAD_ROW)
    return {
        "user_row": events.user_row[windows.user],
        "history_row": history_row.astype(np.int32),
        "event_time_s": np.where(valid, event_time_s, 0),
        "next_time_s": np.where(valid, next_time_s, 0),
    }


def _add_targets(
    batch: dict[str, NDArray[np.generic]],
    events: EventRows,
    windows: Windows,
    group_start: NDArray[np.int64] | None,
) -> None:
    """Add a target to every position of the windows, in place."""
    shape = batch["history_row"].shape
    column = np.broadcast_to(np.arange(shape[1]), shape)
    valid = column < windows.length[:, None]
    event = np.clip((windows.base + windows.begin)[:, None] + column, 0, len(events.time_s) - 1)
    position = column
    if group_start is not None:
        position = group_start[event] - windows.begin[:, None]
        valid = valid & (position >= 0)
    batch["query_position"] = np.where(valid, position, 0).astype(np.int32)
    batch["target_row"] = np.where(valid, events.item_row[event], PAD_ROW).astype(np.int32)
    batch["request_time_s"] = np.where(valid, events.time_s[event], 0)
    batch["weight"] = (valid / max(valid.sum(), 1)).astype(np.float32)


def _own_batch(events: EventRows, windows: Windows) -> dict[str, NDArray[np.generic]]:
    """What the users had before or in their windows, to `trecs.features.spec.OWN_FEATURES`."""
    found = [_own_events(events, *window) for window in windows]
    width = max((len(event) for event in found), default=0)
    shape = (len(found), width)
    filled = np.arange(width) < np.array([len(event) for event in found], int)[:, None]
    event = np.zeros(shape, np.int64)
    batch: dict[str, NDArray[np.generic]] = {
        "own_row": np.full(shape, PAD_ROW, np.int32),
        "own_time_s": np.zeros(shape, np.int64),
        "own_count": np.zeros(shape, np.int32),
        "own_interval_s": np.zeros(shape, np.float32),
        "own_sums": np.zeros((*shape, NUM_SUMS), np.float32),
        "own_from": np.zeros(shape, np.int32),
        "own_until": np.zeros(shape, np.int32),
    }
    if events.occurrences is None or not width:
        return batch
    event[filled] = np.concatenate(found)
    # The event with index e of a user is read by the stream position e - base + 1.
    origin = (windows.base + windows.begin - 1)[:, None]
    next_index = events.occurrences.next_index[event]
    until = np.where(next_index < len(events.time_s), next_index - origin, NEVER)
    columns: dict[str, NDArray[Any]] = {
        "own_row": events.item_row[event],
        "own_time_s": events.time_s[event],
        "own_count": events.occurrences.count[event],
        "own_interval_s": events.occurrences.interval_s[event],
        "own_sums": events.occurrences.sums[event],
        "own_from": event - origin,
        "own_until": until,
    }
    for name, values in columns.items():
        kept = filled.reshape(*shape, *[1] * (values.ndim - 2))
        batch[name] = np.where(kept, values, 0).astype(batch[name].dtype)
    return batch


def _own_events(events: EventRows, base: int, begin: int, length: int) -> NDArray[np.int64]:
    """Events of a window's user whose item is not had again before the window begins."""
    if events.occurrences is None:
        return np.zeros(0, np.int64)
    known = slice(base, base + begin + length - 1)
    alive = events.occurrences.next_index[known] >= base + begin
    return base + np.flatnonzero(alive)[-(_MAX_OWN + length - 1) :]


def _pad_rows(
    batch: dict[str, NDArray[np.generic]], multiple: int
) -> dict[str, NDArray[np.generic]]:
    """Repeat the first row with weight 0 until the rows divide among the replicas."""
    missing = -len(batch["user_row"]) % multiple
    if not missing:
        return batch
    padded = {k: np.concatenate([v, np.repeat(v[:1], missing, axis=0)]) for k, v in batch.items()}
    padded["weight"][-missing:] = 0
    # Nor are they negatives.
    padded["target_row"][-missing:] = PAD_ROW
    return padded
