"""The C program `recommend.c`: built against the installed TensorFlow, asked many at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SOURCE = Path(__file__).with_name("recommend.c")
Request = tuple[str, Sequence[tuple[str, int]], int]


def build(folder: Path) -> Path:
    """Compile the program into a folder."""
    library, program = tf.sysconfig.get_lib(), folder / "recommend"
    flags = [f"-I{tf.sysconfig.get_include()}", f"-L{library}", f"-Wl,-rpath,{library}"]
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    command = ["cc", "-O1", str(SOURCE), *flags, *libraries, "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def ask(program: Path, version: Path, requests: Sequence[Request]) -> list[list[tuple[str, float]]]:
    """Items and scores of each request: user, events as (item, time), request time."""
    lines = []
    for user, events, at_s in requests:
        parts = [user, str(at_s), *(str(x) for event in events for x in event)]
        lines.append("\t".join(parts) + "\n")
    done = subprocess.run(
        [str(program), str(version), *_tensor_names(version)],
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise RuntimeError(f"the C program failed: {done.stderr[-2000:]}")
    answers = []
    for answer in done.stdout.split("\n\n")[:-1]:
        rows = [line.split("\t") for line in answer.splitlines()]
        answers.append([(item, float(score)) for item, score in rows])
    return answers


def _tensor_names(version: Path) -> list[str]:
    """Graph names of the inputs and outputs of `recommend`, in the order of the program."""
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((version / "saved_model.pb").read_bytes())
    signature = proto.meta_graphs[0].signature_def["recommend"]
    inputs = ("user_id", "history_item_ids", "history_timestamps", "request_time")
    return [
        *(signature.inputs[name].name for name in inputs),
        *(signature.outputs[name].name for name in ("item_ids", "scores")),
    ]
