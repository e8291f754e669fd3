"""Graphs of trainings that are over are let go."""

import gc
import weakref

import tensorflow as tf
from tensorflow.python.framework import ops

from trecs.models.scoring import score
from trecs.training.custom_gradients import forgotten_gradients


def graph_of_a_step(learns):
    weight = tf.Variable(tf.ones([3, 2]))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            found = score(
                tf.ones([3, 4]),
                weight,
                tf.ones([5, 4]),
                tf.ones([5]),
                tf.ones([2, 2, 5]),
                tf.constant([0, 1, 1]),
                learns=learns,
            )
        return tape.gradient(found, weight) if learns else found

    assert step().shape[0] == 3
    return weakref.ref(step.get_concrete_function().graph)


def test_the_graph_of_a_step_is_gone_after_the_block():
    with forgotten_gradients():
        graph = graph_of_a_step(learns=True)
        gc.collect()
        assert graph() is not None
    gc.collect()
    assert graph() is None


def test_scoring_registers_no_gradient():
    before = len(ops.gradient_registry.list())
    graph = graph_of_a_step(learns=False)
    gc.collect()
    assert len(ops.gradient_registry.list()) == before
    assert graph() is None
