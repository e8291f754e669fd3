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
    users, code = np.unique(events["user_id"].to_numpy(), return_inverse=True)
    times = events["timestamp"].to_numpy()
    order = np.lexsort((times, code))
    items, times = events["item_id"].to_numpy()[order], times[order]
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
    with pq.ParquetWriter(to, _SCHEMA) as writer:
        for user_ids, item_ids, times in user_batches(events, rows, newest=10_000):
            answer = recommend(
                user_id=user_ids,
                history_item_ids=item_ids,
                history_timestamps=times,
                request_time=tf.fill(tf.shape(user_ids), tf.constant(at_s, tf.int64)),
            )
            lists = {
                "user_id": [user.decode() for user in user_ids.numpy()],
                "item_ids": [[i.decode() for i in row[:k]] for row in answer["item_ids"].numpy()],
                "scores": answer["scores"].numpy()[:, :k].tolist(),
            }
            writer.write_table(pa.table(lists, schema=_SCHEMA))
            count += len(lists["user_id"])
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
