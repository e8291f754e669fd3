"""The exchange files as arrays, in a peer's own environment: NumPy and PyArrow, nothing of trecs.

Items are numbered 1 to N in the order of their first training event; 0 is padding. Items of a
history that did not train are left out of it, since no peer can read them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Requests:
    """n requests with their histories of known items, one after the other.

    Attributes:
        user: int32 [n], row of the training users; -1 for a user who did not train.
        time_s: int64 [n], UTC epoch seconds.
        start: int64 [n + 1]; the history of request k is `item[start[k]:start[k + 1]]`.
        item: int32 [h], item numbers from 1, oldest first.
        item_time_s: int64 [h], UTC epoch seconds.
        target: int32 [n], item numbers, 0 for one that did not train; empty if not told.
    """

    user: NDArray[np.int32]
    time_s: NDArray[np.int64]
    start: NDArray[np.int64]
    item: NDArray[np.int32]
    item_time_s: NDArray[np.int64]
    target: NDArray[np.int32]

    def __len__(self) -> int:
        """Number of requests."""
        return self.user.size

    @property
    def length(self) -> NDArray[np.int64]:
        """Number of known items in each history, int64 [n]."""
        return np.diff(self.start)

    def only(self, known: NDArray[np.bool_]) -> Requests:
        """The same requests with the items of their histories that are known, bool [N + 1]."""
        kept = known[self.item]
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(
            self,
            start=before[self.start],
            item=self.item[kept],
            item_time_s=self.item_time_s[kept],
        )

    def newest(
        self, rows: NDArray[np.int64], max_len: int, side: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The newest items of some requests and their times, padded on a side with 0.

        Returns:
            int64 [len(rows), max_len] item numbers, and times of the same shape.
        """
        length = np.minimum(self.length[rows], max_len)[:, None]
        column = np.arange(max_len)[None, :]
        shift = max_len - length if side == "left" else 0
        offset = column - shift
        valid = (offset >= 0) & (offset < length)
        place = np.where(valid, self.start[rows + 1][:, None] - length + offset, 0)
        items = np.where(valid, self.item[place], 0)
        return items.astype(np.int64), np.where(valid, self.item_time_s[place], 0)


@dataclass(frozen=True, eq=False)
class Exchange:
    """The files of a split: training events by time, requests, whether seen items are filtered."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time_s: NDArray[np.int64]
    num_users: int
    item_ids: pa.Array
    validation: Requests
    requests: Requests
    exclude_seen: bool
    top_k: int

    @property
    def num_items(self) -> int:
        """Number of items that trained, N."""
        return len(self.item_ids)


def read_exchange(folder: Path) -> Exchange:
    """Read what `exchange.py export` wrote."""
    protocol = json.loads((folder / "protocol.json").read_text())
    train = pq.read_table(folder / "train.parquet")
    user, item = (
        train[name].combine_chunks().cast(pa.string()).dictionary_encode()
        for name in ("user_id", "item_id")
    )
    validation, requests = (
        _read_requests(pq.read_table(folder / name), user.dictionary, item.dictionary)
        for name in ("validation.parquet", "requests.parquet")
    )
    return Exchange(
        user=user.indices.to_numpy(),
        item=item.indices.to_numpy() + np.int32(1),
        time_s=train["timestamp"].to_numpy(),
        num_users=len(user.dictionary),
        item_ids=item.dictionary,
        validation=validation,
        requests=requests,
        exclude_seen=protocol["exclude_seen"],
        top_k=protocol["top_k"],
    )


def _read_requests(table: pa.Table, user_ids: pa.Array, item_ids: pa.Array) -> Requests:
    def number(values: pa.Array, known: pa.Array) -> NDArray[np.int32]:
        return pc.fill_null(pc.index_in(values, known), -1).to_numpy(zero_copy_only=False)

    history = table["history_item_ids"].combine_chunks()
    item = number(history.flatten(), item_ids) + 1
    has_target = "item_id" in table.column_names
    requests = Requests(
        user=number(table["user_id"].combine_chunks(), user_ids),
        time_s=table["request_time_s"].to_numpy(),
        start=history.offsets.to_numpy(),
        item=item,
        item_time_s=table["history_times_s"].combine_chunks().flatten().to_numpy(),
        target=number(table["item_id"].combine_chunks(), item_ids) + 1
        if has_target
        else np.array([], np.int32),
    )
    return requests.only(np.arange(len(item_ids) + 1) > 0)
