"""What keras-nlp leaves out when it loads a Hugging Face BERT, put back.

Without it, MiniLM's vectors differ from the reference's by 1e-3 to 2e-3, and every accented or
Korean word becomes the unknown token of an uncased BERT.
"""

from __future__ import annotations

import json
import unicodedata
from functools import partial
from pathlib import Path
from typing import Any

import keras
import keras_nlp
import tensorflow as tf
import tensorflow_text as tf_text

_HUB_SCHEME = "hf://"


def hugging_face_config(source: str) -> dict[str, Any] | None:
    """The config.json of a Hugging Face BERT folder or `hf://` handle; None for anything else."""
    if source.startswith(_HUB_SCHEME):
        import huggingface_hub

        path = Path(huggingface_hub.hf_hub_download(source[len(_HUB_SCHEME) :], "config.json"))
    else:
        path = Path(source) / "config.json"
    if not path.is_file():
        return None
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config if "hidden_act" in config else None


def use_exact_gelu(backbone: keras_nlp.models.BertBackbone) -> None:
    """Make the feed-forward layers compute x Phi(x), as Hugging Face's "gelu" does.

    keras-nlp's BERT always takes the tanh approximation (Hendrycks and Gimpel 2016,
    arXiv:1606.08415). Not kept by `save_to_preset`: a preset is loaded with the approximation.
    """
    exact = partial(keras.activations.gelu, approximate=False)
    for layer in backbone.transformer_layers:
        layer.activation = exact
        layer._feedforward_intermediate_dense.activation = exact


def computes_exact_gelu(backbone: keras_nlp.models.BertBackbone) -> bool:
    """Whether the feed-forward layers compute x Phi(x): .841345 at 1, where tanh's is .841192."""
    activation = backbone.transformer_layers[0].activation
    return abs(float(activation(1.0)) - 0.8413447) < 1e-5


def strip_accents_if_uncased(tokenizer: keras_nlp.models.BertTokenizer) -> None:
    """Make an uncased tokenizer strip accents, unless its vocabulary holds accented pieces.

    Uncased BERTs are trained on text without accents (Devlin et al. 2019, the released
    `tokenization.py`), so that "Amélie" has to become "amelie"; keras-nlp only lowers the case.
    """
    if tokenizer.lowercase and not any(map(_has_accent, tokenizer.get_vocabulary())):
        tokenizer.strip_accents = True


def lower_case(texts: tf.Tensor, strip_accents: bool) -> tf.Tensor:
    """Lower the case of strings, any shape, as BERT's `tokenization.py` does.

    keras-nlp folds cases under NFKC instead, which puts Korean syllables together again that the
    vocabularies hold in parts, and turns "ß" into "ss".
    """
    if strip_accents:
        texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
    return tf.strings.lower(texts, encoding="utf-8")


def _has_accent(piece: str) -> bool:
    return any(unicodedata.category(c) == "Mn" for c in unicodedata.normalize("NFD", piece))
