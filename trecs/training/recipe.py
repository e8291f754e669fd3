"""From settings to the loss, the optimizer and the length of training."""

from __future__ import annotations

import keras
import numpy as np

from trecs.config import Config
from trecs.features.vocabulary import Vocabulary
from trecs.models.retrieval import Objective
from trecs.training.averaging import AveragingAdamW
from trecs.training.loss import FullSoftmax, SampledSoftmax
from trecs.training.strategy import uses_bfloat16

_EVENTS_IN_ALL = 6_000_000
# The average of the weights reaches back over this part of the training: two epochs of 25.
_AVERAGES = 12


def make_objective(config: Config, vocabulary: Vocabulary) -> Objective:
    """The loss: full softmax up to `model.full_softmax_max_items` trained items, else sampled."""
    settings = config.model
    kind = settings.loss
    if kind == "auto":
        small = len(vocabulary.item_ids) <= settings.full_softmax_max_items
        kind = "full" if small else "sampled"
    if kind == "full":
        return FullSoftmax(uses_bfloat16(config.training.precision))
    counts = np.array(vocabulary.item_counts, np.int64)
    return SampledSoftmax(counts, settings.num_uniform_negatives, config.training.seed)


def max_epochs(config: Config, num_events: int) -> int:
    """Most epochs over so many training events, see `TrainingConfig.epochs`."""
    return config.training.epochs or min(max(_EVENTS_IN_ALL // num_events, 4), 25)


def make_optimizer(config: Config, num_steps: int) -> AveragingAdamW:
    """AdamW with linear warm-up, cosine decay to a tenth over all steps, and averaged weights."""
    settings = config.training
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, num_steps),
        alpha=0.1,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
    )
    optimizer = AveragingAdamW(schedule, settings.weight_decay, num_steps / _AVERAGES)
    # Decay acts on projections alone: embeddings of rare items would fade between their events.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings"])
    return optimizer
