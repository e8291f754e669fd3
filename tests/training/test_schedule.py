"""The learning rate over the steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trecs.training.rates import WarmupCosine


def test_it_rises_to_the_peak_and_falls_to_the_floor_counted_from_the_end_of_the_warm_up():
    rate = WarmupCosine(0.02, 4, 30, 0.1)
    steps = {0: 0.0, 2: 0.01, 4: 0.02, 19: 0.011, 34: 0.002, 50: 0.002}
    assert [float(rate(step)) for step in steps] == pytest.approx(list(steps.values()))


def test_training_of_no_step_has_a_rate():
    assert float(WarmupCosine(0.02, 0, 0, 0.1)(0)) == pytest.approx(0.02)


@pytest.mark.parametrize(("warmup_steps", "decay_steps", "floor"), [(4, 30, 0.1), (50, 1, 0.02)])
def test_the_rates_are_those_of_keras_cosine_decay(warmup_steps, decay_steps, floor):
    keras_rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, alpha=floor, warmup_target=0.02, warmup_steps=warmup_steps
    )
    rate = WarmupCosine(0.02, warmup_steps, decay_steps, floor)
    rates = [(float(rate(step)), float(keras_rate(step))) for step in range(60)]
    np.testing.assert_allclose(*zip(*rates, strict=True), rtol=1e-6)


def test_a_step_of_the_optimizer_branches_nowhere_for_its_rate():
    rate = WarmupCosine(0.02, 4, 30, 0.1)
    graph = tf.function(lambda step: rate(step)).get_concrete_function(tf.constant(0, tf.int64))
    assert not {op.type for op in graph.graph.get_operations()} & {"If", "StatelessIf", "Case"}
