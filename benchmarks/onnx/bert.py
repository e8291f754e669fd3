"""Times a BERT in onnxruntime; runs in the virtual environment beside this file.

Usage: .venv/bin/python bert.py MODEL_FOLDER BATCHES.npz OUT.npz

MODEL_FOLDER holds Hugging Face's config.json and model.safetensors; BATCHES.npz packed tokens, an
array a batch. The graph is written by hand with onnxruntime's own attention operator, its fastest
way, and left to all its optimisations. OUT.npz takes the mean-pooled vectors and the seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    """Collects nodes and weights."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        """Take the checkpoint's weights."""
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: object) -> str:
        """Add a node; return its output's name."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add a weight; return its name."""
        self.constants[name] = values
        return name

    def weight(self, name: str, transpose: bool = False) -> str:
        """Add a weight of the checkpoint."""
        values = self.weights[name]
        return self.constant(name, np.ascontiguousarray(values.T) if transpose else values)

    def dense(self, x: str, name: str) -> str:
        """A dense layer of the checkpoint."""
        product = self.node("MatMul", [x, self.weight(f"{name}.weight", transpose=True)])
        return self.node("Add", [product, self.weight(f"{name}.bias")])

    def norm(self, x: str, name: str) -> str:
        """A layer normalisation of the checkpoint."""
        parts = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", parts, axis=-1, epsilon=1e-12)


def build(folder: Path) -> bytes:
    """The model, from packed tokens to mean-pooled vectors."""
    config = json.loads((folder / "config.json").read_text())
    graph = Graph(load_file(folder / "model.safetensors"))
    zero, one = (graph.constant(str(n), np.array([n], np.int64)) for n in (0, 1))
    words = graph.node("Gather", [graph.weight("embeddings.word_embeddings.weight"), "ids"])
    length = graph.node(
        "Slice", [graph.node("Shape", ["ids"]), one, graph.constant("2", np.array([2]))]
    )
    places = graph.weight("embeddings.position_embeddings.weight")
    places = graph.node("Slice", [places, zero, length, zero])
    kind = graph.weights["embeddings.token_type_embeddings.weight"][0]
    x = graph.node("Add", [words, places])
    x = graph.node("Add", [x, graph.constant("kind", kind)])
    x = graph.norm(x, "embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{number}"
        parts = [graph.dense(x, f"{prefix}.attention.self.{n}") for n in ("query", "key", "value")]
        attention = graph.node(
            "MultiHeadAttention",
            [*parts, "", "mask"],
            domain="com.microsoft",
            num_heads=config["num_attention_heads"],
        )
        attention = graph.dense(attention, f"{prefix}.attention.output.dense")
        x = graph.norm(graph.node("Add", [attention, x]), f"{prefix}.attention.output.LayerNorm")
        inner = graph.node("Gelu", [graph.dense(x, f"{prefix}.intermediate.dense")])
        inner = graph.dense(inner, f"{prefix}.output.dense")
        x = graph.norm(graph.node("Add", [inner, x]), f"{prefix}.output.LayerNorm")
    real = graph.node("Cast", ["mask"], to=TensorProto.FLOAT)
    real = graph.node("Unsqueeze", [real, graph.constant("-1", np.array([-1]))])
    total = graph.node("ReduceSum", [graph.node("Mul", [x, real]), one], keepdims=0)
    count = graph.node("ReduceSum", [real, one], keepdims=0)
    pooled = graph.node("Div", [total, count])
    return finish(graph, pooled)


def finish(graph: Graph, output: str) -> bytes:
    """The graph as a model's bytes."""
    shape = ["batch", "width"]
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, shape),
            helper.make_tensor_value_info("mask", TensorProto.INT32, shape),
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "hidden"])],
        [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


def main(folder: str, batches: str, out: str) -> None:
    """Encode the batches once to warm up, then timed."""
    options = onnxruntime.SessionOptions()
    # Threads that spin while they wait lose where other work shares the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = build(Path(folder))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.load(batches) as file:
        packed = [file[name] for name in file.files]

    def run() -> np.ndarray:
        fed = ({"ids": ids.astype(np.int64), "mask": (ids != 0).astype(np.int32)} for ids in packed)
        return np.concatenate([session.run(None, inputs)[0] for inputs in fed])

    session.run(
        None, {"ids": packed[0].astype(np.int64), "mask": (packed[0] != 0).astype(np.int32)}
    )
    began = time.monotonic()
    vectors = run()
    np.savez(out, vectors=vectors, seconds=time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
