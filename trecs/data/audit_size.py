"""How large, how long and how sparse a log is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trecs.data.audit_summary import Spread, binned_shares, spread
from trecs.data.dataset import Dataset
from trecs.data.repeats import repeat_rate

LENGTH_EDGES = (1, 2, 3, 6, 11, 21, 51, 101)
"""Lower edges of the bins of a sequence's length: 1, 2, 3-5, 6-10, 11-20, 21-50, 51-100, more."""

_TRAINABLE = 3


@dataclass(frozen=True)
class Size:
    """What there is.

    Attributes:
        num_events: events, duplicates dropped.
        num_users: users with an event.
        num_items: items with an event.
        num_unused_items: items that only the items file has.
        unlisted_event_share: share of events on items without a row in the items file; None
            without an items file.
        first_s: UTC epoch seconds of the first event.
        last_s: of the last.
        density: distinct (user, item) pairs, divided by users times items.
        repeat_rate: share of events whose user had the item before.
        events_per_user: sequence lengths.
        length_shares: share of users by sequence length, in the bins of `LENGTH_EDGES`.
        short_user_share: share of users with fewer than 3 events, whom leave-last-out cannot test.
        truncated_user_share: share of users with more events than the model reads.
        history_len: how many it reads (`model.history_len`).
        events_per_item: events of each item that has one.
    """

    num_events: int
    num_users: int
    num_items: int
    num_unused_items: int
    unlisted_event_share: float | None
    first_s: int
    last_s: int
    density: float
    repeat_rate: float
    events_per_user: Spread | None
    length_shares: tuple[float, ...]
    short_user_share: float
    truncated_user_share: float
    history_len: int
    events_per_item: Spread | None


def measure_size(dataset: Dataset, history_len: int) -> Size:
    """Count a data set's events, users, items and how they meet."""
    log = dataset.log
    per_user = np.bincount(log.user)
    per_item = np.bincount(log.item)
    per_user, per_item = per_user[per_user > 0], per_item[per_item > 0]
    repeats = repeat_rate(log, np.arange(log.num_events, dtype=np.int64))
    num_pairs = round(log.num_events * (1 - repeats))
    listed = dataset.listed
    return Size(
        num_events=log.num_events,
        num_users=per_user.size,
        num_items=per_item.size,
        num_unused_items=dataset.num_items - per_item.size,
        unlisted_event_share=float((~listed[log.item]).mean()) if listed.any() else None,
        first_s=int(log.timestamp_s[0]),
        last_s=int(log.timestamp_s[-1]),
        density=num_pairs / (per_user.size * per_item.size),
        repeat_rate=repeats,
        events_per_user=spread(per_user),
        length_shares=binned_shares(per_user, LENGTH_EDGES),
        short_user_share=float((per_user < _TRAINABLE).mean()),
        truncated_user_share=float((per_user > history_len).mean()),
        history_len=history_len,
        events_per_item=spread(per_item),
    )
