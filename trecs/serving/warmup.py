"""Requests that a server answers to itself before it takes a new version into service.

The format is TensorFlow Serving's: a TFRecord file of `PredictionLog` messages named
`tf_serving_warmup_requests` in `assets.extra`. The messages are written with the API's own
classes, which are imported here only when there is something to write or read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

FILE = "tf_serving_warmup_requests"
"""Name of the file in `assets.extra`, as TensorFlow Serving expects it."""
MAX_RECORDS = 1000
"""TensorFlow Serving refuses to load a model with more."""


def write_warmup(
    path: Path, name: str, requests: Sequence[tuple[str, Mapping[str, NDArray[Any]]]]
) -> None:
    """Write requests as a warm-up file.

    Args:
      path: of the file.
      name: of the model; the server puts its own in its place.
      requests: signature names and inputs by name; strings as object arrays.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests[:MAX_RECORDS]:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value, shape=value.shape))
            writer.write(log.SerializeToString())


def read_warmup(path: Path) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Signature names and inputs of a warm-up file."""
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        yield request.model_spec.signature_name, inputs


def example_requests(
    item_ids: Sequence[str],
    request_time_s: int,
    lengths: Sequence[int],
    *,
    rank: bool,
) -> list[tuple[str, dict[str, NDArray[Any]]]]:
    """Requests to the query signatures with histories of several lengths, one row each.

    The user is made up, so that no one's id stands in the file.

    Args:
      item_ids: known items, one or more; repeated where a history is longer.
      request_time_s: UTC epoch seconds; the events lie an hour apart before it.
      lengths: of the histories.
      rank: whether there are the signatures `rank` and `rank_rated`, which then are asked too.
    """
    requests = []
    for length in lengths:
        history = [item_ids[n % len(item_ids)] for n in range(length)]
        stamps = request_time_s - 3600 * np.arange(length, 0, -1, dtype=np.int64)
        inputs: dict[str, NDArray[Any]] = {
            "user_id": np.array(["warm-up"], object),
            "history_item_ids": np.array([history], object).reshape(1, length),
            "history_timestamps": stamps.reshape(1, length),
            "request_time": np.array([request_time_s], np.int64),
        }
        filters: dict[str, NDArray[Any]] = {
            "excluded_item_ids": np.array([item_ids[:1]], object),
            "allowed_categories": np.array([[""]], object),
        }
        requests += [("recommend", inputs), ("encode_query", inputs)]
        requests.append(("recommend_filtered", inputs | filters))
        if rank:
            candidates = {"candidate_item_ids": np.array([item_ids], object)}
            ratings = {"history_ratings": np.full([1, length], np.nan, np.float32)}
            requests.append(("rank", inputs | candidates))
            requests.append(("rank_rated", inputs | candidates | ratings))
    return requests
