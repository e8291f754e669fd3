"""Which users have which items, and how many users two items share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trecs.data.blocks import cost_blocks
from trecs.data.log import EventLog

# Multiplications in one block of the product of items with items, and so its entries at most.
_BLOCK_PRODUCTS = 2**24


def training_matrix(log: EventLog, train: NDArray[np.int64]) -> sp.csr_array:
    """Return float32 [num_users, num_items], 1 where the user has a training event of the item."""
    shape = (log.num_users, log.num_items)
    pairs = (log.user[train].astype(np.int64), log.item[train].astype(np.int64))
    matrix = sp.csr_array((np.ones(train.size, np.float32), pairs), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def cooccurrences(users: sp.csr_array) -> Iterator[tuple[slice, sp.csr_array]]:
    """Count the users that two items share, a block of items at a time.

    Args:
        users: float32 [num_users, num_items], 1 where the user had the item.

    Yields:
        (part, counts): rows `part` of `users.T @ users`, float32 [rows of the part, num_items].
    """
    items = users.T.tocsr()
    num_items_of_user = np.diff(users.indptr).astype(np.float64)
    cost = (items @ num_items_of_user).astype(np.int64)
    for part in cost_blocks(cost, _BLOCK_PRODUCTS):
        yield part, items[part] @ users
