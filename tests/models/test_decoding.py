"""A layer asked for a few positions answers as its own call does."""

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from trecs.models.decoding import decode_at

BATCH, LENGTH, WIDTH = 3, 7, 8


@pytest.fixture
def decoder():
    keras.utils.set_random_seed(3)
    layer = keras_nlp.layers.TransformerDecoder(
        intermediate_dim=16, num_heads=2, dropout=0.3, activation="gelu", normalize_first=True
    )
    layer.build((BATCH, LENGTH, WIDTH), (BATCH, LENGTH, WIDTH))
    # Norms and biases start as nothing: what does nothing could be left out unseen.
    for weight in layer.weights:
        if "seed" not in weight.path:
            weight.assign(weight + 0.3 * np.random.default_rng(1).normal(size=weight.shape))
    return layer


def inputs(seed):
    draw = np.random.default_rng(seed).normal(size=(2, BATCH, LENGTH, WIDTH))
    return [tf.constant(part, tf.float32) for part in draw]


def test_every_position_is_that_of_the_layers_own_call(decoder):
    sequence, states = inputs(2)
    mask = tf.tile(tf.linalg.band_part(tf.ones((1, LENGTH, LENGTH), bool), -1, 0), [BATCH, 1, 1])
    whole = decoder(sequence, states, encoder_attention_mask=mask, training=False)
    position = tf.constant([[6, 0], [3, 3], [1, 5]])
    found = decode_at(decoder, sequence, states, position)
    np.testing.assert_allclose(found, tf.gather(whole, position, batch_dims=1), atol=1e-5)


def test_what_comes_after_a_position_does_not_reach_it(decoder):
    position = tf.constant([[2]] * BATCH)
    before, other = inputs(2), inputs(5)
    after = [
        tf.concat([ours[:, :3], theirs[:, 3:]], axis=1)
        for ours, theirs in zip(before, other, strict=True)
    ]
    found, again = (decode_at(decoder, *of, position) for of in (before, after))
    np.testing.assert_array_equal(found, again)
