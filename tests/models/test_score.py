"""The one formula by which the model scores, and its product in bfloat16."""

import numpy as np
import tensorflow as tf

from trecs.models.crowd import crowd_scores
from trecs.models.scoring import score


def arguments(num_queries=3, num_items=5, width=4, num_trends=2):
    rng = np.random.default_rng(0)
    shapes = [
        (num_queries, width),
        (num_queries, num_trends),
        (num_items, width),
        (num_items,),
        (2, num_trends, num_items),
    ]
    day = tf.constant(rng.integers(0, 2, num_queries), tf.int32)
    return [*(tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes), day]


def test_a_score_is_the_match_plus_the_weighted_trend_plus_the_bias():
    query, weight, vectors, bias, trend, day = (x.numpy() for x in arguments())
    expected = np.array(
        [
            [query[p] @ vectors[m] + weight[p] @ trend[day[p], :, m] + bias[m] for m in range(5)]
            for p in range(3)
        ]
    )
    np.testing.assert_allclose(score(*arguments()), expected, rtol=1e-5)


def test_in_bfloat16_the_match_alone_is_rounded():
    query, weight, vectors, bias, trend, day = arguments()
    match = tf.matmul(tf.cast(query, tf.bfloat16), tf.cast(vectors, tf.bfloat16), transpose_b=True)
    rest = score(tf.zeros_like(query), weight, vectors, bias, trend, day)
    found = score(query, weight, vectors, bias, trend, day, bfloat16=True)
    np.testing.assert_allclose(found, rest + tf.cast(match, tf.float32), rtol=1e-5)
    assert np.abs(found - score(query, weight, vectors, bias, trend, day)).max() > 1e-4


def test_gradients_of_item_vectors_in_bfloat16_add_up_over_parts_of_a_batch():
    query, weight, vectors, bias, trend, day = arguments(num_queries=64)

    def gradient(part):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            scores = score(
                query[part], weight[part], vectors, bias, trend, day[part], bfloat16=True
            )
            loss = tf.reduce_sum(scores**2)
        return tape.gradient(loss, vectors).numpy()

    whole = gradient(slice(None))
    halves = gradient(slice(32)) + gradient(slice(32, None))
    assert np.abs(whole).max() > 1
    np.testing.assert_allclose(halves, whole, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_trend_weights_is_that_of_the_gathered_trend():
    _, weight, _, _, trend, day = arguments(num_queries=9)
    upstream = tf.constant(np.random.default_rng(1).normal(size=(9, 5)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weight)
        by_day = tf.reduce_sum(crowd_scores(weight, trend, day) * upstream)
        gathered = tf.einsum("pk,pkm,pm->", weight, tf.gather(trend, day), upstream)
    np.testing.assert_allclose(by_day, gathered, rtol=1e-5)
    expected = tape.gradient(gathered, weight)
    np.testing.assert_allclose(tape.gradient(by_day, weight), expected, rtol=1e-5, atol=1e-6)
