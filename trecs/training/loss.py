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
from trecs.models.repeats import OwnItems
from trecs.models.retrieval import RetrievalModel
from trecs.models.scoring import score

_NO_SCORE = -1e9
# Of `tfrs.layers.loss.SamplingProbablityCorrection`.
_LEAST_PROBABILITY = 1e-6


class FullSoftmax:
    """Cross-entropy over all trained items.

    Args:
      bfloat16: whether queries meet items in bfloat16, which is most of a step's work.
    """

    def __init__(self, bfloat16: bool = False) -> None:
        self._bfloat16 = bfloat16

    def __call__(self, model: RetrievalModel, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """This replica's share of the loss, a float32 scalar."""
        first, last = FIRST_ITEM_ROW, FIRST_ITEM_ROW + model.items.num_trained
        # The others are neither candidates nor in a history that trains: left out where they are
        # many, at the price of a copy of the features.
        rows = tf.range(last) if model.items.num_rows > 2 * last else None
        vectors, bias = model.encode_items(rows, training=True, fresh=tuned_items(model, batch))
        history = tf.gather(vectors, batch["history_row"])
        query, weight, repeat_weight = model.encode_queries(batch, history, training=True)
        trend, day = trend_of_queries(model, batch, tf.range(model.items.num_trained))
        logits = score(
            _flat(query),
            _flat(weight),
            vectors[first:last],
            bias[first:last],
            trend,
            day,
            bfloat16=self._bfloat16,
        )
        if model.repeat_term is not None:
            own, _ = own_items(batch)
            bonus = model.score_repeats(own, _flat(repeat_weight), vectors)
            place = tf.stack([own.query, own.row - FIRST_ITEM_ROW], axis=1)
            logits = tf.tensor_scatter_nd_add(logits, place, bonus)
        target = tf.reshape(batch["target_row"], [-1]) - FIRST_ITEM_ROW
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(target, 0), logits)
        return tf.reduce_sum(losses * tf.reshape(batch["weight"], [-1]))


class SampledSoftmax:
    """The TFRS retrieval task with in-batch and uniform negatives, and the user's own items.

    The negatives are the targets of the global batch and `num_uniform` items drawn uniformly. Each
    is corrected by the log of its expected share among them (logQ,
    https://research.google/pubs/pub48840/); the target, which is always there, is not
    (https://arxiv.org/abs/2507.09331); negatives equal to the row's own target are removed. Where
    the model has a repeat term, every item that the user has had stands beside them uncorrected:
    such items are too rare among random ones, and are what a repeat competes with.

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
        names = ("history_row", "own_row")
        rows, index = tf.unique(
            tf.concat([candidate_row, *(tf.reshape(batch[n], [-1]) for n in names)], axis=0)
        )
        vectors, bias = model.encode_items(rows, training=True, fresh=tuned_items(model, batch))
        sizes = [tf.size(candidate_row), *(tf.size(batch[n]) for n in names)]
        own_index, history_index, had_index = tf.split(index, sizes, num=3)
        history = tf.gather(vectors, tf.reshape(history_index, tf.shape(batch["history_row"])))
        query, weight, repeat_weight = model.encode_queries(batch, history, training=True)
        candidate = tf.maximum(candidate_row - FIRST_ITEM_ROW, 0)
        trend, day = trend_of_queries(model, batch, candidate)
        offset = score(
            tf.zeros_like(_flat(query)),
            _flat(weight),
            tf.gather(vectors, own_index),
            tf.gather(bias, own_index),
            trend,
            day,
        )
        beside = tf.zeros([tf.shape(offset)[0], 0])
        if model.repeat_term is not None:
            had = (tf.reshape(had_index, tf.shape(batch["own_row"])), vectors, bias)
            beside, of_target = _own_scores(model, batch, had, query, weight, repeat_weight)
            offset += of_target[:, None] * tf.eye(tf.shape(offset)[0], tf.shape(offset)[1])
        return self._task(
            _flat(query),
            tf.gather(vectors, own_index),
            offset,
            beside,
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
        beside: tf.Tensor,
        candidate_row: tf.Tensor,
        sample_weight: tf.Tensor,
    ) -> tf.Tensor:
        """Run the TFRS task on plain tensors.

        `offset` (all of the score but the match) and `beside` (scores of further negatives) join
        in its loss.
        """
        targets = candidate_row[: tf.shape(candidate_row)[0] - self._num_uniform]
        # Without the padding, which is no negative.
        num_targets = tf.math.count_nonzero(targets != PAD_ROW, dtype=tf.float32)
        num_sampled = tf.math.log(num_targets + self._num_uniform)
        probability = self._sampling_probability(candidate_row, num_targets)

        def cross_entropy(
            y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor
        ) -> tf.Tensor:
            # What is certain to be there counts for as many as are drawn, each of which is divided
            # by its share of them.
            certain = tf.math.log(probability) + num_sampled
            # TFRS subtracts the logarithm of what it takes for 1e-6 at least.
            rare = tf.math.log(tf.maximum(probability, _LEAST_PROBABILITY) / probability)
            logits = y_pred + offset + rare[None] + y_true * certain[None]
            logits = tf.concat([logits, beside + num_sampled], axis=1)
            losses = tf.nn.softmax_cross_entropy_with_logits(
                tf.pad(y_true, [[0, 0], [0, tf.shape(beside)[1]]]), logits
            )
            return tf.reduce_sum(losses * sample_weight)

        task = tfrs.tasks.Retrieval(loss=cross_entropy, remove_accidental_hits=True)
        # TFRS's `call` needs AutoGraph, which Keras 3 switches off inside `fit`.
        run = tf.function(task.call, autograph=True)
        return run(
            tf.cast(query, tf.float32),
            tf.cast(vectors, tf.float32),
            sample_weight=sample_weight,
            candidate_sampling_probability=probability,
            candidate_ids=candidate_row,
            compute_metrics=False,
            compute_batch_metrics=False,
            score_mask=(candidate_row != PAD_ROW)[None],
        )

    def _sampling_probability(self, candidate_row: tf.Tensor, num_targets: tf.Tensor) -> tf.Tensor:
        """Share of the negatives that the candidate is expected to make up, float32 [M]."""
        in_batch = num_targets / (num_targets + self._num_uniform)
        popularity = tf.gather(self._popularity, tf.maximum(candidate_row - FIRST_ITEM_ROW, 0))
        return in_batch * popularity + (1 - in_batch) / len(self._popularity)


def tuned_items(model: RetrievalModel, batch: dict[str, tf.Tensor]) -> tf.Tensor | None:
    """int32 [n], rows of the global batch's histories and targets; None with a frozen BERT.

    Those of all replicas, so that each item's text has its whole gradient: an item of one replica
    is a negative of the others.
    """
    if model.text_encoder is None:
        return None
    names = ("history_row", "target_row")
    return tf.concat([all_replicas(tf.reshape(batch[n], [-1])) for n in names], axis=0)


def own_items(batch: dict[str, tf.Tensor]) -> tuple[OwnItems, tf.Tensor]:
    """What the users of a batch have had as of each query, flat, and where it stands.

    Args:
      batch: the contract `trecs.features.spec.TRAINING_FEATURES`.

    Returns:
      n entries, and their places int64 [n, 3] in (batch, query, own).
    """
    position = batch["query_position"][:, :, None]
    since_s = batch["request_time_s"][:, :, None] - batch["own_time_s"][:, None]
    visible = (batch["own_count"] > 0)[:, None] & (batch["weight"] > 0)[:, :, None]
    visible &= (batch["own_from"][:, None] <= position) & (position < batch["own_until"][:, None])
    place = tf.where(visible)
    of_row = tf.stack([place[:, 0], place[:, 2]], axis=1)
    num_queries = tf.shape(position, tf.int64)[1]

    def entry(name: str) -> tf.Tensor:
        return tf.gather_nd(batch[name], of_row)

    own = OwnItems(
        query=tf.cast(place[:, 0] * num_queries + place[:, 1], tf.int32),
        row=entry("own_row"),
        count=entry("own_count"),
        since_s=tf.gather_nd(since_s, place),
        interval_s=entry("own_interval_s"),
        sums=entry("own_sums"),
        events_since=tf.gather_nd(batch["query_position"], place[:, :2]) - entry("own_from"),
    )
    return own, place


def _own_scores(
    model: RetrievalModel,
    batch: dict[str, tf.Tensor],
    had: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    query: tf.Tensor,
    weight: tf.Tensor,
    repeat_weight: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores of the items that each query's user has had.

    Args:
      model, batch: of the step.
      had: places int32 [batch, own] of `own_row` among item vectors [R, D] and biases [R].
      query, weight, repeat_weight: what the model encoded, [batch, query, ..].

    Returns:
      Scores [P, own], very low where there is no item or it is the target, and what the repeat
      term adds to each target [P]; P = batch * query.
    """
    index, vectors, bias = had
    own, place = own_items(batch)
    own_index = tf.gather_nd(index, tf.stack([place[:, 0], place[:, 2]], axis=1))
    bonus = model.score_repeats(own, _flat(repeat_weight), vectors, own_index)
    match = tf.matmul(query, tf.gather(vectors, index), transpose_b=True)
    request_row = model.trend.row(tf.reshape(batch["request_time_s"], [-1]))
    trend = model.trend.pair_features(tf.gather(request_row, own.query), own.row - FIRST_ITEM_ROW)
    crowd = tf.reduce_sum(trend * tf.gather(_flat(weight), own.query), axis=1)
    scores = tf.gather_nd(match, place) + crowd + tf.gather(bias, own_index) + bonus
    shape = tf.stack([tf.size(batch["query_position"]), tf.shape(index)[1]])
    is_target = own.row == tf.gather(tf.reshape(batch["target_row"], [-1]), own.query)
    flat_place = tf.stack([own.query, tf.cast(place[:, 2], tf.int32)], axis=1)
    beside = tf.tensor_scatter_nd_update(
        tf.fill(shape, _NO_SCORE), flat_place, tf.where(is_target, _NO_SCORE, scores)
    )
    of_target = tf.math.unsorted_segment_sum(tf.where(is_target, bonus, 0), own.query, shape[0])
    return beside, of_target


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
) -> tuple[tf.Tensor, tf.Tensor]:
    """Trend of candidates (int32 [M]) as of the days of the queries' requests.

    Returns:
      float32 [D, K, M], few distinct days standing behind the many queries of a batch, and int32
      [P], the day of each query.
    """
    row = model.trend.row(tf.reshape(batch["request_time_s"], [-1]))
    days, which = tf.unique(row)
    return model.trend.features(days, candidates), which


def _flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[-1]])
