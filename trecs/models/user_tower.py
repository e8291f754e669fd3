"""User tower: a Transformer decoder fuses history, time states, user and request."""

from __future__ import annotations

from typing import Any

import keras
import keras_nlp
import tensorflow as tf

from trecs.features.time import NUM_REQUEST_FEATURES, request_features
from trecs.models.decoding import decode_at


@keras.saving.register_keras_serializable("trecs")
class UserTower(keras.layers.Layer):
    """Queries from histories.

    keras-nlp Transformer decoder layers over the item vectors of the history: causal self-attention
    over events, and cross-attention to the timestamp tower's states under the same causal mask (an
    unmasked one would leak the future). The user's id embedding and profile text are added, and the
    request time gates the result.

    Args:
      num_users: rows of the user embedding, row 0 (unknown user) included.
      num_trend_features: K, outputs that weigh the trend.
      num_repeat_features: R, outputs that weigh what the user has had before.
      embedding_dim: D.
      num_layers, num_heads, dropout: of the decoder.
      history_len: longest history, for the position embedding.
      user_id_dropout: share of users whose id is hidden in a training step, and, independently,
        of those whose profile is.
      season: whether the time of the year is a feature of the request.
      query_scale: size at which the query's projection starts; 1 is Glorot's.
    """

    def __init__(
        self,
        num_users: int,
        num_trend_features: int,
        num_repeat_features: int,
        embedding_dim: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
        history_len: int,
        user_id_dropout: float,
        season: bool = False,
        query_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = {
            "num_users": num_users,
            "num_trend_features": num_trend_features,
            "num_repeat_features": num_repeat_features,
            "embedding_dim": embedding_dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "dropout": dropout,
            "history_len": history_len,
            "user_id_dropout": user_id_dropout,
            "season": season,
            "query_scale": query_scale,
        }
        dtype = self.dtype_policy
        self.season = season
        self.num_users = num_users
        self.num_trend_features = num_trend_features
        self.embedding_dim = embedding_dim
        self.user_id_dropout = user_id_dropout
        self.position = keras_nlp.layers.PositionEmbedding(history_len, dtype=dtype)
        self.input_norm = keras.layers.LayerNormalization(dtype=dtype)
        self.input_dropout = keras.layers.Dropout(dropout, dtype=dtype)
        self.decoders = [
            keras_nlp.layers.TransformerDecoder(
                intermediate_dim=4 * embedding_dim,
                num_heads=num_heads,
                dropout=dropout,
                activation="gelu",
                normalize_first=True,
                dtype=dtype,
                name=f"decoder_{i}",
            )
            for i in range(num_layers)
        ]
        self.user_embedding = keras.layers.Embedding(
            num_users, embedding_dim, embeddings_initializer="zeros", dtype=dtype
        )
        self.output_norm = keras.layers.LayerNormalization(dtype=dtype)
        self.gate = keras.layers.Dense(embedding_dim, activation="sigmoid", dtype=dtype)
        start = keras.initializers.VarianceScaling(query_scale**2, "fan_avg", "uniform")
        self.query = keras.layers.Dense(embedding_dim, kernel_initializer=start, dtype=dtype)
        self.trend_weight = keras.layers.Dense(
            num_trend_features,
            kernel_initializer="zeros",
            # Starts as "popular lately": the sum of the log counts, times a quarter each.
            bias_initializer=keras.initializers.Constant(0.25),
            dtype=dtype,
        )
        self.repeat_weight = keras.layers.Dense(
            num_repeat_features, kernel_initializer="zeros", dtype=dtype
        )
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights; `input_shape` as the inputs of `call`."""
        history = input_shape["history"]
        width = self.embedding_dim
        self.position.build(history)
        self.input_norm.build(history)
        for decoder in self.decoders:
            decoder.build(history, input_shape["time_states"])
        self.user_embedding.build(input_shape["user_row"])
        self.output_norm.build(history)
        request = (None, None, NUM_REQUEST_FEATURES + width)
        self.gate.build(request)
        self.query.build(history)
        self.trend_weight.build((None, None, width + request[-1]))
        self.repeat_weight.build((None, None, width + request[-1]))
        self.built = True

    def call(
        self, inputs: dict[str, tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encode queries.

        Args:
          inputs: `history` [batch, history, D] item vectors; `time_states` [batch, history, D];
            `user_row` int32 [batch], where rows without an embedding count as row 0 if there are
            profiles; `profile` [batch, D], if there are; `event_time_s`, `next_time_s` int64
            [batch, history]; `query_position` int32 [batch, query].
          training: whether dropout acts.

        Returns:
          Queries [batch, query, D], trend weights [batch, query, K] and repeat weights
          [batch, query, R] in the compute dtype.
        """
        history, states = inputs["history"], inputs["time_states"]
        x = self.input_norm(history + self.position(history))
        x = self.input_dropout(x, training=training)
        position = inputs["query_position"]
        x = self._decode(x, states, position, training) + self._user(inputs, training)[:, None]
        x = self.output_norm(x)
        request = request_features(inputs["event_time_s"], inputs["next_time_s"], self.season)
        request = tf.concat([tf.cast(request, states.dtype), states], axis=-1)
        request = tf.gather(request, position, batch_dims=1)
        query = self.query(x) * (2 * self.gate(request))
        state = tf.concat([x, request], axis=-1)
        return query, self.trend_weight(state), self.repeat_weight(state)

    def _decode(
        self, x: tf.Tensor, states: tf.Tensor, position: tf.Tensor, training: bool
    ) -> tf.Tensor:
        """What the decoders make of the positions [batch, query] of x: [batch, query, D]."""
        causal = _causal_mask(x)
        *first, last = self.decoders
        for decoder in first:
            x = decoder(x, states, encoder_attention_mask=causal, training=training)
        if training:
            # Nearly every position is asked for, some of them more than once.
            x = last(x, states, encoder_attention_mask=causal, training=True)
            return tf.gather(x, position, batch_dims=1)
        return decode_at(last, x, states, position)

    def _user(self, inputs: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        user_row = inputs["user_row"]
        if self.user_id_dropout >= 1:
            # What is always dropped never trains, and must not serve either.
            return self.user_embedding(tf.zeros_like(user_row))
        drops = training and self.user_id_dropout > 0
        if drops:
            user_row = tf.where(self._keep(user_row), user_row, 0)
        profile = inputs.get("profile")
        if profile is None:
            return self.user_embedding(user_row)
        if drops:
            profile = tf.where(self._keep(inputs["user_row"])[:, None], profile, 0)
        # Users that did not train are known by their profile alone.
        return self.user_embedding(tf.where(user_row < self.num_users, user_row, 0)) + profile

    def _keep(self, user_row: tf.Tensor) -> tf.Tensor:
        draw = keras.random.uniform(tf.shape(user_row), seed=self.seed_generator)
        return draw >= self.user_id_dropout

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), **self._arguments}


def _causal_mask(sequence: tf.Tensor) -> tf.Tensor:
    """Bool [batch, history, history], true where the second position is not after the first."""
    batch, length = tf.shape(sequence)[0], tf.shape(sequence)[1]
    position = tf.range(length)
    return tf.tile((position[None] <= position[:, None])[None], [batch, 1, 1])
