"""TensorFlow Recommenders as its retrieval tutorial builds it, on the exchange files.

A user embedding and an item embedding of width 32, the `Retrieval` task with in-batch negatives,
Adagrad at 0.1, batches of 8,192 shuffled events (tensorflow.org/recommenders/examples/
basic_retrieval). The tutorial trains 3 epochs; here validation chooses. The model reads no history:
a user who did not train cannot be answered.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# TensorFlow Recommenders wants Keras 2 as tf.keras, and this must be set before TensorFlow loads.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tensorflow_recommenders as tfrs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import peer
from exchange_files import Exchange, Requests

WIDTH = 32
BATCH = 8192
LEARNING_RATE = 0.1


class TwoTower(tfrs.Model):
    """The tutorial's model, on row numbers for string lookups."""

    def __init__(self, num_users: int, num_items: int) -> None:
        super().__init__()
        self.users = tf.keras.layers.Embedding(num_users, WIDTH)
        self.items = tf.keras.layers.Embedding(num_items, WIDTH)
        # The tutorial's metric ranks all items in every training step; validation does it here.
        self.task = tfrs.tasks.Retrieval()

    def compute_loss(self, features: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Cross-entropy of each event's item among those of its batch."""
        return self.task(self.users(features["user"]), self.items(features["item"]))


class Tfrs:
    """The tutorial's model behind the `peer.Peer` interface."""

    # An epoch is about ten steps on MovieLens-100K.
    patience = 30

    def __init__(self, exchange: Exchange) -> None:
        self._model = TwoTower(exchange.num_users, exchange.num_items)
        self._model.compile(optimizer=tf.keras.optimizers.Adagrad(LEARNING_RATE))
        events = {"user": exchange.user, "item": exchange.item - 1}
        dataset = tf.data.Dataset.from_tensor_slices(events)
        self._events = dataset.shuffle(len(exchange.user), seed=1).batch(BATCH)
        self.settings = {"width": WIDTH, "batch_size": BATCH, "learning_rate": LEARNING_RATE}

    def train_epoch(self) -> None:
        """Fit one epoch more."""
        self._model.fit(self._events, epochs=1, verbose=0)

    def answers(self, requests: Requests) -> NDArray[np.bool_]:
        """Those of users who trained."""
        return requests.user >= 0

    def score(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Inner products of the user's embedding with all items'."""
        users = self._model.users(requests.user[rows])
        return tf.matmul(users, self._model.items.embeddings, transpose_b=True).numpy()

    def weights(self) -> list[Any]:
        """A copy of the embeddings."""
        return self._model.get_weights()

    def restore(self, weights: list[Any]) -> None:
        """Take the embeddings back."""
        self._model.set_weights(weights)


def main() -> None:
    """Train the model."""
    tf.config.threading.set_intra_op_parallelism_threads(peer.NUM_THREADS)
    tf.keras.utils.set_random_seed(1)
    packages = ["tensorflow-recommenders", "tensorflow", "tf_keras", "numpy"]
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    peer.main("TFRS", packages, {"TwoTower": Tfrs}, lambda: {"device": device})


if __name__ == "__main__":
    main()
