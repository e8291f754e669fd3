"""Newer files beside what is known already: events joined, a catalogue that takes a former's place.

The rules: an event is known if the user, the item and the second are, so that files may overlap
(`trecs.data.log` drops duplicates inside a file by the same rule). A newer catalogue's rows
hold; items that it has no row for keep their former one.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.data.catalogue import Catalogue
from trecs.data.log import EventLog, events_frame, log_from_frame


def join_logs(known: EventLog, newer: EventLog) -> EventLog:
    """All events of two logs, each once, by time; of one second, the known ones first.

    An event keeps its rating, and takes a newer one where it had none.

    Example:
        Of `known` (u, a, 10 s), (u, b, 20 s) and `newer` (u, b, 20 s), (u, c, 20 s) there are
        three events: a, b, c.
    """
    joined = pd.concat([events_frame(log) for log in (known, newer)], ignore_index=True)
    return log_from_frame(joined, timestamp_unit="s")[0]


def join_catalogues(known: Catalogue, newer: Catalogue) -> Catalogue:
    """The items of the newer catalogue, then the known ones that it has no row for.

    Columns of categories, and release times, that only one of them has are unknown for the other's
    items.
    """
    others = np.flatnonzero(~pd.Index(known.item_ids).isin(pd.Index(newer.item_ids)))
    parts = newer, known.take(others)
    columns = dict.fromkeys([*newer.categories, *known.categories])
    nothing: tuple[str, ...] = ()
    return Catalogue(
        item_ids=np.concatenate([part.item_ids for part in parts]),
        titles=np.concatenate([part.titles for part in parts]),
        texts=np.concatenate([part.texts for part in parts]),
        categories={
            name: tuple(
                itertools.chain.from_iterable(
                    part.categories.get(name, (nothing,) * part.num_items) for part in parts
                )
            )
            for name in columns
        },
        release_time_s=_join_release(parts),
        columns=newer.columns or known.columns,
    )


def same_catalogues(one: Catalogue, other: Catalogue) -> bool:
    """Whether two catalogues have the same items in the same order, and know the same of them."""
    times = one.release_time_s, other.release_time_s
    if times[0] is None or times[1] is None:
        same_times = times[0] is times[1]
    else:
        same_times = np.array_equal(times[0], times[1], equal_nan=True)
    strings = ("item_ids", "titles", "texts")
    return (
        same_times
        and one.categories == other.categories
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in strings)
    )


def _join_release(parts: tuple[Catalogue, ...]) -> NDArray[np.float64] | None:
    times = [part.release_time_s for part in parts]
    if all(time is None for time in times):
        return None
    return np.concatenate(
        [
            np.full(part.num_items, np.nan) if time is None else time
            for part, time in zip(parts, times, strict=True)
        ]
    )
