"""The batches of pretraining, in an order and under masks that a seed and an epoch give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.masking import Batch, Masker, masked_batches
from trecs.text.rows import Rows, concatenate


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
    rows = concatenate(plan.corpora)
    mask_seed = int(np.random.default_rng([plan.seed, epoch, 1]).integers(2**31))

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * local
        batches = masked_batches(rows, plan.masker, plan.order(epoch), mask_seed).skip(skip)
        replicas = batches.map(_share_out).flat_map(
            lambda batch: _of_replicas(batch, plan.num_replicas, first, local)
        )
        return replicas.prefetch(2 * local)

    return tf.distribute.get_strategy().distribute_datasets_from_function(of_worker)


def _share_out(batch: Batch) -> Batch:
    """Weights of each loss that sum to 1 over the global batch."""
    shares = {name: batch[name] / tf.reduce_sum(batch[name]) for name in _WEIGHTS}
    return {**batch, **shares}


_WEIGHTS = ("mask_weight", "next_weight")


def _of_replicas(batch: Batch, num_replicas: int, first: int, local: int) -> Any:
    """The rows of each of a worker's replicas in turn."""
    by_replica = {
        name: tf.reshape(values, tf.concat([[num_replicas, -1], tf.shape(values)[1:]], axis=0))[
            first : first + local
        ]
        for name, values in batch.items()
    }
    return tf.data.Dataset.from_tensor_slices(by_replica)
