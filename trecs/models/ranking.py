"""The rating head: a Transformer decoder reads the user's rated events and predicts a rating."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import keras
import keras_nlp
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.models.item_tower import ItemTower
from trecs.models.ranking_data import RatingScale
from trecs.models.ranking_statistics import NUM_STATISTICS, user_statistics
from trecs.models.rating_factors import (
    FactorSamples,
    estimate_ratings,
    no_samples,
    ratings_since,
)

_MAX_HIDDEN = 0.9
_CROWD = ("estimate", "offset", "count", "fitted")


@dataclass(frozen=True)
class RatingSizes:
    """Sizes and dropout rates of the head.

    Attributes:
      num_users: rows of the user embedding, row 0 (unknown user) included.
      num_ids, num_category_values: as of `trecs.models.item_tower.ItemTower`.
      num_factor_rows: items that have factors, and the unknown one.
      num_levels: L, distinct ratings where the loss is a cross-entropy over them; 0 otherwise.
      embedding_dim, num_layers, num_heads, dropout: of the decoder.
      item_id_dropout, user_id_dropout: share of items and users hidden in a training step.
    """

    num_users: int
    num_ids: int
    num_category_values: int
    num_factor_rows: int
    num_levels: int = 0
    embedding_dim: int = 32
    num_layers: int = 1
    num_heads: int = 2
    dropout: float = 0.3
    item_id_dropout: float = 0.1
    user_id_dropout: float = 0.3


@keras.saving.register_keras_serializable("trecs")
class RatingHead(keras.layers.Layer):
    """r = e(t) + b_i + b_u + w' f(decoder(h_p, h_u, h_t; rated history)).

    e(t) is the estimate of a Bayesian factorisation, given the user's ratings as of the request
    (`trecs.models.rating_factors`), and of the item those that came since. The rest is learned on
    top of it.

    The targets are the tokens of keras-nlp Transformer decoder layers. A token joins the item h_p,
    the user h_u (the id's embedding, and sums over the ratings so far) and the moment h_t (the same
    sums with weights that halve in 42 minutes: how the user rates in this session). It sees itself
    and no other target, so a prediction does not depend on what else is asked; by cross-attention
    it reads the user's earlier events, each a token of the item, the rating and their product, so
    that a weight of attention says how far liking one item means liking another, as in SVD++ (Koren
    2008) and item-based neighbours.

    The statistics are shrunk mean residuals as of the request; b_i and b_u are learned.

    In training a random share of each user's events, from none to nine tenths, is hidden from each
    target. The decoder so sees users with histories of all lengths, and does not learn the few
    ratings that exist by heart.

    Args:
      sizes: see `RatingSizes`.
    """

    def __init__(self, sizes: RatingSizes | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = sizes if isinstance(sizes, RatingSizes) else RatingSizes(**sizes)
        s, width = self.sizes, self.sizes.embedding_dim
        self.item_tower = ItemTower(
            s.num_ids, s.num_category_values, width, s.item_id_dropout, name="item_tower"
        )
        self.user_embedding = keras.layers.Embedding(
            s.num_users, width + 1, embeddings_initializer="zeros", name="user_embedding"
        )
        self.vector_dropout = keras.layers.Dropout(0.1)
        self.event = keras.layers.Dense(width, name="event")
        self.event_norm = keras.layers.LayerNormalization(name="event_norm")
        self.target = keras.layers.Dense(width, name="target")
        self.target_norm = keras.layers.LayerNormalization(name="target_norm")
        self.decoders = [
            keras_nlp.layers.TransformerDecoder(
                intermediate_dim=2 * width,
                num_heads=s.num_heads,
                dropout=s.dropout,
                activation="gelu",
                normalize_first=True,
                name=f"decoder_{i}",
            )
            for i in range(s.num_layers)
        ]
        self.output_norm = keras.layers.LayerNormalization(name="output_norm")
        self.hidden = keras.layers.Dense(width, activation="gelu", name="hidden")
        self.output_dropout = keras.layers.Dropout(s.dropout)
        # Zeros: the head starts as the estimate.
        self.output_layer = keras.layers.Dense(
            1 + s.num_levels, kernel_initializer="zeros", name="output"
        )
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Create the weights; `input_shape` as the item features of `encode_items`."""
        width = self.sizes.embedding_dim
        self.item_tower.build(input_shape)
        self.user_embedding.build((None,))
        self.event.build((None, None, 2 * width + 3))
        self.event_norm.build((None, None, width))
        extra = NUM_STATISTICS + len(_CROWD)
        self.target.build((None, None, 3 * width + extra))
        self.target_norm.build((None, None, width))
        for decoder in self.decoders:
            decoder.build((None, None, width), (None, None, width))
        self.output_norm.build((None, None, width))
        self.hidden.build((None, None, width + extra))
        self.output_layer.build((None, None, width))
        fixed = {"shape": (), "trainable": False}
        # Fitted to the training ratings; see `set_ratings`.
        self.mean = self.add_weight(initializer="zeros", name="mean", **fixed)
        self.scale = self.add_weight(initializer="ones", name="scale", **fixed)
        self.item_offset = self.add_weight(
            shape=(self.sizes.num_ids,), initializer="zeros", trainable=False, name="item_offset"
        )
        self.factor_row = self.add_weight(
            shape=(self.sizes.num_ids,),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="factor_row",
        )
        self.fitted = self.add_weight(
            shape=(self.sizes.num_ids,), initializer="zeros", trainable=False, name="fitted"
        )
        self.samples = [
            self.add_weight(
                shape=value.shape,
                initializer=keras.initializers.Constant(value) if name == "ridge" else "zeros",
                trainable=False,
                name=f"factor_{name}",
            )
            for name, value in no_samples(self.sizes.num_factor_rows)._asdict().items()
        ]
        self.bounds = self.add_weight(
            shape=(2,), initializer="zeros", trainable=False, name="bounds"
        )
        if self.sizes.num_levels:
            self.levels = self.add_weight(
                shape=(self.sizes.num_levels,), initializer="zeros", trainable=False, name="levels"
            )
            self.log_spread = self.add_weight(shape=(), initializer="zeros", name="log_spread")
        self.start = self.add_weight(
            shape=(width,), initializer=keras.initializers.RandomNormal(stddev=1.0), name="start"
        )
        self.prior = self.add_weight(
            shape=(2,), initializer=keras.initializers.Constant(1.0), name="prior"
        )
        self.built = True

    def encode_items(
        self, features: dict[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """What the head knows of items.

        Args:
          features: [M, ..], as `trecs.models.item_tensors.ItemTensors.rows` gives them.
          training: whether dropout acts.

        Returns:
          `vector` [M, D], `bias` [M] and `offset` [M], the fitted mean residual of the item's
          training ratings, 0 for an item that did not train.
        """
        vector, bias = self.item_tower(features, training=training)
        return {
            "vector": self.vector_dropout(vector, training=training),
            "bias": bias,
            "offset": tf.gather(self.item_offset, features["id_index"]),
        }

    def call(
        self,
        batch: dict[str, tf.Tensor],
        history: dict[str, tf.Tensor],
        candidate: dict[str, tf.Tensor],
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict ratings, in units of the training ratings' deviation around their mean.

        Args:
          batch: the contract `trecs.models.ranking_data.RATING_FEATURES`.
          history: of `encode_items`, for each event, [B, L, ..].
          candidate: likewise for each target, [B, C, ..].
          training: whether dropout acts.

        Returns:
          `score` float32 [B, C]; and `logits` float32 [B, C, num_levels], which start as a normal
          distribution around the score.
        """
        visible = self._visible(batch["visible"], training)
        rating, rated = self._ratings(batch["history_rating"])
        residual = (rating - history["offset"]) * rated
        age_s = _seconds(batch["request_time_s"][:, :, None] - batch["history_time_s"][:, None])
        prior = 5 * tf.nn.softplus(self.prior)
        means = user_statistics(visible, residual, rated, age_s, prior)
        crowd = tf.stack([batch[f"candidate_{name}"] for name in _CROWD], axis=-1)
        extra = tf.concat([means, crowd], axis=-1)
        user = self._user(batch["user_row"], training)
        events = self._events(history["vector"], residual, rated, rating)
        x = self._targets(candidate["vector"], user[:, None, :-1], extra)
        itself = tf.eye(tf.shape(x)[1], batch_shape=[tf.shape(x)[0]], dtype=tf.bool)
        # A first token that all see: an attention over nothing would be one over everything.
        start = tf.broadcast_to(self.start, [tf.shape(events)[0], 1, tf.shape(events)[2]])
        events = tf.concat([start, events], axis=1)
        visible = tf.pad(visible, [[0, 0], [0, 0], [1, 0]], constant_values=True)
        for decoder in self.decoders:
            x = decoder(
                x,
                events,
                decoder_attention_mask=itself,
                encoder_attention_mask=visible,
                use_causal_mask=False,
                training=training,
            )
        x = self.hidden(tf.concat([self.output_norm(x), extra], axis=-1))
        output = self.output_layer(self.output_dropout(x, training=training))
        since = ratings_since(
            batch["candidate_offset"],
            batch["candidate_count"],
            candidate["offset"],
            batch["candidate_fitted"],
        )
        bias = batch["candidate_estimate"] + since + candidate["bias"] + user[:, None, -1]
        score = bias + output[..., 0]
        if not self.sizes.num_levels:
            return score, output[..., 1:]
        distance = self.levels - score[..., None]
        return score, output[..., 1:] - 0.5 * tf.square(distance) * tf.exp(-2 * self.log_spread)

    def predict_ratings(self, score: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Ratings in their own scale from what `call` returns.

        The expected value over the levels where there are levels; never outside the range of the
        training ratings.
        """
        if self.sizes.num_levels:
            score = tf.reduce_sum(tf.nn.softmax(logits) * self.levels, axis=-1)
        return tf.clip_by_value(self.mean + self.scale * score, self.bounds[0], self.bounds[1])

    def set_ratings(self, scale: RatingScale, item_offset: NDArray[np.float32]) -> None:
        """Keep what is fitted to the training ratings.

        Args:
          scale: their mean, deviation and range.
          item_offset: float32 [num_ids], shrunk mean residual by row of the id embedding.
        """
        self.mean.assign(scale.mean)
        self.scale.assign(scale.deviation)
        self.bounds.assign([scale.levels[0], scale.levels[-1]])
        self.item_offset.assign(item_offset)
        if self.sizes.num_levels:
            self.levels.assign(scale.standardise(scale.levels))

    def standardise(self, rating: NDArray[np.floating]) -> NDArray[np.floating]:
        """Ratings less the training ratings' mean, in their deviations; as many digits as given."""
        standard: NDArray[np.floating] = (rating - float(self.mean)) / float(self.scale)
        return standard

    def set_factors(
        self, samples: FactorSamples, factor_row: NDArray[np.int32], fitted: NDArray[np.float32]
    ) -> None:
        """Keep samples of the factors of `num_factor_rows` items.

        Args:
          samples: see `FactorSamples`.
          factor_row: int32 [num_ids], by row of the id embedding.
          fitted: float32 [num_ids], `candidate_fitted` likewise.
        """
        self.factor_row.assign(factor_row)
        self.fitted.assign(fitted)
        for weight, value in zip(self.samples, samples, strict=True):
            weight.assign(value)

    def factors(self) -> FactorSamples:
        """The samples, as arrays."""
        return FactorSamples(*(keras.ops.convert_to_numpy(weight) for weight in self.samples))

    def estimate(
        self,
        history_row: tf.Tensor,
        rating: tf.Tensor,
        readable: tf.Tensor,
        candidate_row: tf.Tensor,
    ) -> tf.Tensor:
        """`candidate_estimate` of candidates [B, C] that read the same history [B, L].

        The rows are factor rows, the ratings in their own scale; see `estimate_ratings`.
        """
        samples = FactorSamples(*(weight.value for weight in self.samples))
        standard = (rating - self.mean) / self.scale
        return estimate_ratings(samples, history_row, standard, readable, candidate_row)

    def _visible(self, visible: tf.Tensor, training: bool) -> tf.Tensor:
        if not training:
            return visible
        shape = tf.shape(visible)
        share = keras.random.uniform([shape[0], 1, 1], seed=self.seed_generator) * _MAX_HIDDEN
        return visible & (keras.random.uniform(shape, seed=self.seed_generator) >= share)

    def _ratings(self, rating: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Standardised ratings [B, L], 0 where unknown (NaN), and whether they are known."""
        known = tf.math.is_finite(rating)
        rated = tf.cast(known, tf.float32)
        return tf.where(known, (rating - self.mean) / self.scale, 0.0), rated

    def _user(self, row: tf.Tensor, training: bool) -> tf.Tensor:
        if training:
            keep = keras.random.uniform(tf.shape(row), seed=self.seed_generator)
            row = tf.where(keep >= self.sizes.user_id_dropout, row, 0)
        return self.user_embedding(row)

    def _events(
        self, vector: tf.Tensor, residual: tf.Tensor, rated: tf.Tensor, rating: tf.Tensor
    ) -> tf.Tensor:
        liking = tf.clip_by_value(residual, -3.0, 3.0)[..., None]
        numbers = tf.concat([liking, rating[..., None], rated[..., None]], axis=-1)
        return self.event_norm(self.event(tf.concat([vector, vector * liking, numbers], axis=-1)))

    def _targets(self, vector: tf.Tensor, user: tf.Tensor, extra: tf.Tensor) -> tf.Tensor:
        user = tf.broadcast_to(user, tf.shape(vector))
        joined = tf.concat([vector, vector * user, user, extra], axis=-1)
        return self.target_norm(self.target(joined))

    def get_config(self) -> dict[str, Any]:
        """The sizes."""
        return {**super().get_config(), "sizes": asdict(self.sizes)}


def _seconds(time_s: tf.Tensor) -> tf.Tensor:
    return tf.cast(time_s, tf.float32)
