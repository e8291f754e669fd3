"""A BERT from nothing, with a WordPiece vocabulary of the user's own texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras_nlp
import tensorflow as tf

from trecs.errors import ConfigError
from trecs.text.bert import Bert
from trecs.text.conversion import computes_exact_gelu, lower_case

# The learner drops pieces that it sees less often, which in a short catalogue are most words.
_LEAST_COUNT = 10
_TEXTS_AT_ONCE = 1024
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def word_piece_tokenizer(
    texts: Sequence[str], vocabulary_size: int, uncased: bool
) -> keras_nlp.models.BertTokenizer:
    """Fit a WordPiece vocabulary (Schuster and Nakajima 2012) and make its tokenizer.

    Args:
      texts: distinct texts in any script; CJK characters are words of their own.
      vocabulary_size: at most so many pieces, the five special ones included.
      uncased: whether case and accents are ignored.

    Raises:
      ConfigError: the vocabulary is too small for the characters that the texts use.
    """
    data = tf.constant(list(texts))
    data = lower_case(data, strip_accents=True) if uncased else data
    pieces = keras_nlp.tokenizers.compute_word_piece_vocabulary(
        tf.data.Dataset.from_tensor_slices(data).batch(_TEXTS_AT_ONCE).repeat(_LEAST_COUNT),
        vocabulary_size,
        reserved_tokens=list(_SPECIAL),
    )
    # It also leaves out the rarer of many characters, as a Chinese catalogue has them.
    counts = Counter("".join(text.decode() for text in data.numpy()))
    known = set(pieces)
    characters = [c for c, _ in counts.most_common() if not c.isspace() and c not in known]
    room = vocabulary_size - len(pieces)
    if len(characters) > room:
        raise ConfigError(
            f"pretraining.vocabulary_size = {vocabulary_size} has no place for {len(characters)} of"
            f" the {len(counts)} characters of the texts: give at least"
            f" {vocabulary_size + len(characters) - room}"
        )
    pieces += characters
    return keras_nlp.models.BertTokenizer(pieces, lowercase=uncased, strip_accents=uncased)


def fresh_bert(
    tokenizer: keras_nlp.models.BertTokenizer,
    num_layers: int,
    num_heads: int,
    hidden_dim: int,
    max_tokens: int,
) -> Bert:
    """A BERT with random weights.

    Args:
      tokenizer: its vocabulary gives the size of the embedding.
      num_layers, num_heads, hidden_dim: of the Transformer; the feed-forward layers are four times
        as wide.
      max_tokens: the longest row that it can read.
    """
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=4 * hidden_dim,
        max_sequence_length=max_tokens,
    )
    return Bert(backbone, tokenizer)


def save_preset(bert: Bert, folder: str) -> None:
    """Write a preset that `load_bert` and `BertBackbone.from_preset` load.

    keras-nlp's format cannot say that GELU is exact. Where it is, its `config.json` says so by one
    key more, in Hugging Face's words, which `load_bert` reads.
    """
    bert.backbone.save_to_preset(folder)
    bert.tokenizer.save_to_preset(folder)
    if computes_exact_gelu(bert.backbone):
        path = Path(folder) / "config.json"
        config = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**config, "hidden_act": "gelu"}, indent=4), encoding="utf-8")
