"""The step of AdamW by one operation a variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trecs.training.adamw import FusedAdamW
from trecs.training.rates import WarmupCosine


def gradients_of(step, shapes):
    random = np.random.default_rng(step)
    return [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]


@pytest.mark.parametrize("graph", [True, False])
def test_it_moves_weights_as_keras_adamw_does(graph):
    shapes = [(5, 3), (3,), ()]
    moved = []
    for kind in (FusedAdamW, keras.optimizers.AdamW):
        optimizer = kind(WarmupCosine(0.1, 3, 8, 0.1), weight_decay=0.02, beta_2=0.99)
        weights = [keras.Variable(g) for g in gradients_of(99, shapes)]
        optimizer.build(weights)
        apply = tf.function(optimizer.apply) if graph else optimizer.apply
        for step in range(12):
            apply(gradients_of(step, shapes))
        moved.append([weight.numpy() for weight in weights])
        assert int(optimizer.iterations) == 12
    for fused, plain in zip(*moved, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def moved_by_rows(kind, dense):
    optimizer = kind(0.1, weight_decay=0.0)
    weight = keras.Variable(np.ones((4, 1), np.float32))
    optimizer.build([weight])

    @tf.function
    def step():
        shape = tf.constant([4, 1])
        rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), tf.constant([0, 2, 2]), shape)
        optimizer.apply([tf.convert_to_tensor(rows) if dense else rows])

    for _ in range(3):
        step()
    return weight.numpy().ravel()


def test_gradients_of_rows_move_them_as_keras_adamw_does():
    by_rows, dense = (moved_by_rows(FusedAdamW, dense) for dense in (False, True))
    for found, is_dense in ((by_rows, False), (dense, True)):
        np.testing.assert_allclose(
            found, moved_by_rows(keras.optimizers.AdamW, is_dense), rtol=1e-5
        )
    # Row 2 comes twice: Keras adds the squares, not the square of the sum.
    assert by_rows[2] < dense[2] - 0.05
    np.testing.assert_allclose(by_rows[[0, 1, 3]], dense[[0, 1, 3]], rtol=1e-5)
