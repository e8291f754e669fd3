"""The BERT inside the model, where training tunes it with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.text.bert import Bert, distinct, packed_tokens, pooled
from trecs.text.conversion import computes_exact_gelu, use_exact_gelu

Tuning = Literal["full", "lora", "last-n"]
LORA_RANK = 8
_NO_TEXT = -1
# Texts that are encoded at a time where no gradient is needed.
_BATCH = 256


@dataclass(frozen=True)
class TextTokens:
    """The distinct texts of an item table.

    Attributes:
      number: int32 [M], the text of each item row; -1 where the item has none.
      token_ids: int32 [T, W] packed tokens of each distinct text.
    """

    number: NDArray[np.int32]
    token_ids: NDArray[np.int32]


def text_tokens(bert: Bert, texts: Sequence[str], max_tokens: int) -> TextTokens:
    """Tokenize the texts of item rows ("" where there is none), each distinct one once."""
    inverse, unique = distinct(texts)
    filled = unique != ""
    number = np.where(filled, np.cumsum(filled) - 1, _NO_TEXT).astype(np.int32)
    return TextTokens(number[inverse], packed_tokens(bert, unique[filled].tolist(), max_tokens))


@keras.saving.register_keras_serializable("trecs")
class TextEncoder(keras.layers.Layer):
    """Packed tokens to text vectors, on the scale of the frozen ones.

    What is trained is `full` (all weights), `lora` (matrices of rank 8 beside the attention's
    queries and values, and their biases; Hu et al. 2021, arXiv:2106.09685) or `last-n` (the last
    layers alone).
    Dropout does not act: an item's vector must be the same wherever it stands in a batch.

    Args:
      backbone: of a `trecs.text.bert.Bert`; taken over, and trained in place.
      pad_token_id: of its tokenizer.
      centre, scale: as `trecs.features.items.text_scale` of the BERT before tuning.
      tuning: what is trained.
      tuned_layers: how many layers `last-n` trains.
      exact_gelu: whether the BERT computes GELU exactly; None: as the backbone does.
    """

    def __init__(
        self,
        backbone: keras.Model,
        pad_token_id: int,
        centre: Sequence[float],
        scale: float,
        tuning: Tuning,
        tuned_layers: int,
        exact_gelu: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backbone = backbone
        self._exact_gelu = computes_exact_gelu(backbone) if exact_gelu is None else exact_gelu
        if self._exact_gelu:
            use_exact_gelu(backbone)
        self._arguments: dict[str, Any] = {
            "pad_token_id": pad_token_id,
            "centre": [float(x) for x in centre],
            "scale": float(scale),
            "tuning": tuning,
            "tuned_layers": tuned_layers,
        }
        _choose_trained(backbone, tuning, tuned_layers)
        self.built = True

    @property
    def scale(self) -> tuple[NDArray[np.float32], float]:
        """The centre [H] and the scale that vectors are given on."""
        return np.array(self._arguments["centre"], np.float32), self._arguments["scale"]

    def call(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Text vectors float32 [T, H] of packed tokens int32 [T, W]."""
        mask = tf.cast(token_ids != self._arguments["pad_token_id"], tf.int32)
        # To the longest text: the columns behind it are padding alone.
        width = tf.reduce_max(tf.reduce_sum(mask, axis=1))
        centre, scale = self.scale
        return (pooled(self.backbone, token_ids[:, :width], mask[:, :width]) - centre) / scale

    def encode_all(self, token_ids: tf.Tensor) -> tf.Tensor:
        """As `call`, for any number of texts and without a gradient."""
        parts = [
            _encode(self, token_ids[start : start + _BATCH])
            for start in range(0, len(token_ids), _BATCH)
        ]
        return tf.concat(parts, axis=0)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        backbone = keras.saving.serialize_keras_object(self.backbone)
        own = {"backbone": backbone, "exact_gelu": self._exact_gelu, **self._arguments}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextEncoder:
        """Rebuild from `get_config`."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


def _encode_batch(encoder: TextEncoder, token_ids: tf.Tensor) -> tf.Tensor:
    return tf.stop_gradient(encoder(token_ids))


_encode = tf.function(_encode_batch, reduce_retracing=True, autograph=False)


def _choose_trained(backbone: keras.Model, tuning: Tuning, tuned_layers: int) -> None:
    if tuning == "lora":
        backbone.enable_lora(LORA_RANK)
    elif tuning == "last-n":
        trained = backbone.transformer_layers[-tuned_layers:]
        for layer in backbone.layers:
            layer.trainable = layer in trained
    # Read by no vector; the optimizer would keep its moments.
    backbone.pooled_dense.trainable = False
