"""The losses and perplexities of a pretraining model on held-out texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.masking import BATCH_SIGNATURE, Batch, Masker, masked_batches
from trecs.text.pretraining_model import PretrainingModel
from trecs.text.rows import Rows

_BATCH_ROWS = 64
# The same masks before and after, so that the difference is the model's.
_MASK_SEED = 20_240_229


class HeldOut:
    """Measures a pretraining model, as often as it is asked, under masks that are always the same.

    Args:
      model: a pretraining model.
      corpora: rows by the name of their corpus, at least one of each.
      masker: of the model's BERT.
    """

    def __init__(
        self, model: PretrainingModel, corpora: Mapping[str, Rows], masker: Masker
    ) -> None:
        self._batches = {name: list(_batches(rows, masker)) for name, rows in corpora.items()}
        self._sums = tf.function(
            partial(_sums, model), input_signature=[BATCH_SIGNATURE], autograph=False
        )

    def losses(self) -> dict[str, dict[str, float]]:
        """Mean losses in nats a token, without dropout, with the model's present weights.

        Returns:
          By corpus `mlm_loss`, `mlm_perplexity` (its exponential), `causal_loss`,
          `causal_perplexity`.
        """
        return {
            name: _losses(sum(self._sums(batch).numpy() for batch in batches))
            for name, batches in self._batches.items()
        }


def to_text(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> str:
    """A table of held-out losses by corpus.

    Args:
      before, after: by corpus, as `HeldOut.losses`.

    Example:
        >>> losses = {"mlm_loss": 5.0, "causal_loss": 4.0}
        >>> losses |= {"mlm_perplexity": 148.4, "causal_perplexity": 54.6}
        >>> better = {**losses, "mlm_loss": 4.0, "mlm_perplexity": 54.6}
        >>> print(to_text({"a": losses}, {"a": better}))
        held out        before   after  change  perplexity
        a, mlm           5.000   4.000    -20%  148.4 to 54.6
        a, causal        4.000   4.000     +0%  54.6 to 54.6
    """
    width = max(14, max(map(len, before)) + len(", causal"))
    lines = [f"{'held out':{width}}  before   after  change  perplexity"]
    for name, old in before.items():
        for kind in ("mlm", "causal"):
            was, now = old[f"{kind}_loss"], after[name][f"{kind}_loss"]
            both = [values[f"{kind}_perplexity"] for values in (old, after[name])]
            lines.append(
                f"{f'{name}, {kind}':{width}}{was:8.3f}{now:8.3f}{now / was - 1:+8.0%}"
                f"  {both[0]:.1f} to {both[1]:.1f}"
            )
    return "\n".join(lines)


def _batches(rows: Rows, masker: Masker) -> Iterator[Batch]:
    """Every row once; the last batch may be smaller, so it is a data set of its own."""
    order = np.arange(len(rows))
    whole = len(rows) // _BATCH_ROWS * _BATCH_ROWS
    for part in (order[:whole].reshape(-1, _BATCH_ROWS), order[whole:][None]):
        if part.size:
            yield from masked_batches(rows, masker, part, _MASK_SEED)


def _sums(model: PretrainingModel, batch: Batch) -> tf.Tensor:
    return tf.stack(
        [
            model.masked_loss(batch),
            tf.reduce_sum(batch["mask_weight"]),
            model.causal_loss(batch),
            tf.reduce_sum(batch["next_weight"]),
        ]
    )


def _losses(sums: NDArray[np.float32]) -> dict[str, float]:
    mlm, causal = float(sums[0] / sums[1]), float(sums[2] / sums[3])
    return {
        "mlm_loss": mlm,
        "mlm_perplexity": math.exp(mlm),
        "causal_loss": causal,
        "causal_perplexity": math.exp(causal),
    }
