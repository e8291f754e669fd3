"""What the ratings that a target may read say in sums: the mean and the spread of the user.

All of it is computed in the graph from the visible events alone, so nothing has to be kept for a
user, and what is not visible cannot get in.
"""

from __future__ import annotations

import tensorflow as tf

NUM_STATISTICS = 6
_SESSION_S = 3600.0
_SESSION_PRIOR = 5.0


def user_statistics(
    visible: tf.Tensor, residual: tf.Tensor, rated: tf.Tensor, age_s: tf.Tensor, prior: tf.Tensor
) -> tf.Tensor:
    """Shrunk means of a user's residuals, as of each target.

    Args:
      visible: bool [B, C, L], which events each target may read.
      residual: float32 [B, L], rating less the global mean and the item's offset; 0 if not rated.
      rated: float32 [B, L], 1 where the event has a rating that is known.
      age_s: float32 [B, C, L], seconds from the event to the target.
      prior: float32 [2], ratings that a mean of zero and a spread of one count for.

    Returns:
      float32 [B, C, 6]: the mean residual sum / (n + prior), the root mean square around zero, the
      log counts of ratings and of events, and mean and log count with weights exp(-age / 1 h),
      which say how the user rates in this session.
    """
    events = tf.cast(visible, tf.float32)
    ratings = events * rated[:, None]
    lately = ratings * tf.exp(-tf.abs(age_s) / _SESSION_S)
    count, count_lately = tf.reduce_sum(ratings, -1), tf.reduce_sum(lately, -1)
    total = tf.einsum("bcl,bl->bc", ratings, residual)
    squares = tf.einsum("bcl,bl->bc", ratings, residual**2)
    recent = tf.einsum("bcl,bl->bc", lately, residual)
    columns = [
        total / (count + prior[0]),
        tf.sqrt((squares + prior[1]) / (count + prior[1])),
        tf.math.log1p(count) / 5,
        tf.math.log1p(tf.reduce_sum(events, -1)) / 5,
        recent / (count_lately + _SESSION_PRIOR),
        tf.math.log1p(count_lately) / 3,
    ]
    return tf.stack(columns, axis=-1)
