"""The one formula by which the model scores, and its product in bfloat16."""

import numpy as np
import tensorflow as tf

from trecs.models.retrieval import score


def arguments(num_queries=3, num_items=5, width=4, num_trends=2):
    rng = np.random.default_rng(0)
    shapes = [
        (num_queries, width),
        (num_queries, num_trends),
        (num_items, width),
        (num_items,),
        (num_queries, num_trends, num_items),
    ]
    return [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]


def test_a_score_is_the_match_plus_the_weighted_trend_plus_the_bias():
    query, weight, vectors, bias, trend = (x.numpy() for x in arguments())
    expected = np.array(
        [
            [query[p] @ vectors[m] + weight[p] @ trend[p, :, m] + bias[m] for m in range(5)]
            for p in range(3)
        ]
    )
    np.testing.assert_allclose(score(*arguments()), expected, rtol=1e-5)


def test_in_bfloat16_the_match_alone_is_rounded():
    query, weight, vectors, bias, trend = arguments()
    match = tf.matmul(tf.cast(query, tf.bfloat16), tf.cast(vectors, tf.bfloat16), transpose_b=True)
    rest = score(tf.zeros_like(query), weight, vectors, bias, trend)
    found = score(query, weight, vectors, bias, trend, bfloat16=True)
    np.testing.assert_allclose(found, rest + tf.cast(match, tf.float32), rtol=1e-5)
    assert np.abs(found - score(query, weight, vectors, bias, trend)).max() > 1e-4


def test_gradients_of_item_vectors_in_bfloat16_add_up_over_parts_of_a_batch():
    query, weight, vectors, bias, trend = arguments(num_queries=64)

    def gradient(part):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            scores = score(query[part], weight[part], vectors, bias, trend[part], bfloat16=True)
            loss = tf.reduce_sum(scores**2)
        return tape.gradient(loss, vectors).numpy()

    whole = gradient(slice(None))
    halves = gradient(slice(32)) + gradient(slice(32, None))
    assert np.abs(whole).max() > 1
    np.testing.assert_allclose(halves, whole, rtol=1e-5, atol=1e-5)
