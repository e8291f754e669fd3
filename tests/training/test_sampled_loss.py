"""The sampled loss on plain tensors."""

import numpy as np
import pytest
import tensorflow as tf

from trecs.features.spec import FIRST_ITEM_ROW, PAD_ROW
from trecs.training.loss import SampledSoftmax

COUNTS = np.array([50, 9, 3, 2, 1, 1])
NUM_UNIFORM = 2


def loss_of(targets, uniform, vectors, counts=COUNTS):
    """The loss of targets, each asked for by its own item's vector turned round."""
    rows = np.array([*targets, *uniform])
    known = rows != PAD_ROW
    found = np.where(known[:, None], vectors[np.maximum(rows - FIRST_ITEM_ROW, 0)], 0)
    weight = known[: len(targets)] / known[: len(targets)].sum()
    loss = SampledSoftmax(counts, NUM_UNIFORM, seed=1)._task(
        tf.constant(found[: len(targets), ::-1], tf.float32),
        tf.constant(found, tf.float32),
        tf.zeros([len(targets), len(rows)]),
        tf.zeros([len(targets), 0]),
        tf.constant(rows, tf.int32),
        tf.constant(weight, tf.float32),
    )
    return float(loss)


def test_padding_changes_nothing():
    vectors = np.random.default_rng(1).normal(size=(len(COUNTS), 4))
    plain = loss_of([2, 3, 2, 6], [5, 7], vectors)
    padded = loss_of([2, 0, 0, 3, 0, 2, 6, 0, 0, 0], [5, 7], vectors)
    assert padded == pytest.approx(plain, rel=1e-5)


def test_negatives_are_corrected_by_their_expected_share():
    # Of equal scores the loss is the log of what the negatives stand for: each counts 1 / share.
    vectors = np.zeros((len(COUNTS), 4))
    share = 0.5 * COUNTS / COUNTS.sum() + 0.5 / len(COUNTS)
    by_hand = np.log(1 + (1 / (4 * share))[[1, 3, 5]].sum())
    other = np.log(1 + (1 / (4 * share))[[0, 3, 5]].sum())
    assert loss_of([2, 3], [5, 7], vectors) == pytest.approx((by_hand + other) / 2, rel=1e-5)


def test_items_rarer_than_one_in_a_million_are_corrected_in_full():
    counts = np.ones(2_000_000)
    counts[0] = 1e7
    head = counts[0] / counts.sum() / 3 + 2 / 3 / len(counts)
    found = loss_of([3], [2, 2], np.zeros((len(counts), 1)), counts)
    assert found == pytest.approx(np.log(1 + 2 / (3 * head)), rel=1e-5)
