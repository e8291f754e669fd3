"""BERT's forward pass in NumPy, from the paper and the weights of a Hugging Face folder."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer


class NumpyBert:
    """The mean of the last layer's vectors, in float64, one text at a time."""

    def __init__(self, folder):
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        assert config["hidden_act"] == "gelu"
        self.num_layers = config["num_hidden_layers"]
        self.num_heads = config["num_attention_heads"]
        self.weights = {
            name: array.astype(np.float64)
            for name, array in load_file(folder / "model.safetensors").items()
            if array.dtype.kind == "f"
        }

    def __call__(self, ids):
        x = self._embed(ids)
        for number in range(self.num_layers):
            x = self._layer(x, f"encoder.layer.{number}.")
        return x.mean(axis=0)

    def _embed(self, ids):
        prefix = "embeddings."
        words = self.weights[prefix + "word_embeddings.weight"][ids]
        places = self.weights[prefix + "position_embeddings.weight"][: len(ids)]
        segment = self.weights[prefix + "token_type_embeddings.weight"][0]
        return self._norm(words + places + segment, prefix + "LayerNorm")

    def _layer(self, x, prefix):
        heads = [
            self._dense(x, f"{prefix}attention.self.{part}")
            .reshape(len(x), self.num_heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        ]
        logits = heads[0] @ heads[1].transpose(0, 2, 1) / np.sqrt(heads[0].shape[-1])
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        mixed = (share @ heads[2]).transpose(1, 0, 2).reshape(len(x), -1)
        attended = self._dense(mixed, prefix + "attention.output.dense")
        x = self._norm(x + attended, prefix + "attention.output.LayerNorm")
        inner = self._dense(x, prefix + "intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        return self._norm(
            x + self._dense(inner, prefix + "output.dense"), prefix + "output.LayerNorm"
        )

    def _dense(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _norm(self, x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]


def reference_tokenizer(folder, max_tokens):
    """Hugging Face's own tokenizer of a folder."""
    folder = Path(folder)
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
    else:
        tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
