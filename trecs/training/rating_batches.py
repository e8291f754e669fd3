"""Where ratings become batches: targets of one user share a row and the events that they read.

By `earlier`, the rule of everything that trecs reports as its own, a target reads the ratings of
earlier seconds alone, its user's and others' of its item. `all-but-target` reads every training
rating but the target itself, also later ones: what matrix factorisation reads in random folds, and
a leak of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import build_sequences, history_bounds
from trecs.errors import ConfigError
from trecs.models.ranking_data import MAX_HISTORY, RatingScale, count_feature, shrunk_mean
from trecs.training.rating_statistics import item_sums_before, item_sums_without

Reads = Literal["earlier", "all-but-target"]
Arrays = dict[str, NDArray[Any]]

_ROW = 1024
"""Most targets of a row, and how far apart the ends of their histories may lie."""
_MOST_PADDED = 4
"""Targets of a batch with their padding, as many times those that were asked for."""


@dataclass(frozen=True, eq=False)
class RatingRows:
    """Targets in rows of one user each.

    Attributes:
      events: `row`, `time_s` and `rating` [E] of the readable events, by user and time.
      targets: columns [k], by row: `event` (position in the log), `user_row`, `candidate_row`,
        `time_s`, `rating`, `offset`, `count`, `estimate` and `fitted` (0, until
        `trecs.training.rating_estimates` says better), and `lo`, `hi`, `itself`: the target reads
        events [lo, hi) but `itself`.
      start: int64 [R + 1], the targets of row r are [start[r], start[r + 1]).
    """

    events: Arrays
    targets: Arrays
    start: NDArray[np.int64]

    @property
    def num_targets(self) -> int:
        """Targets of all rows."""
        return int(self.start[-1])


def rating_rows(
    log: EventLog,
    item_row: NDArray[np.int32],
    user_row: NDArray[np.int32],
    scale: RatingScale,
    readable: NDArray[np.int64],
    targets: NDArray[np.int64],
    reads: Reads = "earlier",
) -> RatingRows:
    """Lay out targets.

    Args:
      log: with ratings.
      item_row: int32 [N], the model's row of each item code.
      user_row: int32 [U], the model's row of each user code.
      scale: fitted to the training ratings.
      readable: int64 [n] ascending positions of the events that may be read.
      targets: int64 [k] positions of the events to predict, which have ratings.
      reads: see the module.

    Raises:
      ConfigError: the log has no ratings, or `reads` is unknown.
    """
    if log.rating is None or reads not in get_args(Reads):
        raise ConfigError(
            f"rating rows need a log with ratings and one of {', '.join(get_args(Reads))}, but "
            f"{'no ratings' if log.rating is None else repr(reads)} came"
        )
    sequences = build_sequences(log, readable)
    lo, hi = history_bounds(log, sequences, targets, "strict")
    itself = np.full(len(targets), -1)
    sums = item_sums_before
    if reads == "all-but-target":
        place = np.full(log.num_events, -1)
        place[sequences.order] = np.arange(len(sequences.order))
        itself, sums = place[targets], item_sums_without
        middle, end = hi, sequences.start[log.user[targets] + 1]
        lo, hi = np.maximum(lo, middle - MAX_HISTORY), np.minimum(end, middle + MAX_HISTORY)
    else:
        lo = np.maximum(lo, hi - MAX_HISTORY)
    total, count = sums(log, scale.standardise(log.rating), log.rated(readable)[0], targets)
    order = np.lexsort((hi, log.user[targets]))
    columns: Arrays = {
        "event": targets,
        "user_row": user_row[log.user[targets]],
        "candidate_row": item_row[log.item[targets]],
        "time_s": log.timestamp_s[targets],
        "rating": log.rating[targets],
        "offset": shrunk_mean(total, count),
        "count": count_feature(count),
        "estimate": np.zeros(len(targets), np.float32),
        "fitted": np.zeros(len(targets), np.float32),
        "lo": lo,
        "hi": hi,
        "itself": itself,
    }
    return RatingRows(
        events={
            "row": item_row[log.item[sequences.order]],
            "time_s": log.timestamp_s[sequences.order],
            "rating": log.rating[sequences.order],
        },
        targets={name: column[order] for name, column in columns.items()},
        start=_row_starts(log.user[targets][order], hi[order]),
    )


def rating_batches(
    rows: RatingRows, batch_targets: int, rng: np.random.Generator | None = None
) -> Iterator[tuple[NDArray[np.int64], Arrays]]:
    """All targets once, in batches of rows with histories of about one length.

    Args:
      rows: the targets.
      batch_targets: targets of a batch, about.
      rng: deals the rows out and orders the batches; None keeps the order of lengths.

    Yields:
      The targets' numbers, int64 [B, C], -1 for padding, and a batch to the contract
      `RATING_FEATURES + RATING_TARGETS`.
    """
    num_targets = np.diff(rows.start)
    if not len(num_targets):
        return
    begin = np.minimum.reduceat(rows.targets["lo"], rows.start[:-1])
    end = np.maximum.reduceat(rows.targets["hi"], rows.start[:-1])
    length = (end - begin).astype(np.float64)
    noise = 0.0 if rng is None else rng.normal(0, 0.15, len(length))
    order = np.argsort((length + 1) * np.exp(noise), kind="stable")
    # Rows of few targets and long histories cost memory too.
    cost = np.cumsum(np.maximum(num_targets, length / 2)[order])
    cuts = np.flatnonzero(np.diff(cost // batch_targets)) + 1
    most = _MOST_PADDED * batch_targets
    batches = [part for rows in np.split(order, cuts) for part in _halved(rows, num_targets, most)]
    for i in range(len(batches)) if rng is None else rng.permutation(len(batches)):
        chosen = batches[i]
        yield _assemble(rows, chosen, begin[chosen], end[chosen])


def _halved(
    rows: NDArray[np.int64], num_targets: NDArray[np.int64], most: int
) -> list[NDArray[np.int64]]:
    """Rows in parts of about equal ones, where one row would have the others padded to it."""
    if len(rows) == 1 or len(rows) * num_targets[rows].max() <= most:
        return [rows]
    by_size = rows[np.argsort(num_targets[rows], kind="stable")]
    halves = np.split(by_size, [len(rows) // 2])
    return [part for half in halves for part in _halved(half, num_targets, most)]


def _row_starts(user: NDArray[np.integer], hi: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [R + 1]: where rows begin among targets sorted by user and end of the history."""
    if not len(user):
        return np.zeros(1, np.int64)
    opens = np.ones(len(user), bool)
    opens[1:] = (user[1:] != user[:-1]) | (hi[1:] // _ROW != hi[:-1] // _ROW)
    index = np.arange(len(user))
    since = index - np.maximum.accumulate(np.where(opens, index, 0))
    return np.append(np.flatnonzero(since % _ROW == 0), len(user)).astype(np.int64)


def _assemble(
    rows: RatingRows, chosen: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Arrays]:
    targets, events = rows.targets, rows.events
    first, num = rows.start[chosen], np.diff(rows.start)[chosen]
    column = np.arange(num.max())
    valid = column < num[:, None]
    which = np.where(valid, first[:, None] + column, 0)
    index = begin[:, None] + np.arange(max(int((end - begin).max()), 1))
    inside = index < end[:, None]
    at = np.where(inside, index, 0) if len(events["row"]) else np.zeros_like(index)
    absolute = index[:, None]
    visible = (targets["lo"][which][..., None] <= absolute) & (
        absolute < targets["hi"][which][..., None]
    )
    visible &= absolute != targets["itself"][which][..., None]
    visible &= valid[..., None]
    filled = events if len(events["row"]) else {k: np.zeros(1, v.dtype) for k, v in events.items()}
    return np.where(valid, which, -1), {
        "user_row": targets["user_row"][first].astype(np.int32),
        "history_row": np.where(inside, filled["row"][at], 0).astype(np.int32),
        "history_time_s": np.where(inside, filled["time_s"][at], 0).astype(np.int64),
        "history_rating": np.where(inside, filled["rating"][at], np.nan).astype(np.float32),
        "visible": visible,
        "candidate_row": np.where(valid, targets["candidate_row"][which], 0).astype(np.int32),
        "request_time_s": np.where(valid, targets["time_s"][which], 0).astype(np.int64),
        "candidate_offset": targets["offset"][which].astype(np.float32),
        "candidate_count": targets["count"][which].astype(np.float32),
        "candidate_estimate": targets["estimate"][which].astype(np.float32),
        "candidate_fitted": targets["fitted"][which].astype(np.float32),
        "rating": targets["rating"][which].astype(np.float32),
        "weight": (valid / valid.sum()).astype(np.float32),
    }
