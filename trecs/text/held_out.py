"""The losses and perplexities of a pretraining model on held-out texts."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from trecs.text.masking import Batch, Masker, masked_batches
from trecs.text.pretraining_model import PretrainingModel
from trecs.text.rows import Rows

_BATCH_ROWS = 64
# The same masks before and after, so that the difference is the model's.
_MASK_SEED = 20_240_229


def held_out_losses(model: PretrainingModel, rows: Rows, masker: Masker) -> dict[str, float]:
    """Mean losses in nats a token, without dropout, under masks that are always the same.

    Args:
      model: a pretraining model.
      rows: at least one.
      masker: of the model's BERT.

    Returns:
      `mlm_loss`, `mlm_perplexity` (its exponential), `causal_loss`, `causal_perplexity`.
    """
    order = np.arange(len(rows))
    sums = np.zeros(4)
    measure = tf.function(lambda batch: _sums(model, batch), reduce_retracing=True)
    # The last batch may be smaller, so it is a data set of its own.
    whole = len(rows) // _BATCH_ROWS * _BATCH_ROWS
    for part in (order[:whole].reshape(-1, _BATCH_ROWS), order[whole:][None]):
        if part.size:
            for batch in masked_batches(rows, masker, part, _MASK_SEED):
                sums += measure(batch).numpy()
    mlm, causal = float(sums[0] / sums[1]), float(sums[2] / sums[3])
    return {
        "mlm_loss": mlm,
        "mlm_perplexity": math.exp(mlm),
        "causal_loss": causal,
        "causal_perplexity": math.exp(causal),
    }


def _sums(model: PretrainingModel, batch: Batch) -> tf.Tensor:
    return tf.stack(
        [
            model.masked_loss(batch),
            tf.reduce_sum(batch["mask_weight"]),
            model.causal_loss(batch),
            tf.reduce_sum(batch["next_weight"]),
        ]
    )
