"""Time features of a history: what the user's clock shows at every event.

Computed in the graph from int64 seconds, by the same code when training and when serving. Nothing
here is absolute, so nothing has to extrapolate past the training window: gaps, the hour and the
weekday, and the time of the year where the training window spans several.
"""

from __future__ import annotations

import math

import tensorflow as tf

from trecs.features.spec import SECONDS_PER_DAY

NUM_TIME_FEATURES = 14
NUM_REQUEST_FEATURES = 8
_SESSION_GAP_S = 1800
_YEAR_S = 365.2425 * SECONDS_PER_DAY
# log1p of ten years of seconds is 19.6: gaps come out between 0 and about 2.
_LOG_SCALE = 10.0


def request_features(event_time_s: tf.Tensor, next_time_s: tf.Tensor, season: bool) -> tf.Tensor:
    """Features of the moment that follows each event: its gap, hour, weekday and time of the year.

    Args:
      event_time_s: int64 [batch, history], UTC epoch seconds.
      next_time_s: int64 [batch, history], the next event or the request.
      season: whether to fill in the time of the year; zeros otherwise.

    Returns:
      float32 [batch, history, 8]: log gap, same session, hour (2), weekday (2), year (2).
    """
    gap = next_time_s - event_time_s
    year = _circle(tf.cast(next_time_s, tf.float64) / _YEAR_S)
    columns = [
        _log_gap(gap),
        tf.cast(gap < _SESSION_GAP_S, tf.float32),
        *_day_and_week(next_time_s),
        *(year if season else [tf.zeros_like(part) for part in year]),
    ]
    return tf.stack(columns, axis=-1)


def time_features(event_time_s: tf.Tensor, next_time_s: tf.Tensor, season: bool) -> tf.Tensor:
    """Features of each event and of the moment that follows it.

    Args:
      event_time_s, next_time_s, season: as for `request_features`.

    Returns:
      float32 [batch, history, 14]: log gap since the event before (0 at the first), same session
      as it, hour (2) and weekday (2) of the event, then `request_features`.
    """
    gap = event_time_s[:, 1:] - event_time_s[:, :-1]
    own = [
        tf.pad(_log_gap(gap), [[0, 0], [1, 0]]),
        tf.pad(tf.cast(gap < _SESSION_GAP_S, tf.float32), [[0, 0], [1, 0]]),
        *_day_and_week(event_time_s),
    ]
    request = request_features(event_time_s, next_time_s, season)
    return tf.concat([tf.stack(own, axis=-1), request], axis=-1)


def _log_gap(gap_s: tf.Tensor) -> tf.Tensor:
    return tf.math.log1p(tf.cast(tf.maximum(gap_s, 0), tf.float32)) / _LOG_SCALE


def _circle(turns: tf.Tensor) -> list[tf.Tensor]:
    angle = tf.cast(tf.math.floormod(turns, 1.0), tf.float32) * (2 * math.pi)
    return [tf.sin(angle), tf.cos(angle)]


def _day_and_week(time_s: tf.Tensor) -> list[tf.Tensor]:
    """Second of the day and of the week, on circles; in integers, so exact at any epoch second."""
    day = tf.math.floormod(time_s, SECONDS_PER_DAY) / SECONDS_PER_DAY
    week = tf.math.floormod(time_s, 7 * SECONDS_PER_DAY) / (7 * SECONDS_PER_DAY)
    return _circle(day) + _circle(week)
