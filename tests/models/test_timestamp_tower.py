import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from trecs.models.timestamp_tower import TimestampTower

SPEC = tf.TensorSpec([None, None], tf.int64)


def times(rows=6, history=9):
    rng = np.random.default_rng(0)
    event = 1_600_000_000 + np.cumsum(rng.integers(0, 99_999, (rows, history)), axis=1)
    following = np.concatenate([event[:, 1:], event[:, -1:] + 60], axis=1)
    return {"event_time_s": tf.constant(event), "next_time_s": tf.constant(following)}


@pytest.fixture
def tower():
    """With weights far from their start, where gates and biases count."""
    tower = TimestampTower(8)
    tower(times())
    rng = np.random.default_rng(1)
    tower.set_weights([rng.normal(size=w.shape) for w in tower.weights])
    return tower


def traced(tower, training):
    call = tf.function(
        lambda event, following: tower(
            {"event_time_s": event, "next_time_s": following}, training=training
        ),
        autograph=False,
    )
    return call.get_concrete_function(SPEC, SPEC)


def operations(function):
    graph = function.graph.as_graph_def()
    inner = [node for f in graph.library.function for node in f.node_def]
    return {node.op for node in [*graph.node, *inner]}


def test_the_states_served_are_those_trained(tower):
    np.testing.assert_allclose(tower(times()), tower(times(), training=True), atol=1e-6)


def test_the_states_of_no_rows_are_none(tower):
    assert tower(times(rows=0)).shape == (0, 9, 8)


def test_what_is_traced_beside_a_gpu_runs_without_one(tower, monkeypatch):
    def on_a_cpu(function):
        # Some have none at all: a call of a function is its body.
        found = [kernels.get_registered_kernels_for_op(op).kernel for op in operations(function)]
        return all({"CPU", "DEFAULT"} & {k.device_type for k in some} for some in found if some)

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _=None: ["a GPU"])
    # As Keras chooses when it is made.
    beside = TimestampTower(8)
    beside.build({"event_time_s": (None, None)})
    assert not on_a_cpu(traced(beside, training=True))
    assert on_a_cpu(traced(beside, training=False))
