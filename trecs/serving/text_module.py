"""Text in: raw strings to vectors of items and users in one graph, the tokenizer inside.

A SavedModel of its own beside the recommender, since it needs tensorflow-text's ops, which
TensorFlow Serving has and a plain `import tensorflow` does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.items import NEW_ID
from trecs.models.item_tower import ItemTower
from trecs.text.bert import Bert, pooled


@dataclass(frozen=True)
class ProfileEncoder:
    """What makes a profile text's part of a query.

    Attributes:
      bert: that encoded the users' texts; frozen, whatever the items' BERT did.
      projection: the trained layer, from H to D.
      centre, scale: of the profile vectors, as `trecs.features.users.profile_scale`.
    """

    bert: Bert
    projection: keras.layers.Layer
    centre: NDArray[np.float32]
    scale: float


class TextModule(tf.Module):
    """The signatures `encode_item_text` and `encode_user_text`; holds no Keras object.

    Args:
      bert: that encoded the items' texts.
      max_tokens: tokens kept of a text, as in training.
      tower: the trained item tower.
      centre, scale: of the text vectors, as `trecs.features.items.text_scale` of the trained items.
      profiles: encodes users' texts; None where the model reads none, which has no
        `encode_user_text`.
    """

    def __init__(
        self,
        bert: Bert,
        max_tokens: int,
        tower: ItemTower,
        centre: NDArray[np.float32],
        scale: float,
        profiles: ProfileEncoder | None = None,
    ) -> None:
        super().__init__(name="text")
        self.weights = [weight.value for weight in (*bert.backbone.variables, *tower.variables)]
        longest = min(max_tokens, bert.backbone.max_sequence_length)
        strings = [tf.TensorSpec([None], tf.string, name="text")]

        @tf.function(input_signature=strings, autograph=False)
        def encode_item_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
            """The vectors [B, D] of items that never trained and have these texts."""
            vectors = _text_vectors(bert, text, longest, centre, scale)
            return {"embedding": tf.cast(_new_items(tower, vectors), tf.float32)}

        self._functions = {"encode_item_text": encode_item_text}
        if profiles is None:
            return
        of_users = (*profiles.bert.backbone.variables, *profiles.projection.variables)
        self.weights += [weight.value for weight in of_users]

        @tf.function(input_signature=strings, autograph=False)
        def encode_user_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
            """What these profile texts add to their users' queries, [B, D]."""
            of = profiles
            vectors = _text_vectors(of.bert, text, longest, of.centre, of.scale)
            return {"embedding": tf.cast(of.projection(vectors), tf.float32)}

        self._functions["encode_user_text"] = encode_user_text

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The signatures to save, the default one included."""
        return {**self._functions, "serving_default": self._functions["encode_item_text"]}

    def custom_ops(self) -> list[str]:
        """The names of the graphs' ops that TensorFlow itself does not have, sorted."""
        found = [_custom_ops(function) for function in self._functions.values()]
        return sorted(set().union(*found))


def _custom_ops(function: tf.types.experimental.PolymorphicFunction) -> set[str]:
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    called = {f.signature.name for f in graph.library.function}
    names = {node.op for node in nodes} - called
    return {name for name in names if not hasattr(tf.raw_ops, name)}


def _text_vectors(
    bert: Bert, text: tf.Tensor, max_tokens: int, centre: NDArray[np.float32], scale: float
) -> tf.Tensor:
    """As `trecs.text.bert.encode_texts` and `trecs.features.items.standardise`, in a graph."""
    tokens = bert.tokenize(text)[:, : max_tokens - 2]
    beside = tf.ones([tf.shape(text)[0], 1], tf.int32)
    tokenizer = bert.tokenizer
    ends = (beside * tokenizer.cls_token_id, tokens, beside * tokenizer.sep_token_id)
    packed = tf.concat(ends, axis=1).to_tensor(tokenizer.pad_token_id)
    mask = tf.cast(packed != tokenizer.pad_token_id, tf.int32)
    vectors = (pooled(bert.backbone, packed, mask) - centre) / scale
    # No text is no evidence, as in the tables of items and users.
    return tf.where((text != "")[:, None], vectors, 0.0)


def _new_items(tower: ItemTower, text: tf.Tensor) -> tf.Tensor:
    """[B, D] for text vectors [B, H]: the new item's id, no category, no release time."""
    num = tf.shape(text)[0]
    vectors, _ = tower(
        {
            "id_index": tf.fill([num], NEW_ID),
            "text": text,
            "categories": tf.zeros([num, 1], tf.int32),
            "release": tf.zeros([num, 2]),
        }
    )
    return vectors
