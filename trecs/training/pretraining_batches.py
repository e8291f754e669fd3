"""The batches of pretraining, in an order and under masks that a seed and an epoch give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.masking import BATCH_SIGNATURE, Masker, masked_batches
from trecs.text.rows import Rows, concatenate

_WEIGHTS = ("mask_weight", "next_weight")


@dataclass(frozen=True, eq=False)
class PretrainingPlan:
    """What an epoch of pretraining is made of.

    Attributes:
      corpora: rows of each corpus, at least one of each. A batch holds rows of one of them, so that
        short item texts are not padded to the length of histories.
      masker: masks them.
      batch_rows: rows of a step over all replicas, a multiple of their number.
      seed: of order and masks.
      num_replicas: each takes its own rows of a batch.
    """

    corpora: Sequence[Rows]
    masker: Masker
    batch_rows: int
    seed: int
    num_replicas: int = 1

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return sum(-(-len(rows) // self.batch_rows) for rows in self.corpora)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """int64 [num_batches, batch_rows], numbers of rows of all corpora one after another.

        Every row occurs; those that fill a corpus' last batch occur again.
        """
        random = np.random.default_rng([self.seed, epoch])
        batches = []
        offset = 0
        for rows in self.corpora:
            num = -(-len(rows) // self.batch_rows) * self.batch_rows
            shuffled = np.resize(random.permutation(len(rows)), num)
            batches.append(offset + shuffled.reshape(-1, self.batch_rows))
            offset += len(rows)
        together = np.concatenate(batches)
        return together[random.permutation(len(together))]


def pretraining_dataset(
    plan: PretrainingPlan, epoch: int, skip: int = 0
) -> tf.distribute.DistributedDataset:
    """The input pipeline of one epoch under the current strategy.

    Args:
      plan: the batches.
      epoch: its number, from 0.
      skip: batches to leave out at the start; they are masked all the same, so that the masks of
        the others do not depend on it.
    """
    mask_seed = int(np.random.default_rng([plan.seed, epoch, 1]).integers(2**31))
    batches = masked_batches(
        concatenate(plan.corpora), plan.masker, plan.order(epoch), mask_seed
    ).skip(skip)

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * local
        # Masked outside of the strategy's own pipeline, in which the masks were seen to differ from
        # run to run.
        return tf.data.Dataset.from_generator(
            lambda: _replica_batches(batches, plan.num_replicas, range(first, first + local)),
            output_signature=BATCH_SIGNATURE,
        ).prefetch(2 * local)

    return tf.distribute.get_strategy().distribute_datasets_from_function(of_worker)


def _replica_batches(
    batches: tf.data.Dataset, num_replicas: int, replicas: range
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """The rows of each of a worker's replicas in turn; weights sum to 1 over the global batch."""
    for batch in batches.as_numpy_iterator():
        shares = {name: batch[name] / batch[name].sum() for name in _WEIGHTS}
        num_rows = len(batch["token_ids"]) // num_replicas
        for replica in replicas:
            rows = slice(replica * num_rows, (replica + 1) * num_rows)
            yield {name: array[rows] for name, array in {**batch, **shares}.items()}
