"""A Transformer decoder layer asked for a few positions: what serving and evaluation need."""

from __future__ import annotations

import keras_nlp
import tensorflow as tf


def decode_at(
    decoder: keras_nlp.layers.TransformerDecoder,
    sequence: tf.Tensor,
    states: tf.Tensor,
    position: tf.Tensor,
) -> tf.Tensor:
    """What `decoder(sequence, states)` gives at some positions, without dropout.

    The layer's own call computes every position. Attention, and all that follows it, needs the
    other positions as keys and values alone, so that a history of L events with one query costs
    two products of the layer's for L positions instead of a dozen.

    Args:
      decoder: built, with `normalize_first`; causal, and its cross-attention likewise.
      sequence, states: [batch, history, D].
      position: int32 [batch, query].

    Returns:
      [batch, query, D].
    """
    # keras-nlp has no public way to its sub-layers: pyproject.toml pins its minor release, and a
    # test holds this to the layer's own call.
    history = decoder._self_attention_layer_norm(sequence)
    x = tf.gather(sequence, position, batch_dims=1)
    visible = tf.range(tf.shape(sequence)[1]) <= position[:, :, None]
    x += decoder._self_attention_layer(
        query=tf.gather(history, position, batch_dims=1), value=history, attention_mask=visible
    )
    x += decoder._cross_attention_layer(
        query=decoder._cross_attention_layer_norm(x), value=states, attention_mask=visible
    )
    y = decoder._feedforward_intermediate_dense(decoder._feedforward_layer_norm(x))
    return x + decoder._feedforward_output_dense(y)
