"""Every layer signs the same contract."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trecs.models.item_tower import ItemTower
from trecs.models.repeats import NUM_REPEAT_FEATURES, RepeatTerm
from trecs.models.timestamp_tower import TimestampTower
from trecs.models.user_tower import UserTower

NOW = 1_600_000_000


def times():
    event = NOW + np.cumsum(np.random.default_rng(0).integers(0, 9999, (3, 5)), axis=1)
    following = np.concatenate([event[:, 1:], event[:, -1:] + 60], axis=1)
    return {"event_time_s": tf.constant(event), "next_time_s": tf.constant(following)}


def item_inputs():
    rng = np.random.default_rng(1)
    return {
        "id_index": tf.constant([0, 1, 2, 4]),
        "text": tf.constant(rng.normal(size=(4, 6)), tf.float32),
        "categories": tf.constant([[0, 1], [2, 0], [0, 0], [1, 2]]),
        "release": tf.constant([[0.5, 1], [0, 0], [-1, 1], [1, 1]], tf.float32),
    }


def user_inputs():
    rng = np.random.default_rng(2)
    return {
        "history": tf.constant(rng.normal(size=(3, 5, 8)), tf.float32),
        "time_states": tf.constant(rng.normal(size=(3, 5, 8)), tf.float32),
        "user_row": tf.constant([0, 1, 2]),
        "query_position": tf.constant([[0, 4], [1, 2], [3, 3]]),
        **times(),
    }


def profiled_inputs():
    rng = np.random.default_rng(5)
    # The last user is known by its profile alone.
    rows, profile = tf.constant([0, 1, 9]), tf.constant(rng.normal(size=(3, 8)), tf.float32)
    return {**user_inputs(), "user_row": rows, "profile": profile}


def repeat_inputs():
    rng = np.random.default_rng(4)
    shapes = {
        "features": (5, NUM_REPEAT_FEATURES),
        "weight": (5, NUM_REPEAT_FEATURES),
        "vectors": (3, 8),
    }
    return {
        "item": tf.constant([0, 2, 1, 1, 0]),
        **{name: tf.constant(rng.normal(size=s), tf.float32) for name, s in shapes.items()},
    }


LAYERS = {
    "item": (lambda **k: ItemTower(5, 3, 8, **k), item_inputs),
    "timestamp": (lambda **k: TimestampTower(8, season=True, **k), times),
    "repeats": (lambda **k: RepeatTerm(8, 5, **k), repeat_inputs),
    "user": (lambda **k: UserTower(4, 6, 9, 8, 2, 2, 0.1, 5, 0.5, **k), user_inputs),
    "profiled user": (lambda **k: UserTower(4, 6, 9, 8, 2, 2, 0.1, 5, 0.5, **k), profiled_inputs),
}


def outputs(layer, inputs):
    return [np.asarray(tf.cast(x, tf.float32)) for x in tf.nest.flatten(layer(inputs))]


@pytest.fixture(params=LAYERS, ids=str)
def case(request):
    make, inputs = LAYERS[request.param]
    return make, inputs()


def test_config_and_weights_rebuild_the_layer(case, tmp_path):
    make, inputs = case
    layer = make()
    before = outputs(layer, inputs)
    again = type(layer).from_config(layer.get_config())
    again.build({name: value.shape for name, value in inputs.items()})
    again.set_weights(layer.get_weights())
    for ours, theirs in zip(outputs(again, inputs), before, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_saved_keras_file_gives_the_same_outputs(case, tmp_path):
    make, inputs = case
    symbolic = {n: keras.Input(v.shape[1:], dtype=v.dtype, name=n) for n, v in inputs.items()}
    if "id_index" in inputs:
        symbolic["id_index"] = keras.Input((), dtype="int32", name="id_index")
    model = keras.Model(symbolic, make()(symbolic))
    model.save(tmp_path / "layer.keras")
    loaded = keras.models.load_model(tmp_path / "layer.keras")
    for ours, theirs in zip(outputs(loaded, inputs), outputs(model, inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_graph_equals_eager(case):
    make, inputs = case
    layer = make()
    eager = outputs(layer, inputs)
    graph = tf.nest.flatten(tf.function(layer)(inputs))
    for ours, theirs in zip(graph, eager, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_every_weight_has_a_gradient(case):
    make, inputs = case
    layer = make()
    layer(inputs)
    with tf.GradientTape() as tape:
        loss = (
            sum(tf.reduce_sum(x**2) for x in tf.nest.flatten(layer(inputs, training=True)))
            if "event_time_s" not in inputs or "history" in inputs
            else tf.reduce_sum(layer(inputs) ** 2)
        )
    gradients = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    assert all(gradient is not None for gradient in gradients)


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32_weights(case):
    make, inputs = case
    layer = make(dtype="mixed_bfloat16")
    exact = make()
    outputs(exact, inputs)
    found = outputs(layer, inputs)
    layer.set_weights(exact.get_weights())
    assert {w.dtype for w in layer.trainable_weights} == {"float32"}
    found = tf.nest.flatten(layer(inputs))
    assert {x.dtype for x in found} == {tf.bfloat16}
    for ours, theirs in zip(found, outputs(exact, inputs), strict=True):
        np.testing.assert_allclose(tf.cast(ours, tf.float32), theirs, atol=0.1)


def test_later_events_and_states_reach_no_earlier_query():
    inputs = user_inputs() | {"query_position": tf.constant([[0, 1, 2]] * 3)}
    layer = LAYERS["user"][0]()
    before = outputs(layer, inputs)
    changed = dict(inputs)
    for name in ("history", "time_states"):
        changed[name] = tf.concat([inputs[name][:, :3], 9 - inputs[name][:, 3:]], axis=1)
    for ours, theirs in zip(outputs(layer, changed), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.allclose(
        outputs(layer, changed | {"query_position": tf.constant([[4]] * 3)})[0],
        outputs(layer, inputs | {"query_position": tf.constant([[4]] * 3)})[0],
    )


def test_a_user_id_that_is_always_dropped_plays_no_part():
    tower = UserTower(4, 6, 9, 8, 2, 2, 0.1, 5, 1.0)
    inputs = user_inputs()
    tower(*inputs) if isinstance(inputs, tuple) else tower(inputs)
    tower.user_embedding.embeddings.assign(np.random.default_rng(1).normal(size=(4, 8)))
    rows = tower._user({"user_row": tf.constant([0, 1, 3])}, training=False).numpy()
    np.testing.assert_array_equal(rows, np.repeat(rows[:1], 3, axis=0))


def test_the_query_starts_at_the_size_asked_for():
    history = (None, None, 8)
    kernels = []
    for scale in (1.0, 0.1):
        keras.utils.set_random_seed(1)
        tower = UserTower(4, 6, 9, 8, 2, 2, 0.1, 5, 1.0, query_scale=scale)
        tower.build({"history": history, "time_states": history, "user_row": (None,)})
        kernels.append(tower.query.kernel.numpy())
    np.testing.assert_allclose(kernels[1], 0.1 * kernels[0], atol=1e-7)
