"""Text in: raw strings to item vectors in one graph, the tokenizer inside.

A SavedModel of its own beside the recommender, since it needs tensorflow-text's ops, which
TensorFlow Serving has and a plain `import tensorflow` does not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.features.items import NEW_ID
from trecs.models.item_tower import ItemTower
from trecs.text.bert import Bert, pooled


class TextModule(tf.Module):
    """The signature `encode_item_text`; holds variables and no Keras object.

    Args:
      bert: that encoded the items' texts.
      max_tokens: tokens kept of a text, as in training.
      tower: the trained item tower.
      centre, scale: of the text vectors, as `trecs.features.items.text_scale` of the trained items.
    """

    def __init__(
        self,
        bert: Bert,
        max_tokens: int,
        tower: ItemTower,
        centre: NDArray[np.float32],
        scale: float,
    ) -> None:
        super().__init__(name="text")
        self.weights = [weight.value for weight in (*bert.backbone.variables, *tower.variables)]
        longest = min(max_tokens, bert.backbone.max_sequence_length)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def encode_item_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
            """The vectors [B, D] of items that never trained and have these texts."""
            vectors = (_text_vectors(bert, text, longest) - centre) / scale
            # No text is no evidence, as in the item table.
            vectors = tf.where((text != "")[:, None], vectors, 0.0)
            return {"embedding": tf.cast(_new_items(tower, vectors), tf.float32)}

        self.encode_item_text = encode_item_text

    def signatures(self) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
        """The signatures to save, the default one included."""
        return {
            "encode_item_text": self.encode_item_text,
            "serving_default": self.encode_item_text,
        }

    def custom_ops(self) -> list[str]:
        """The names of the graph's ops that TensorFlow itself does not have, sorted."""
        graph = self.encode_item_text.get_concrete_function().graph.as_graph_def()
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        called = {f.signature.name for f in graph.library.function}
        names = {node.op for node in nodes} - called
        return sorted(name for name in names if not hasattr(tf.raw_ops, name))


def _text_vectors(bert: Bert, text: tf.Tensor, max_tokens: int) -> tf.Tensor:
    """As `trecs.text.bert.encode_texts`, in a graph."""
    tokens = bert.tokenize(text)[:, : max_tokens - 2]
    beside = tf.ones([tf.shape(text)[0], 1], tf.int32)
    tokenizer = bert.tokenizer
    ends = (beside * tokenizer.cls_token_id, tokens, beside * tokenizer.sep_token_id)
    packed = tf.concat(ends, axis=1).to_tensor(tokenizer.pad_token_id)
    return pooled(bert.backbone, packed, tf.cast(packed != tokenizer.pad_token_id, tf.int32))


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
