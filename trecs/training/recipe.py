"""From settings to the loss, the optimizer and the length of training."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from trecs.config import Config
from trecs.features.vocabulary import Vocabulary
from trecs.models.retrieval import Objective
from trecs.settings import ModelConfig
from trecs.training.loss import FullSoftmax, SampledSoftmax
from trecs.training.rates import RatedAdamW, WarmupCosine
from trecs.training.strategy import uses_bfloat16

_EVENTS_IN_ALL = 6_000_000
# The average of the weights reaches back over this part of the training: two epochs of 25.
_AVERAGES = 12
# LoRA's matrices start from nothing, so they need a higher rate than pretrained weights.
_LORA_RATE = 10


def loss_kind(settings: ModelConfig, vocabulary: Vocabulary) -> str:
    """`full` or `sampled`; `auto` is full up to `full_softmax_max_items` trained items."""
    if settings.loss != "auto":
        return settings.loss
    return "full" if len(vocabulary.item_ids) <= settings.full_softmax_max_items else "sampled"


def make_objective(config: Config, vocabulary: Vocabulary) -> Objective:
    """The loss of `loss_kind`."""
    settings = config.model
    if loss_kind(settings, vocabulary) == "full":
        return FullSoftmax(uses_bfloat16(config.training.precision))
    counts = np.array(vocabulary.item_counts, np.int64)
    return SampledSoftmax(counts, settings.num_uniform_negatives, config.training.seed)


def max_epochs(config: Config, num_events: int) -> int:
    """Most epochs over so many training events, see `TrainingConfig.epochs`."""
    return config.training.epochs or min(max(_EVENTS_IN_ALL // num_events, 4), 25)


def make_optimizer(
    config: Config, num_steps: int, text: Sequence[keras.Variable] = ()
) -> RatedAdamW:
    """AdamW with linear warm-up, cosine decay to a tenth over all steps, and averaged weights.

    Args:
      config: the settings.
      num_steps: steps in all.
      text: the variables of a tuned BERT, which learn at the rate of `text.learning_rate` and do
        not decay.
    """
    settings = config.training
    # Warm-up for a tenth of a short training, rather than 50 steps, was worse on two small logs.
    schedule = WarmupCosine(settings.learning_rate, settings.warmup_steps, num_steps, 0.1)
    optimizer = RatedAdamW(schedule, settings.weight_decay, num_steps / _AVERAGES)
    # Decay acts on projections alone: embeddings of rare items would fade between their events.
    names = ["bias", "gamma", "beta", "embeddings"]
    optimizer.exclude_from_weight_decay(var_list=list(text), var_names=names)
    rate = config.text.learning_rate * (_LORA_RATE if config.text.tuning == "lora" else 1)
    optimizer.set_share(text, rate / settings.learning_rate)
    return optimizer
