"""The two training objectives: full softmax, and the TFRS retrieval task.

Each maps (model, batch) to this replica's share of the loss. Batch weights sum to 1 over the global
batch and negatives are the same on all replicas, so the shares add up to the loss of one device.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from numpy.typing import NDArray

from trecs.features.spec import FIRST_ITEM_ROW, PAD_ROW
from trecs.models.retrieval import RetrievalModel, score


class FullSoftmax:
    """Cross-entropy over all trained items.

    Args:
      bfloat16: whether queries meet items in bfloat16, which is most of a step's work.
    """

    def __init__(self, bfloat16: bool = False) -> None:
        self._bfloat16 = bfloat16

    def __call__(self, model: RetrievalModel, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """This replica's share of the loss, a float32 scalar."""
        vectors, bias = model.encode_items(training=True)
        history = tf.gather(vectors, batch["history_row"])
        query, weight = model.encode_queries(batch, history, training=True)
        first, last = FIRST_ITEM_ROW, FIRST_ITEM_ROW + model.items.num_trained
        trend = trend_of_queries(model, batch, tf.range(model.items.num_trained))
        logits = score(
            _flat(query),
            _flat(weight),
            vectors[first:last],
            bias[first:last],
            trend,
            bfloat16=self._bfloat16,
        )
        target = tf.reshape(batch["target_row"], [-1]) - FIRST_ITEM_ROW
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(target, 0), logits)
        return tf.reduce_sum(losses * tf.reshape(batch["weight"], [-1]))


class SampledSoftmax:
    """The TFRS retrieval task with in-batch and uniform negatives.

    The negatives are the targets of the global batch and `num_uniform` items drawn uniformly. Each
    score is corrected by the log of the candidate's expected share among the negatives (logQ,
    https://research.google/pubs/pub48840/), and negatives equal to the row's own target are
    removed.

    Args:
      item_counts: int64 [num_trained], training events of each trained item.
      num_uniform: uniform negatives of a step.
      seed: of the uniform negatives, with the step's number.
    """

    def __init__(self, item_counts: NDArray[np.int64], num_uniform: int, seed: int) -> None:
        self._popularity = (item_counts / item_counts.sum()).astype(np.float32)
        self._num_uniform = num_uniform
        self._seed = seed

    def __call__(self, model: RetrievalModel, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """This replica's share of the loss, a float32 scalar."""
        candidate_row = self._candidates(model, batch)
        history_row = tf.reshape(batch["history_row"], [-1])
        rows, index = tf.unique(tf.concat([candidate_row, history_row], axis=0))
        vectors, bias = model.encode_items(rows, training=True)
        num_candidates = tf.shape(candidate_row)[0]
        history = tf.gather(
            vectors, tf.reshape(index[num_candidates:], tf.shape(batch["history_row"]))
        )
        query, weight = model.encode_queries(batch, history, training=True)
        own = index[:num_candidates]
        candidate = tf.maximum(candidate_row - FIRST_ITEM_ROW, 0)
        trend = trend_of_queries(model, batch, candidate)
        offset = score(
            tf.zeros_like(_flat(query)),
            _flat(weight),
            tf.gather(vectors, own),
            tf.gather(bias, own),
            trend,
        )
        return self._task(
            _flat(query),
            tf.gather(vectors, own),
            offset,
            candidate_row,
            tf.reshape(batch["weight"], [-1]),
        )

    def _candidates(self, model: RetrievalModel, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """int32 [M] rows: this replica's targets, the other replicas' targets, uniform ones."""
        targets = all_replicas(tf.reshape(batch["target_row"], [-1]))
        uniform = tf.random.stateless_uniform(
            [self._num_uniform],
            seed=tf.stack([self._seed, tf.cast(model.optimizer.iterations, tf.int32)]),
            minval=FIRST_ITEM_ROW,
            maxval=FIRST_ITEM_ROW + model.items.num_trained,
            dtype=tf.int32,
        )
        return tf.concat([targets, uniform], axis=0)

    def _task(
        self,
        query: tf.Tensor,
        vectors: tf.Tensor,
        offset: tf.Tensor,
        candidate_row: tf.Tensor,
        sample_weight: tf.Tensor,
    ) -> tf.Tensor:
        """Run the TFRS task on plain tensors; `offset` (trend and bias) joins in its loss."""

        def cross_entropy(
            y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor
        ) -> tf.Tensor:
            losses = tf.nn.softmax_cross_entropy_with_logits(y_true, y_pred + offset)
            return tf.reduce_sum(losses * sample_weight)

        task = tfrs.tasks.Retrieval(loss=cross_entropy, remove_accidental_hits=True)
        # TFRS's `call` needs AutoGraph, which Keras 3 switches off inside `fit`.
        run = tf.function(task.call, autograph=True)
        return run(
            tf.cast(query, tf.float32),
            tf.cast(vectors, tf.float32),
            sample_weight=sample_weight,
            candidate_sampling_probability=self._sampling_probability(candidate_row),
            candidate_ids=candidate_row,
            compute_metrics=False,
            compute_batch_metrics=False,
            score_mask=(candidate_row != PAD_ROW)[None],
        )

    def _sampling_probability(self, candidate_row: tf.Tensor) -> tf.Tensor:
        """Share of the negatives that the candidate is expected to make up, float32 [M]."""
        num_targets = tf.shape(candidate_row)[0] - self._num_uniform
        in_batch = tf.cast(num_targets, tf.float32) / tf.cast(
            tf.shape(candidate_row)[0], tf.float32
        )
        popularity = tf.gather(self._popularity, tf.maximum(candidate_row - FIRST_ITEM_ROW, 0))
        return in_batch * popularity + (1 - in_batch) / len(self._popularity)


def all_replicas(values: tf.Tensor) -> tf.Tensor:
    """The values [n] of all replicas [replicas * n], this replica's own first.

    Only integers pass between replicas: each encodes all candidates itself, so that the gradients
    of the item tower add up to the global one without a gradient through the gathering.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    everyone = context.all_gather(values, axis=0)
    own_start = context.replica_id_in_sync_group * tf.shape(values)[0]
    return tf.roll(everyone, -own_start, axis=0)


def trend_of_queries(
    model: RetrievalModel, batch: dict[str, tf.Tensor], candidates: tf.Tensor
) -> tf.Tensor:
    """Trend of candidates (int32 [M]) as of each query's request: float32 [P, K, M]."""
    row = model.trend.row(tf.reshape(batch["request_time_s"], [-1]))
    # Few distinct days stand behind the many queries of a batch.
    days, which = tf.unique(row)
    return tf.gather(model.trend.features(days, candidates), which)


def _flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[-1]])
