"""L_LM + L_MLM: two language-model losses of one BERT through the same weights."""

from __future__ import annotations

from typing import Any

import keras
import keras_nlp
import tensorflow as tf

from trecs.text.bert import Bert
from trecs.text.masking import Batch


class PretrainingModel(keras.Model):
    """A BERT with the masked-language-model head, tied to the token embedding.

    The masked loss predicts hidden tokens from both sides (Devlin et al. 2019, arXiv:1810.04805).
    The causal loss predicts each next token, through the same layers and the same head, where the
    attention sees only what is before it (Dong et al. 2019, arXiv:1905.03197, train one BERT under
    several masks in this way).

    Args:
      bert: its backbone is trained in place.
      mlm_weight, causal_weight: of the losses; one of weight 0 is not computed in training.
    """

    def __init__(self, bert: Bert, mlm_weight: float, causal_weight: float) -> None:
        super().__init__(name="pretraining")
        self.backbone = bert.backbone
        self._pad = bert.tokenizer.pad_token_id
        self._weights = {"mlm": mlm_weight, "causal": causal_weight}
        self.head = keras_nlp.layers.MaskedLMHead(
            token_embedding=bert.backbone.token_embedding,
            intermediate_activation=lambda x: keras.activations.gelu(x, approximate=True),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            layer_norm_epsilon=1e-12,
            name="head",
        )
        self.head.build((None, None, bert.backbone.hidden_dim))
        # All variables are there: the backbone is a functional model.
        self.built = True
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "mlm", "causal")]

    def hidden(self, token_ids: tf.Tensor, causal: bool, training: bool) -> tf.Tensor:
        """The last layer's vectors, [B, W, H], of tokens int32 [B, W] padded on the right."""
        real = tf.cast(token_ids != self._pad, tf.int32)
        segments = tf.zeros_like(token_ids)
        if not causal:
            inputs = {"token_ids": token_ids, "segment_ids": segments, "padding_mask": real}
            return self.backbone(inputs, training=training)["sequence_output"]
        bert = self.backbone
        tokens = bert.token_embedding(token_ids)
        parts = (tokens, bert.position_embedding(tokens), bert.segment_embedding(segments))
        x = bert.embeddings_layer_norm(bert.embeddings_add(parts))
        x = bert.embeddings_dropout(x, training=training)
        mask = causal_mask(tf.shape(token_ids)[0], tf.shape(token_ids)[1])
        for layer in bert.transformer_layers:
            x = layer(x, padding_mask=real, attention_mask=mask, training=training)
        return x

    def masked_loss(self, batch: Batch, training: bool = False) -> tf.Tensor:
        """Sum of the weighted losses of the masked tokens, in nats."""
        hidden = self.hidden(batch["masked_ids"], causal=False, training=training)
        logits = self.head(hidden, batch["mask_positions"])
        return _weighted(logits, batch["mask_labels"], batch["mask_weight"])

    def causal_loss(self, batch: Batch, training: bool = False) -> tf.Tensor:
        """Sum of the weighted losses of the next tokens, in nats."""
        token_ids = batch["token_ids"]
        hidden = self.hidden(token_ids, causal=True, training=training)
        before = tf.range(tf.shape(token_ids)[1] - 1)[None]
        positions = tf.repeat(before, tf.shape(token_ids)[0], axis=0)
        logits = self.head(hidden, positions)
        return _weighted(logits, token_ids[:, 1:], batch["next_weight"])

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One step. Weights sum to 1 over the global batch, so gradients add up over replicas."""
        nothing = tf.constant(0.0)
        with tf.GradientTape() as tape:
            mlm = self.masked_loss(batch, training=True) if self._weights["mlm"] else nothing
            causal = self.causal_loss(batch, training=True) if self._weights["causal"] else nothing
            share = self._weights["mlm"] * mlm + self._weights["causal"] * causal
        weights = self.trainable_weights
        gradients = tape.gradient(share, weights)
        # The pooler is used by neither loss.
        self.optimizer.apply_gradients(
            (g, w) for g, w in zip(gradients, weights, strict=True) if g is not None
        )
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for tracker, value in zip(self.trackers, (share, mlm, causal), strict=True):
            tracker.update_state(value * replicas)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    @property
    def metrics(self) -> list[Any]:
        """The mean losses of an epoch, reset by Keras at its start."""
        return self.trackers


def causal_mask(batch: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """int32 [batch, width, width], 1 where the column is not after the row.

    Example:
        >>> causal_mask(1, 3).numpy()[0].tolist()
        [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    place = tf.range(width)
    mask = tf.cast(place[:, None] >= place, tf.int32)
    return tf.repeat(mask[None], batch, axis=0)


def _weighted(logits: tf.Tensor, labels: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))
    return tf.reduce_sum(losses * weight)
