"""A tiny BERT with random weights in Hugging Face's format, written without its library."""

import json

import numpy as np
from safetensors.numpy import save_file

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    "of",
    "matrix",
    "toy",
    "story",
    "amelie",
    "cafe",
    "naive",
    "red",
    "dream",
    "film",
    "##s",
    "##ing",
    ".",
    ",",
    "!",
    "红",
    "楼",
    "梦",
    "电",
    "影",
    "ليلة",
    "وليلة",
    "##ه",
    "🎬",
]


def write_folder(folder, layers=2, hidden=16, inner=32, heads=2, positions=32):
    """Weights large enough for the activation's exact form to matter."""
    random = np.random.default_rng(11)

    def weight(*shape):
        return random.normal(scale=0.6, size=shape).astype(np.float32)

    state = {
        "embeddings.word_embeddings.weight": weight(len(VOCABULARY), hidden),
        "embeddings.position_embeddings.weight": weight(positions, hidden),
        "embeddings.token_type_embeddings.weight": weight(2, hidden),
        "pooler.dense.weight": weight(hidden, hidden),
        "pooler.dense.bias": weight(hidden),
    }
    norms = ["embeddings.LayerNorm"]
    shapes = {}
    for number in range(layers):
        prefix = f"encoder.layer.{number}."
        attention = prefix + "attention."
        names = ["self.query", "self.key", "self.value", "output.dense"]
        shapes |= {attention + name: (hidden, hidden) for name in names}
        shapes[prefix + "intermediate.dense"] = (inner, hidden)
        shapes[prefix + "output.dense"] = (hidden, inner)
        norms += [attention + "output.LayerNorm", prefix + "output.LayerNorm"]
    for name, shape in shapes.items():
        state |= {f"{name}.weight": weight(*shape), f"{name}.bias": weight(shape[0])}
    for name in norms:
        state |= {f"{name}.weight": 1 + weight(hidden), f"{name}.bias": weight(hidden)}
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": len(VOCABULARY),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder
