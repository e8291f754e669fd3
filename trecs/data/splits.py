"""Which events train, which choose the model, which measure it.

A split holds event positions, not copies. What may be seen *before* a target is another question,
answered by `trecs.data.sequences.history_bounds` under the split's tie rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.data.sequences import Ties, build_sequences, check_ties
from trecs.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Split:
    """A log cut in three.

    Attributes:
        name: "temporal" or "leave-last-out".
        ties: the tie rule of the histories, see `trecs.data.sequences.Ties`.
        train: int64 [n], event positions in ascending order; fitted state comes from these alone.
        validation: int64 [n], likewise: the targets that choose the model.
        test: int64 [n], likewise: the targets that measure it.
        train_end_s: UTC epoch seconds, first second that does not train; None where no moment of
            time separates the parts.
        validation_end_s: UTC epoch seconds, first second of the test window; None likewise.
    """

    name: str
    ties: Ties
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    train_end_s: int | None
    validation_end_s: int | None

    def targets(self, part: Literal["validation", "test"]) -> NDArray[np.int64]:
        """Event positions, int64 [n], of one held-out part; ConfigError for any other name."""
        if part not in ("validation", "test"):
            raise ConfigError(f"targets are those of 'validation' or 'test', but {part!r} came")
        return self.validation if part == "validation" else self.test


def temporal(
    log: EventLog, train_quantile: float = 0.8, test_quantile: float = 0.9, ties: Ties = "strict"
) -> Split:
    """Cut the log at two moments: train before `t1`, validate in `[t1, t2)`, test from `t2` on.

    `t1` and `t2` are quantiles of the events' timestamps, by numpy's method "higher": the smallest
    timestamp at or above the quantile. Every event of the log is in exactly one part, and all
    events of one second are in the same part. Where both quantiles fall on one second (a log of
    few distinct times), `t1` moves to the second before, so that the test window stays as defined.

    Leaks prevented: no event at or after a test target's window trains, of any user. Not prevented:
    nothing is dropped by age or by user, so a test user may be new and a test item cold.

    Raises:
        ConfigError: the quantiles are not 0 < train_quantile < test_quantile < 1, or an unknown
            tie rule.
        DataError: too few distinct times to have three parts.
    """
    check_ties(ties)
    if not 0 < train_quantile < test_quantile < 1:
        raise ConfigError(
            "the temporal split needs 0 < train_quantile < test_quantile < 1, but "
            f"{train_quantile} and {test_quantile} came; the defaults are 0.8 and 0.9"
        )
    test_start = window_start(log, test_quantile)
    train_end = window_start(log, train_quantile)
    if train_end == test_start > 0:
        train_end = _first_of_its_second(log, test_start - 1)
    if train_end == 0:
        raise DataError(
            "the temporal split needs events at three different times at least, but of timestamps "
            f"{log.timestamp_s[0]} to {log.timestamp_s[-1]} (epoch seconds) none is left to train "
            f"before the quantiles {train_quantile} and {test_quantile}: raise them, or use "
            "leave-last-out"
        )
    positions = np.arange(log.num_events, dtype=np.int64)
    return Split(
        name="temporal",
        ties=ties,
        train=positions[:train_end],
        validation=positions[train_end:test_start],
        test=positions[test_start:],
        train_end_s=int(log.timestamp_s[train_end]),
        validation_end_s=int(log.timestamp_s[test_start]),
    )


def leave_last_out(log: EventLog, ties: Ties = "order") -> Split:
    """Hold out the last two events of every user: the last is tested, the one before it validates.

    "Last" is by time, and by the log's order inside a second. Users with fewer than three events
    train only. The usual split of published results, and comparable with them, for which `ties`
    defaults to "order".

    Leaks prevented: a user's own later events. Not prevented: the training part holds what *other*
    users did after a target's time, so a model, or a popularity count, fitted on it has seen the
    future. Claims about time need the temporal split.

    Raises:
        ConfigError: an unknown tie rule.
        DataError: no user has three events.
    """
    check_ties(ties)
    sequences = build_sequences(log)
    num_events = np.diff(sequences.start)
    end = sequences.start[1:][num_events >= 3]
    if not end.size:
        raise DataError(
            "leave-last-out needs a user with three events at least (train, validation, test), but "
            f"the longest of {log.num_users} users has {num_events.max(initial=0)}: "
            "does the user column name the users, or is it a row number?"
        )
    test = np.sort(sequences.order[end - 1])
    validation = np.sort(sequences.order[end - 2])
    is_train = np.ones(log.num_events, np.bool_)
    is_train[test] = False
    is_train[validation] = False
    return Split(
        name="leave-last-out",
        ties=ties,
        train=np.flatnonzero(is_train).astype(np.int64),
        validation=validation,
        test=test,
        train_end_s=None,
        validation_end_s=None,
    )


def train_on_held_out(split: Split, test: bool) -> Split:
    """The validation events train too, and the test events where asked for; none choose any more.

    For the last training before a model is deployed: what was held out is what is newest.
    """
    parts = [split.train, split.validation, *([split.test] if test else [])]
    nothing = np.zeros(0, np.int64)
    return replace(
        split,
        train=np.sort(np.concatenate(parts)),
        validation=nothing,
        test=nothing if test else split.test,
        train_end_s=None if test else split.validation_end_s,
        validation_end_s=None if test else split.validation_end_s,
    )


def window_start(log: EventLog, quantile: float) -> int:
    """Position of the first event of the window that starts at a quantile of time.

    Raises:
        DataError: the log has no events.
    """
    if not log.num_events:
        raise DataError("a split needs events, but the log has none")
    return _first_of_its_second(log, math.ceil(quantile * (log.num_events - 1)))


def _first_of_its_second(log: EventLog, position: int) -> int:
    """Position of the first event that has the timestamp of the event at `position`."""
    return int(np.searchsorted(log.timestamp_s, log.timestamp_s[position], side="left"))
