"""Lists for many users at once: a Parquet of events in, a Parquet of lists out.

    python examples/batch_scoring.py MODEL/1 events.parquet lists.parquet --at 1700000000

Needs tensorflow, numpy and pyarrow; trecs itself is not imported. `events.parquet` has the columns
`user_id`, `item_id` (strings) and `timestamp` (UTC epoch seconds). Memory holds the events' columns
and one batch; the lists are written batch by batch. Users are taken in the order of history length,
so that a batch is padded little.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)


def user_batches(path: Path, rows: int, newest: int) -> tf.data.Dataset:
    """Batches (user_id [B], item ids [B, L], times [B, L]) of users, short histories first.

    Args:
      path: events.
      rows: B, of all batches but the last.
      newest: events kept of each user.
    """
    events = pq.read_table(path, columns=["user_id", "item_id", "timestamp"])
    # Ids are strings, also where the file has numbers.
    strings = {name: events[name].cast(pa.string()).to_numpy() for name in ("user_id", "item_id")}
    users, code = np.unique(strings["user_id"], return_inverse=True)
    times = events["timestamp"].to_numpy()
    order = np.lexsort((times, code))
    items, times = strings["item_id"][order], times[order]
    end = np.cumsum(np.bincount(code, minlength=len(users)))
    begin = np.maximum(np.concatenate([[0], end[:-1]]), end - newest)

    def one_by_one() -> Iterator[tuple[Any, Any, Any]]:
        for user in np.argsort(end - begin, kind="stable"):
            own = slice(begin[user], end[user])
            yield users[user], items[own], times[own]

    spec = (
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([None], tf.string),
        tf.TensorSpec([None], tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(one_by_one, output_signature=spec)
    return dataset.padded_batch(rows).prefetch(tf.data.AUTOTUNE)


def score(version: Path, events: Path, to: Path, at_s: int, rows: int, k: int) -> int:
    """Write the k best items of every user at a time, and return how many users there were."""
    recommend = tf.saved_model.load(str(version)).signatures["recommend"]
    count = 0
    # Under another name until it is whole, so that a job that was cut short leaves no lists.
    part = to.with_name(to.name + ".part")
    with pq.ParquetWriter(part, _SCHEMA) as writer:
        for user_ids, item_ids, times in user_batches(events, rows, newest=10_000):
            answer = recommend(
                user_id=user_ids,
                history_item_ids=item_ids,
                history_timestamps=times,
                request_time=tf.fill(tf.shape(user_ids), tf.constant(at_s, tf.int64)),
            )
            ids, scores = answer["item_ids"].numpy()[:, :k], answer["scores"].numpy()[:, :k]
            # A list with fewer items than its places ends in empty ids.
            named = ids != b""
            lists = {
                "user_id": [user.decode() for user in user_ids.numpy()],
                "item_ids": [[item.decode() for item in row if item] for row in ids],
                "scores": [row[kept].tolist() for row, kept in zip(scores, named, strict=True)],
            }
            writer.write_table(pa.table(lists, schema=_SCHEMA))
            count += len(lists["user_id"])
    part.replace(to)
    return count


def main() -> None:
    """Read the command line and score."""
    parser = argparse.ArgumentParser(description="Lists for many users at once.")
    parser.add_argument(
        "version", type=Path, help="folder of a version, such as saved_models/NAME/1"
    )
    parser.add_argument("events", type=Path, help="Parquet: user_id, item_id, timestamp")
    parser.add_argument("to", type=Path, help="Parquet to write: user_id, item_ids, scores")
    parser.add_argument("--at", type=int, required=True, help="request time, UTC epoch seconds")
    parser.add_argument("--rows", type=int, default=256, help="users in a batch (256)")
    parser.add_argument("-k", type=int, default=10, help="length of the lists (10)")
    told = parser.parse_args()
    score(told.version, told.events, told.to, told.at, told.rows, told.k)


if __name__ == "__main__":
    main()
