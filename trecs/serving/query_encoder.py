"""The query side of a trained model, for the graph that is exported."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from trecs.models.retrieval import RetrievalModel


def query_encoder(
    model: RetrievalModel,
) -> Callable[[dict[str, tf.Tensor], tf.Tensor, tf.Tensor | None], tuple[tf.Tensor, tf.Tensor]]:
    """A function of a batch, its history's item vectors [B, L, D] and the users' profiles, or None.

    It gives query embeddings [B, D + K + 1] and repeat weights [B, R]. A closure, so that who holds
    it has no Keras object for an attribute. The signatures share one graph of it.
    """

    @tf.function(autograph=False)
    def encode(
        batch: dict[str, tf.Tensor], history: tf.Tensor, profile: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        query, weight, repeat_weight = model.encode_queries(batch, history, profile=profile)
        one = tf.ones([tf.shape(query)[0], 1])
        return tf.concat([query[:, 0], weight[:, 0], one], axis=1), repeat_weight[:, 0]

    # Bare, the function would be saved as one more of the module's.
    return lambda *inputs: encode(*inputs)
