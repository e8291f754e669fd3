"""Item tower: one vector for an item, as history input and as candidate."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("trecs")
class ItemTower(keras.layers.Layer):
    """W[id embedding; BERT(text); categories; release time], and a bias.

    The projection of the concatenation is written as a sum of projections. The id embedding is
    replaced by the shared row 0 for a random share of items in training, so that row 0 learns to
    stand for an item that has never trained and the text learns to carry such an item.

    Args:
      num_ids: rows of the id embedding, row 0 (any new item) included.
      num_category_values: rows of the category embedding, row 0 (none) included.
      embedding_dim: D.
      id_dropout: share of items whose id is hidden in a training step.
    """

    def __init__(
        self,
        num_ids: int,
        num_category_values: int,
        embedding_dim: int,
        id_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_ids = num_ids
        self.num_category_values = num_category_values
        self.embedding_dim = embedding_dim
        self.id_dropout = id_dropout
        initializer = keras.initializers.RandomNormal(stddev=embedding_dim**-0.5, seed=None)
        self.id_embedding = keras.layers.Embedding(
            num_ids, embedding_dim, embeddings_initializer=initializer, dtype=self.dtype_policy
        )
        self.id_bias = keras.layers.Embedding(
            num_ids, 1, embeddings_initializer="zeros", dtype=self.dtype_policy
        )
        self.category_embedding = keras.layers.Embedding(
            num_category_values,
            embedding_dim,
            embeddings_initializer="zeros",
            dtype=self.dtype_policy,
        )
        # Text vectors come with mean square 1; vectors start with mean square 1 / D, as the ids'.
        small = keras.initializers.VarianceScaling(1 / embedding_dim, "fan_in")
        self.text_projection = keras.layers.Dense(
            embedding_dim, use_bias=False, kernel_initializer=small, dtype=self.dtype_policy
        )
        self.release_projection = keras.layers.Dense(
            embedding_dim, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy
        )
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights; `input_shape` as the inputs of `call`."""
        self.id_embedding.build(input_shape["id_index"])
        self.id_bias.build(input_shape["id_index"])
        self.category_embedding.build(input_shape["categories"])
        self.text_projection.build(input_shape["text"])
        self.release_projection.build(input_shape["release"])
        self.built = True

    def call(
        self, inputs: dict[str, tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode items.

        Args:
          inputs: `id_index` int32 [M], `text` float32 [M, H], `categories` int32 [M, S], `release`
            float32 [M, 2]; the columns of `trecs.features.items.ItemTable`.
          training: whether ids are hidden at random.

        Returns:
          Vectors [M, D] and biases [M], in the compute dtype.
        """
        id_index = inputs["id_index"]
        if training and self.id_dropout:
            keep = keras.random.uniform(tf.shape(id_index), seed=self.seed_generator)
            id_index = tf.where(keep >= self.id_dropout, id_index, 0)
        vector = self.id_embedding(id_index)
        vector += self.text_projection(inputs["text"])
        vector += self.release_projection(inputs["release"])
        values = self.category_embedding(inputs["categories"])
        present = tf.cast(inputs["categories"] > 0, values.dtype)[..., None]
        vector += tf.reduce_sum(values * present, axis=-2)
        return vector, self.id_bias(id_index)[..., 0]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "num_ids": self.num_ids,
            "num_category_values": self.num_category_values,
            "embedding_dim": self.embedding_dim,
            "id_dropout": self.id_dropout,
        }
