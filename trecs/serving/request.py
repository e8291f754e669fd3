"""From a raw request to a query batch, inside the graph: the serving twin of `features.batches`.

Histories come in any length and order, padded anywhere with empty ids. The graph keeps what lies
before the request, sorts it, and lays the newest events out exactly as training did; a test holds
the two to each other.
"""

from __future__ import annotations

import tensorflow as tf

from trecs.features.spec import FIRST_ITEM_ROW, PAD_ROW, UNKNOWN_ROW
from trecs.models.repeats import OwnItems, fading_terms

UNKNOWN_CANDIDATE = UNKNOWN_ROW - FIRST_ITEM_ROW
"""Candidate number of an id that the catalogue does not have."""


def sorted_history(
    candidate: tf.Tensor,
    item_ids: tf.Tensor,
    timestamps: tf.Tensor,
    request_time: tf.Tensor,
    strict: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sort each history by time and drop what is not before the request.

    Args:
      candidate: int32 [batch, history] candidate numbers.
      item_ids: string [batch, history]; "" is padding.
      timestamps: int64 [batch, history], UTC epoch seconds.
      request_time: int64 [batch].
      strict: whether an event at the very second of the request is left out too.

    Returns:
      Candidates and times sorted by time, both [batch, history + 1] with junk at the end, and the
      number of valid events, int32 [batch].
    """
    earlier = tf.less if strict else tf.less_equal
    valid = (item_ids != "") & earlier(timestamps, request_time[:, None])
    times = tf.where(valid, timestamps, tf.int64.max)
    # A column of junk, so that there is something to gather from an empty history.
    times = tf.pad(times, [[0, 0], [0, 1]], constant_values=tf.int64.max)
    candidate = tf.pad(candidate, [[0, 0], [0, 1]])
    order = tf.argsort(times, axis=1, stable=True)
    count = tf.reduce_sum(tf.cast(valid, tf.int32), axis=1)
    return (
        tf.gather(candidate, order, batch_dims=1),
        tf.gather(times, order, batch_dims=1),
        count,
    )


def query_batch(
    user_row: tf.Tensor,
    candidate: tf.Tensor,
    times: tf.Tensor,
    count: tf.Tensor,
    request_time: tf.Tensor,
    history_len: int,
) -> dict[str, tf.Tensor]:
    """Lay out the newest events as `trecs.features.spec.QUERY_FEATURES` says.

    Args:
      user_row: int32 [batch].
      candidate, times, count: from `sorted_history`.
      request_time: int64 [batch].
      history_len: newest positions kept, the start of the history among them.
    """
    length = tf.minimum(count + 1, history_len)
    begin = count + 1 - length
    column = tf.range(history_len)[None]
    following = begin[:, None] + column
    last_column = tf.shape(times)[1] - 1
    own = tf.clip_by_value(following - 1, 0, last_column)
    is_start = following == 0
    is_last = column == (length - 1)[:, None]
    next_time = tf.gather(times, tf.clip_by_value(following, 0, last_column), batch_dims=1)
    next_time = tf.where(is_last, request_time[:, None], next_time)
    event_time = tf.where(is_start, next_time, tf.gather(times, own, batch_dims=1))
    row = tf.gather(candidate, own, batch_dims=1) + FIRST_ITEM_ROW
    valid = column < length[:, None]
    return {
        "user_row": user_row,
        "history_row": tf.where(valid & ~is_start, row, PAD_ROW),
        "event_time_s": tf.where(valid, event_time, 0),
        "next_time_s": tf.where(valid, next_time, 0),
        "query_position": (length - 1)[:, None],
    }


def own_items(
    candidate: tf.Tensor,
    times: tf.Tensor,
    count: tf.Tensor,
    request_time: tf.Tensor,
    num_candidates: int,
) -> OwnItems:
    """What each user has had before the request, as the repeat term reads it.

    The serving twin of `trecs.features.repeats`.

    Args:
      candidate, times, count: from `sorted_history`.
      request_time: int64 [batch].
      num_candidates: N.

    Returns:
      An entry a request and known item, in the order of requests.
    """
    place = tf.range(tf.shape(candidate)[1])[None]
    known = (place < count[:, None]) & (candidate >= 0)
    batch = tf.broadcast_to(tf.range(tf.shape(candidate)[0])[:, None], tf.shape(candidate))
    # int64: 1,024 rows of 2.1 million items are beyond an int32.
    width = tf.cast(num_candidates, tf.int64)
    row, item = (tf.cast(tf.boolean_mask(x, known), tf.int64) for x in (batch, candidate))
    pair, of_event = tf.unique(row * width + item)
    num_pairs = tf.size(pair)
    event_place = tf.boolean_mask(tf.broadcast_to(place, tf.shape(candidate)), known)
    event_time = tf.boolean_mask(times, known)
    last_place = tf.math.unsorted_segment_max(event_place, of_event, num_pairs)
    first_time = tf.math.unsorted_segment_min(event_time, of_event, num_pairs)
    last_time = tf.math.unsorted_segment_max(event_time, of_event, num_pairs)
    occurrences = tf.math.unsorted_segment_sum(tf.ones_like(of_event), of_event, num_pairs)
    intervals = tf.cast(tf.maximum(occurrences - 1, 1), tf.float32)
    gap_s = tf.gather(last_time, of_event) - event_time
    terms = fading_terms(gap_s, tf.gather(last_place, of_event) - event_place)
    query = tf.cast(pair // width, tf.int32)
    return OwnItems(
        query=query,
        row=tf.cast(pair % width, tf.int32) + FIRST_ITEM_ROW,
        count=occurrences,
        since_s=tf.gather(request_time, query) - last_time,
        interval_s=tf.cast(last_time - first_time, tf.float32) / intervals,
        sums=tf.math.unsorted_segment_sum(terms, of_event, num_pairs),
        events_since=tf.gather(count, query) - 1 - last_place,
    )
