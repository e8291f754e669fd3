"""The two-tower retrieval model; the formula by which it scores is in `trecs.models.scoring`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from trecs.features.trend import Trend
from trecs.models.item_tensors import ItemTensors
from trecs.models.item_tower import ItemTower
from trecs.models.neighbours import Neighbours
from trecs.models.repeats import NUM_REPEAT_FEATURES, OwnItems, RepeatTerm, repeat_features
from trecs.models.timestamp_tower import TimestampTower
from trecs.models.user_tower import UserTower
from trecs.text.encoder import TextEncoder

PARTS = (
    "item_tower",
    "timestamp_tower",
    "user_tower",
    "repeat_term",
    "text_encoder",
    "profile_projection",
)
"""What the model is made of, by attribute; a part may be None."""

_BLOCK_ROWS = 65_536

Objective = Callable[["RetrievalModel", dict[str, tf.Tensor]], tf.Tensor]


@keras.saving.register_keras_serializable("trecs")
class RetrievalModel(keras.Model):
    """score(u, t, i) = <q, c_i> + <w, trend_i(t)> + b_i + repeat(u, t, i) + neighbours(u, i).

    The query q and the trend weights w are those of user u at time t.

    Trains by its own `train_step`, to which `compile` gives an objective from
    `trecs.training.loss`. The items and the trend are data and are given by `set_data`, before
    training or scoring.

    Args:
      item_tower, timestamp_tower, user_tower: the towers.
      repeat_term: adds to the items that the user has had; None where these are never recommended.
      text_encoder: the BERT, where it is tuned with the rest; None where it is frozen.
      profile_projection: from profile vectors, H wide, to what they add to a query, D wide; built.
        None where users have no texts.
    """

    def __init__(
        self,
        item_tower: ItemTower,
        timestamp_tower: TimestampTower,
        user_tower: UserTower,
        repeat_term: RepeatTerm | None = None,
        text_encoder: TextEncoder | None = None,
        profile_projection: keras.layers.Dense | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if repeat_term is not None and not repeat_term.built:
            features = (None, NUM_REPEAT_FEATURES)
            vectors = (None, repeat_term.embedding_dim)
            repeat_term.build({"features": features, "vectors": vectors})
        self.repeat_term = repeat_term
        self.item_tower = item_tower
        self.timestamp_tower = timestamp_tower
        self.user_tower = user_tower
        self.text_encoder = text_encoder
        self.profile_projection = profile_projection
        # Chosen after training; nothing until then. See `trecs.models.neighbours`.
        self.transition_weight, self.ease_weight, self.ease_decay = self.chosen = [
            self.add_weight(shape=(), initializer="zeros", trainable=False, name=name)
            for name in ("transition_weight", "ease_weight", "ease_decay")
        ]
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self._objective: Objective | None = None
        # In a tuple, so that neither Keras nor TensorFlow tracks it.
        self._data: tuple[Callable[[], tuple[ItemTensors, Trend, tf.Variable | None]], ...] = ()

    def set_data(
        self, items: ItemTensors, trend: Trend, profiles: tf.Variable | None = None
    ) -> None:
        """Give the model the items, the trend and the profiles that it reads from now on.

        Args:
          items, trend: data, not weights.
          profiles: float32 [R, H] by user row, as `trecs.features.users.UserTable.profile`; None
            where users have no texts.
        """
        self._data = (lambda: (items, trend, profiles),)
        self.train_function = None

    def build(self, input_shape: Any = None) -> None:
        """Create the weights, for items of the form given by `set_data`; no graph is traced.

        Args:
          input_shape: of no effect; the contract of a batch says all.
        """
        width = self.item_tower.embedding_dim
        history = (None, None, width)
        self.item_tower.build(self.items.shapes())
        self.timestamp_tower.build({"event_time_s": history[:2]})
        self.user_tower.build({"history": history, "time_states": history, "user_row": (None,)})
        self.built = True

    @property
    def items(self) -> ItemTensors:
        """The items given by `set_data`."""
        return self._get_data()[0]

    @property
    def trend(self) -> Trend:
        """The trend given by `set_data`."""
        return self._get_data()[1]

    def _get_data(self) -> tuple[ItemTensors, Trend, tf.Variable | None]:
        if not self._data:
            raise ValueError("the model has no items yet, got no call of set_data(items, trend)")
        return self._data[0]()

    def encode_items(
        self,
        rows: tf.Tensor | None = None,
        training: bool = False,
        fresh: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Vectors [R, D] and biases [R] of items.

        Args:
          rows: int32 [R], item rows; None for all.
          training: whether ids are hidden at random.
          fresh: int32 [n], item rows whose texts a tuned BERT encodes now, with a gradient; the
            other texts' vectors are those of the last `refresh_texts`.
        """
        features = self.items.rows(rows)
        if self.text_encoder is not None and fresh is not None:
            text = self.items.encode_fresh(self.text_encoder, rows, features["text"], fresh)
            features["text"] = text
        vectors, bias = self.item_tower(features, training=training)
        return vectors, bias

    def encode_catalogue(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Vectors [M, D] and biases [M] of all items, in blocks: categories take memory."""
        rows = self.items.num_rows
        starts = range(0, rows, _BLOCK_ROWS)
        blocks = [self.encode_items(tf.range(i, min(i + _BLOCK_ROWS, rows))) for i in starts]
        vectors, biases = zip(*blocks, strict=True)
        return tf.concat(vectors, axis=0), tf.concat(biases, axis=0)

    def refresh_texts(self) -> None:
        """Encode all items' texts anew, where the BERT is tuned."""
        if self.text_encoder is not None:
            self.items.refresh(self.text_encoder)

    def encode_profiles(self, rows: tf.Tensor | None = None) -> tf.Tensor | None:
        """What the profile texts of user rows (int32 [R]; None for all) add, [R, D].

        None where users have no texts.
        """
        profiles = self._get_data()[2]
        if self.profile_projection is None:
            return None
        if profiles is None:
            raise ValueError(
                "the model reads profiles, got none by set_data(items, trend, profiles)"
            )
        return self.profile_projection(profiles if rows is None else tf.gather(profiles, rows))

    def encode_queries(
        self,
        batch: dict[str, tf.Tensor],
        history: tf.Tensor,
        training: bool = False,
        profile: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Queries [batch, query, D], trend weights [.., K] and repeat weights [.., R].

        Args:
          batch: the contract `trecs.features.spec.QUERY_FEATURES`; more is ignored.
          history: [batch, history, D], item vectors of `history_row`.
          training: whether dropout acts.
          profile: [batch, D], of the users; None: `encode_profiles` of their rows.
        """
        times = {name: batch[name] for name in ("event_time_s", "next_time_s")}
        states = self.timestamp_tower(times, training=training)
        inputs = {
            "history": history,
            "time_states": states,
            "user_row": batch["user_row"],
            "query_position": batch["query_position"],
            **times,
        }
        if self.profile_projection is not None:
            rows = batch["user_row"]
            inputs["profile"] = self.encode_profiles(rows) if profile is None else profile
        query, trend_weight, repeat_weight = self.user_tower(inputs, training=training)
        return query, trend_weight, repeat_weight

    def score_neighbours(self, neighbours: Neighbours, recent: tf.Tensor) -> tf.Tensor:
        """What the newest events say for every candidate, float32 [B, N].

        Args:
          neighbours: of N candidates.
          recent: int32 [B, 100], see `Neighbours.transitions`.
        """
        follow = neighbours.transitions(recent) * self.transition_weight
        return follow + neighbours.ease(recent, self.ease_decay) * self.ease_weight

    def neighbour_pairs(
        self, neighbours: Neighbours, recent: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The entries of `score_neighbours` that are not 0: rows, candidates and values, [n]."""
        return neighbours.pairs(recent, *self.chosen)

    def score_repeats(
        self,
        own: OwnItems,
        weight: tf.Tensor,
        vectors: tf.Tensor,
        place: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """What each entry adds to its item's score, float32 [n].

        Args:
          own: n entries.
          weight: [P, R] repeat weights of the queries.
          vectors: [M, D] item vectors.
          place: int32 [n], where each entry's item stands among them; None: at its row.
        """
        if self.repeat_term is None:
            raise ValueError("the model has no repeat term, got entries to score")
        inputs = {
            "features": repeat_features(own, self.repeat_term.item_habits(own.row)),
            "weight": tf.gather(weight, own.query),
            "vectors": vectors,
            "item": own.row if place is None else place,
        }
        return tf.cast(self.repeat_term(inputs), tf.float32)

    def call(
        self, batch: dict[str, tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encode the queries of a batch with the items of `set_data`; as `encode_queries`."""
        vectors, _ = self.encode_items(training=training)
        history = tf.gather(vectors, batch["history_row"])
        return self.encode_queries(batch, history, training=training)

    def compile(self, optimizer: keras.Optimizer, objective: Objective, **kwargs: Any) -> None:
        """Configure training.

        Args:
          optimizer: a Keras 3 optimizer, without clipping: Keras clips before it sums over
            replicas.
          objective: maps (model, batch) to this replica's share of the loss; shares add up to it.
        """
        super().compile(optimizer=optimizer, **kwargs)
        self._objective = objective

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step. The shares of the loss, and so the gradients, add up over replicas."""
        if self._objective is None:
            raise ValueError(f"compile the model with an objective first, got {self._objective}")
        with tf.GradientTape() as tape:
            share = self._objective(self, batch)
        weights = self.trainable_weights
        gradients = tape.gradient(share, weights)
        self.optimizer.apply_gradients(
            (g, w) for g, w in zip(gradients, weights, strict=True) if g is not None
        )
        strategy = tf.distribute.get_strategy()
        self.loss_tracker.update_state(share * strategy.num_replicas_in_sync)
        loss = self.loss_tracker.result()
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Keras takes the mean of a worker's results over their first dimension.
            loss = loss[None]
        return {"loss": loss}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build the optimizer alone: the model is built before it trains.

        Keras would average a first batch over the workers to learn its shapes, which it cannot do
        for a batch that is a dictionary.
        """
        if not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The training loss, reset by Keras at each epoch's start."""
        return [self.loss_tracker]

    def get_config(self) -> dict[str, Any]:
        """The towers, serialised."""
        return {
            **super().get_config(),
            **{part: keras.saving.serialize_keras_object(getattr(self, part)) for part in PARTS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RetrievalModel:
        """Rebuild from `get_config`."""
        config = dict(config)
        for part in PARTS:
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)
