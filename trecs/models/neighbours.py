"""The neighbour terms: what the items of a history say for others, by counts alone.

Counts learn a frequent pair at once and exactly, which embeddings do slowly: a Markov chain and
EASE, which need no training, rank about as well as a Transformer on small logs, and all three err
in different places. Each term's weight, and how fast EASE forgets, are chosen on validation after
training, since within the training window the counts have seen every target.
"""

from __future__ import annotations

import tensorflow as tf

from trecs.features.neighbours import NeighbourTable

NUM_RECENT = 100
"""Newest events of a history that the terms read."""
_NUM_FOLLOWED = 20
_FOLLOW_DECAY = 0.8
# A follow-up share far below this adds nothing, one far above it adds its logarithm.
_SMALLEST_SHARE = 0.01


class Neighbours(tf.Module):
    """Two neighbour tables as tensors.

    Args:
      transitions: from `trecs.features.neighbours.transition_table`, of N candidates.
      ease: from `trecs.features.neighbours.ease_table`, likewise.
    """

    def __init__(self, transitions: NeighbourTable, ease: NeighbourTable) -> None:
        super().__init__(name="neighbours")
        self._num_candidates = len(transitions.neighbour)
        self.tables = {
            name: [
                tf.Variable(values, trainable=False, name=f"{name}_{kind}")
                for kind, values in (("neighbour", table.neighbour), ("weight", table.weight))
            ]
            for name, table in (("transitions", transitions), ("ease", ease))
        }

    def transitions(self, recent: tf.Tensor) -> tf.Tensor:
        """log(1 + F / 0.01), F the sum of .8^age times the followers' shares of 20 events.

        Args:
          recent: int32 [B, 100] candidates of the newest events, newest last; negative where there
            is none, or its item is not known.

        Returns:
          float32 [B, N].
        """
        total = self._sum("transitions", recent[:, -_NUM_FOLLOWED:], _FOLLOW_DECAY)
        return tf.math.log1p(total / _SMALLEST_SHARE)

    def ease(self, recent: tf.Tensor, decay: tf.Tensor) -> tf.Tensor:
        """The sum of decay^age times EASE's weights of 100 events; as `transitions`."""
        return self._sum("ease", recent, decay)

    def pairs(
        self,
        recent: tf.Tensor,
        transition_weight: tf.Tensor,
        ease_weight: tf.Tensor,
        ease_decay: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Both terms times their weights, as the entries of [B, N] that are not 0.

        Args:
          recent: as of `transitions`.
          transition_weight, ease_weight, ease_decay: scalars.

        Returns:
          Rows and candidates, int32 [n], each pair once, and values, float32 [n].
        """
        follow_place, follow = self._entries(
            "transitions", recent[:, -_NUM_FOLLOWED:], _FOLLOW_DECAY
        )
        ease_place, ease = self._entries("ease", recent, ease_decay)
        place, of = tf.unique(tf.concat([follow_place, ease_place], axis=0))
        num_pairs, num_follow = tf.size(place), tf.size(follow_place)
        follow = tf.math.unsorted_segment_sum(follow, of[:num_follow], num_pairs)
        ease = tf.math.unsorted_segment_sum(ease, of[num_follow:], num_pairs)
        value = tf.math.log1p(follow / _SMALLEST_SHARE) * transition_weight + ease * ease_weight
        row, candidate = place // self._num_candidates, place % self._num_candidates
        return tf.cast(row, tf.int32), tf.cast(candidate, tf.int32), value

    def _sum(self, name: str, recent: tf.Tensor, decay: float | tf.Tensor) -> tf.Tensor:
        batch = tf.shape(recent)[0]
        place, values = self._places(name, recent, decay)
        total = tf.math.unsorted_segment_sum(values, place, batch * self._num_candidates)
        return tf.reshape(total, [batch, self._num_candidates])

    def _entries(
        self, name: str, recent: tf.Tensor, decay: float | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Places in the flat [B * N] and values, both [n], without zeros."""
        place, values = self._places(name, recent, decay)
        kept = values != 0
        return tf.boolean_mask(place, kept), tf.boolean_mask(values, kept)

    def _places(
        self, name: str, recent: tf.Tensor, decay: float | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Places in the flat [B * N], int64, and values, both [B, events, K]."""
        neighbour, weight = self.tables[name]
        age = tf.range(recent.shape[1] - 1, -1, -1, dtype=tf.float32)
        fading = tf.cast(recent >= 0, tf.float32) * decay**age
        event = tf.maximum(recent, 0)
        values = tf.gather(weight, event) * fading[..., None]
        row = tf.range(tf.shape(recent)[0], dtype=tf.int64)[:, None, None]
        return tf.cast(tf.gather(neighbour, event), tf.int64) + row * self._num_candidates, values


def recent_events(candidate: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The newest events of sorted histories, int32 [B, 100], as `Neighbours` reads them.

    Args:
      candidate: int32 [B, L] candidates by time, `count` (int32 [B]) of them valid.
    """
    place = count[:, None] - NUM_RECENT + tf.range(NUM_RECENT)[None]
    found = tf.gather(candidate, tf.maximum(place, 0), batch_dims=1)
    return tf.where(place >= 0, found, -1)
