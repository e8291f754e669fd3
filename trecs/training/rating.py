"""Training of the rating head, a phase of its own after the retrieval model's.

The phase is short: one that is interrupted begins again, and ends with the same weights, since all
that is drawn in it follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking import RatingHead
from trecs.models.ranking_data import RATING_FEATURES, RATING_TARGETS
from trecs.training.adamw import FusedAdamW
from trecs.training.rates import WarmupCosine
from trecs.training.rating_batches import RatingRows, rating_batches
from trecs.training.rating_estimates import (
    fit_factors,
    with_cross_fitted_estimates,
    with_estimates,
)

Batch = dict[str, tf.Tensor]
_BATCH_TARGETS = 3000
_LEARNING_RATE = 3e-3
_WARMUP_STEPS = 50
_WEIGHT_DECAY = 0.02
# Of the sum of squares of embeddings and text projection, beside the mean loss: a rating's share.
_L2 = 800.0
_MAX_L2 = 0.01
# Text says little of how a known item is liked, and has the most weights.
_TEXT_L2 = 16.0


@dataclass(frozen=True)
class RatingPlan:
    """How long to train, and on what.

    Attributes:
      rows: the training targets.
      epochs: passes over them.
      seed: of the batch order; initial weights and dropout follow Keras' own.
    """

    rows: RatingRows
    epochs: int
    seed: int


def score_batch(
    head: RatingHead, items: ItemTensors, batch: Batch, training: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Scores and logits of a batch, as `RatingHead.call`; encodes each distinct item once."""
    shapes = [tf.shape(batch["history_row"]), tf.shape(batch["candidate_row"])]
    both = [tf.reshape(batch[name], [-1]) for name in ("history_row", "candidate_row")]
    rows, index = tf.unique(tf.concat(both, axis=0))
    encoded = head.encode_items(items.rows(rows), training=training)
    history, candidate = (
        {name: tf.gather(value, tf.reshape(part, shape)) for name, value in encoded.items()}
        for part, shape in zip(tf.split(index, [tf.size(b) for b in both]), shapes, strict=True)
    )
    score, logits = head(batch, history, candidate, training=training)
    return score, logits


def fit_rating_head(
    head: RatingHead,
    items: ItemTensors,
    plan: RatingPlan,
    say: Callable[[str], object] | None = None,
) -> list[float]:
    """Train a built head, whose ratings are set.

    The loss is the squared error in deviations of the training ratings, or the cross-entropy over
    levels where the head has levels.

    Returns:
      The mean loss of each epoch.
    """
    fit_factors(head, items, plan.rows, plan.seed)
    rows = with_cross_fitted_estimates(plan.rows, head, items, plan.seed)
    plan = replace(plan, rows=rows)
    rng = np.random.default_rng(plan.seed)
    num_batches = sum(1 for _ in rating_batches(plan.rows, _BATCH_TARGETS))
    step = _step_function(head, items, plan, num_batches)
    losses = []
    for epoch in range(plan.epochs):
        found = [
            step({name: tf.constant(value) for name, value in batch.items()})
            for _, batch in rating_batches(plan.rows, _BATCH_TARGETS, rng)
        ]
        losses.append(float(np.mean([float(loss) for loss in found])))
        if say is not None:
            say(f"ratings, epoch {epoch + 1} of {plan.epochs}: loss {losses[-1]:.4f}")
    return losses


def predict_rows(head: RatingHead, items: ItemTensors, rows: RatingRows) -> NDArray[np.float32]:
    """Predicted ratings of all targets, float32 [k], in the order of `rows.targets`."""

    def predict(batch: Batch) -> tf.Tensor:
        return head.predict_ratings(*score_batch(head, items, batch))

    rows = with_estimates(rows, head, items)
    run = tf.function(predict, input_signature=[_signature()], autograph=False)
    predicted = np.zeros(rows.num_targets, np.float32)
    for which, batch in rating_batches(rows, _BATCH_TARGETS):
        answer = run({name: tf.constant(value) for name, value in batch.items()}).numpy()
        predicted[which[which >= 0]] = answer[which >= 0]
    return predicted


def _signature() -> dict[str, tf.TensorSpec]:
    return {
        f.name: tf.TensorSpec([None] * len(f.dims), f.dtype, f.name)
        for f in RATING_FEATURES + RATING_TARGETS
    }


def _step_function(
    head: RatingHead, items: ItemTensors, plan: RatingPlan, num_batches: int
) -> Callable[[Batch], tf.Tensor]:
    schedule = WarmupCosine(_LEARNING_RATE, _WARMUP_STEPS, plan.epochs * num_batches, 0.02)
    optimizer = FusedAdamW(schedule, weight_decay=_WEIGHT_DECAY, beta_2=0.99)
    weights = head.trainable_weights
    optimizer.build(weights)
    share = min(_L2 / max(plan.rows.num_targets, 1), _MAX_L2)
    tower = head.item_tower
    penalised = [tower.id_embedding.embeddings, tower.category_embedding.embeddings]
    penalised += [head.user_embedding.embeddings]

    def step(batch: Batch) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = _loss(head, *score_batch(head, items, batch, training=True), batch)
            penalty = tf.add_n([tf.reduce_sum(tf.square(weight.value)) for weight in penalised])
            penalty += _TEXT_L2 * tf.reduce_sum(tf.square(tower.text_projection.kernel.value))
            total = loss + share * penalty
        gradients = tape.gradient(total, [weight.value for weight in weights])
        optimizer.apply_gradients(
            (g, w) for g, w in zip(gradients, weights, strict=True) if g is not None
        )
        return loss

    run: Callable[[Batch], tf.Tensor] = tf.function(
        step, input_signature=[_signature()], autograph=False
    )
    return run


def _loss(head: RatingHead, score: tf.Tensor, logits: tf.Tensor, batch: Batch) -> tf.Tensor:
    standard = (batch["rating"] - head.mean) / head.scale
    if head.sizes.num_levels:
        level = tf.argmin(tf.abs(standard[..., None] - head.levels), axis=-1)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(level, logits)
    else:
        losses = tf.square(score - standard)
    return tf.reduce_sum(losses * batch["weight"])
