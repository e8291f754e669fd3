"""The running average of the weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trecs.training.averaging import AveragingAdamW, averaged_weights


def trained(horizon, steps):
    """A model of one weight after steps with gradient 1, and the weights it went through."""
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.build((None, 1))
    optimizer = AveragingAdamW(0.1, weight_decay=0.0, horizon=horizon)
    model.compile(optimizer)
    path = []
    for _ in range(steps):
        optimizer.apply([tf.ones([1, 1])], model.trainable_variables)
        path.append(model.trainable_variables[0].numpy().item())
    return model, path


def test_average_moves_by_one_part_of_the_horizon_a_step():
    model, path = trained(horizon=4, steps=3)
    first = path[0]
    second = 0.75 * first + 0.25 * path[1]
    third = 0.75 * second + 0.25 * path[2]
    with averaged_weights(model):
        assert model.trainable_variables[0].numpy().item() == pytest.approx(third)
    assert third > path[2], "the weight falls, and its average lags behind"


def test_weights_are_back_after_the_block_even_after_an_error():
    model, path = trained(horizon=4, steps=3)
    with pytest.raises(RuntimeError, match="in between"), averaged_weights(model):
        raise RuntimeError("in between")
    assert model.trainable_variables[0].numpy().item() == path[-1]


def test_fit_goes_on_from_the_weights_not_from_the_average():
    model, path = trained(horizon=4, steps=3)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    assert model.trainable_variables[0].numpy().item() == path[-1]


def test_a_horizon_of_a_step_averages_nothing():
    model, path = trained(horizon=0.1, steps=3)
    with averaged_weights(model):
        np.testing.assert_allclose(model.trainable_variables[0].numpy().item(), path[-1])
