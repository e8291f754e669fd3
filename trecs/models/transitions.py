"""The transition term: how often an item has followed what the user took last.

Counts learn a frequent pair at once and exactly, which embeddings do slowly: a Markov chain without
any training ranks about as well as a Transformer on small logs, and the two err in different
places. The term's one weight is chosen on validation after training, since within the training
window the counts have seen every target.
"""

from __future__ import annotations

import tensorflow as tf

from trecs.features.transitions import DECAY, NUM_RECENT, TransitionTable

# A follow-up share far below this adds nothing, one far above it adds its logarithm.
_SMALLEST_SHARE = 0.01


class Transitions(tf.Module):
    """A transition table as tensors.

    Args:
      table: of N candidates.
    """

    def __init__(self, table: TransitionTable) -> None:
        super().__init__(name="transitions")
        self.follower = tf.Variable(table.follower, trainable=False, name="follower")
        self.share = tf.Variable(table.share, trainable=False, name="share")

    def log_shares(self, recent: tf.Tensor) -> tf.Tensor:
        """log(1 + F / 0.01), F the sum of .8^age times the share of each event's followers.

        Args:
          recent: int32 [B, 20] candidates of the newest events, newest last; negative where there
            is none, or its item is not known.

        Returns:
          float32 [B, N].
        """
        batch, num_candidates = tf.shape(recent)[0], self.follower.shape[0]
        age = tf.range(NUM_RECENT - 1, -1, -1, dtype=tf.float32)
        known = tf.cast(recent >= 0, tf.float32)
        event = tf.maximum(recent, 0)
        share = tf.gather(self.share, event) * (known * DECAY**age)[..., None]
        follower = tf.gather(self.follower, event)
        place = follower + tf.range(batch)[:, None, None] * num_candidates
        total = tf.math.unsorted_segment_sum(share, place, batch * num_candidates)
        return tf.math.log1p(tf.reshape(total, [batch, num_candidates]) / _SMALLEST_SHARE)


def recent_events(candidate: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The newest events of sorted histories, as `Transitions.log_shares` reads them.

    Args:
      candidate: int32 [B, L] candidates by time, `count` (int32 [B]) of them valid.
    """
    place = count[:, None] - NUM_RECENT + tf.range(NUM_RECENT)[None]
    found = tf.gather(candidate, tf.maximum(place, 0), batch_dims=1)
    return tf.where(place >= 0, found, -1)
