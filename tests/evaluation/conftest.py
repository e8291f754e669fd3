"""A maker of tiny data sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from trecs.data.catalogue import Catalogue
from trecs.data.dataset import Dataset
from trecs.data.log import EventLog


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """`make_dataset([(user, item, timestamp_s), ...], num_items=, listed=)`, in time order."""

    def make(
        events: list[tuple[int, int, int]],
        num_items: int | None = None,
        listed: tuple[int, ...] = (),
        num_users: int | None = None,
    ) -> Dataset:
        user, item, time_s = (np.array(column) for column in zip(*events, strict=True))
        num_items = item.max() + 1 if num_items is None else num_items
        num_users = user.max() + 1 if num_users is None else num_users
        item_ids = np.array([f"i{k}" for k in range(num_items)], object)
        empty = np.full(num_items, "", object)
        log = EventLog(
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            timestamp_s=time_s.astype(np.int64),
            rating=None,
            user_ids=np.array([f"u{k}" for k in range(num_users)], object),
            item_ids=item_ids,
        )
        return Dataset(
            log=log,
            catalogue=Catalogue(item_ids, empty, empty, {}, None),
            listed=np.isin(np.arange(num_items), listed),
        )

    return make
