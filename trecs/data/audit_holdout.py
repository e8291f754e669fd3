"""What the two splits would do to a log: leaks and ties of one, newcomers in the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trecs.data.log import EventLog
from trecs.data.sequences import Sequences
from trecs.data.splits import leave_last_out, temporal
from trecs.errors import DataError


@dataclass(frozen=True)
class LeaveLastOut:
    """The leave-last-out split of a log.

    Attributes:
        num_targets: its test targets, the last event of each user with three or more.
        tied_target_share: share of them with the same second as their user's event before. Which
            of a tie is "last" is an accident of the file.
        later_training_share: for a test target, the share of all training events whose time is
            after the target's own; mean over the test targets. 0 if nothing leaks; a fixed moment
            between training and test would make it so.
    """

    num_targets: int
    tied_target_share: float
    later_training_share: float


@dataclass(frozen=True)
class Temporal:
    """The global temporal split of a log.

    Attributes:
        train_end_s: UTC epoch seconds, first second that does not train.
        test_start_s: first second of the test window.
        num_train: training events.
        num_validation: validation events.
        num_test: test events.
        test_span_s: seconds from the first test event to the last.
        cold_item_share: share of test events on items without a training event.
        cold_user_share: share of test events by users without a training event.
    """

    train_end_s: int
    test_start_s: int
    num_train: int
    num_validation: int
    num_test: int
    test_span_s: int
    cold_item_share: float
    cold_user_share: float


def measure_leave_last_out(log: EventLog, sequences: Sequences) -> LeaveLastOut | None:
    """The figures of leave-last-out; None where no user has three events.

    Args:
        log: the events.
        sequences: all of them by user, `build_sequences(log)`.
    """
    try:
        split = leave_last_out(log)
    except DataError:
        return None
    time_s = log.timestamp_s
    target_s = time_s[split.test]
    user = log.user[split.test]
    before_s = time_s[sequences.order[sequences.start[user + 1] - 2]]
    num_until = np.searchsorted(time_s[split.train], target_s, side="right")
    return LeaveLastOut(
        num_targets=split.test.size,
        tied_target_share=float((before_s == target_s).mean()),
        later_training_share=float(1 - num_until.mean() / split.train.size),
    )


def measure_temporal(log: EventLog, train_quantile: float, test_quantile: float) -> Temporal | None:
    """The figures of the temporal split; None where the log has too few distinct times for it."""
    try:
        split = temporal(log, train_quantile, test_quantile)
    except DataError:
        return None
    trained_item = np.zeros(log.num_items, np.bool_)
    trained_item[log.item[split.train]] = True
    trained_user = np.zeros(log.num_users, np.bool_)
    trained_user[log.user[split.train]] = True
    test_s = log.timestamp_s[split.test]
    return Temporal(
        train_end_s=int(log.timestamp_s[split.train.size]),
        test_start_s=int(test_s[0]),
        num_train=split.train.size,
        num_validation=split.validation.size,
        num_test=split.test.size,
        test_span_s=int(test_s[-1] - test_s[0]),
        cold_item_share=float((~trained_item[log.item[split.test]]).mean()),
        cold_user_share=float((~trained_user[log.user[split.test]]).mean()),
    )
