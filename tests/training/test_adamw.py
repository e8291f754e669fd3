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


def test_gradients_of_rows_move_them_as_keras_adamw_does():
    # Row 2 comes twice: Keras adds the squares, not the square of the sum.
    rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), tf.constant([0, 2, 2]), (4, 1))
    moved = []
    for gradient in (rows, tf.convert_to_tensor(rows)):
        for kind in (FusedAdamW, keras.optimizers.AdamW):
            optimizer = kind(0.1, weight_decay=0.0)
            weight = keras.Variable(np.ones((4, 1), np.float32))
            for _ in range(3):
                optimizer.apply([gradient], [weight])
            moved.append(weight.numpy())
    by_rows, keras_by_rows, dense, keras_dense = moved
    np.testing.assert_allclose(by_rows, keras_by_rows, rtol=1e-6)
    np.testing.assert_allclose(dense, keras_dense, rtol=1e-6)
    assert by_rows[2] < dense[2] - 0.05
