"""The exported model answers as the live one does, wherever it is loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import c_program
import keras
import numpy as np
import pytest
from live_model import ask_live
from serving_shop import Shop, request

HERE = Path(__file__).parent
TOP = 10
LONG_UNKNOWN_ID = "an-item-id-too-long-for-the-inline-form-of-a-string"


@pytest.mark.parametrize("days_before_the_export", [0, 30])
def test_top_ten_of_every_user_is_the_live_models(shop: Shop, days_before_the_export: int):
    at_s = shop.as_of_s - days_before_the_export * 86_400
    live = ask_live(shop.run, shop.run.dataset, shop.run.text_vectors, shop.as_of_s, at_s)
    best, scores = live.best(TOP)

    ids, found = shop.recommend(live.user_ids, live.histories, [at_s] * len(live.user_ids))

    assert [row[:TOP] for row in ids] == best
    np.testing.assert_allclose(found[:, :TOP], scores, atol=1e-5, rtol=0)


_ONLY_TENSORFLOW = """
import json, sys

BLOCKED = {"keras", "keras_nlp", "keras_hub", "tensorflow_text", "tf_keras",
           "tensorflow_recommenders", "trecs"}

for name in BLOCKED:
    sys.modules[name] = None  # importing it fails; looking for it finds nothing
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

folder, asked = sys.argv[1], json.loads(sys.argv[2])
proto = saved_model_pb2.SavedModel()
proto.ParseFromString(open(f"{folder}/saved_model.pb", "rb").read())
graph = proto.meta_graphs[0].graph_def
own = {f.signature.name for f in graph.library.function}
nodes = list(graph.node) + [n for f in graph.library.function for n in f.node_def]
unknown = sorted({n.op for n in nodes if n.op not in own and op_def_registry.get(n.op) is None})
answer = tf.saved_model.load(folder).signatures["recommend"](
    user_id=tf.constant(asked["user_id"]),
    history_item_ids=tf.constant(asked["ids"]),
    history_timestamps=tf.constant(asked["times"], tf.int64),
    request_time=tf.constant(asked["at"], tf.int64),
)
print(json.dumps({
    "unknown_ops": unknown,
    "num_ops": len({n.op for n in nodes}),
    "imported": sorted(name for name in BLOCKED if sys.modules[name] is not None),
    "item_ids": [[i.decode() for i in row] for row in answer["item_ids"].numpy()],
    "scores": answer["scores"].numpy().tolist(),
}))
"""


def test_a_process_with_tensorflow_alone_gives_the_same_answer(shop: Shop):
    history = [*shop.history("u3"), (LONG_UNKNOWN_ID, shop.as_of_s - 10)]
    asked = {
        "user_id": ["u3"],
        "ids": [[item for item, _ in history]],
        "times": [[time_s for _, time_s in history]],
        "at": [shop.as_of_s],
    }
    done = subprocess.run(
        [sys.executable, "-c", _ONLY_TENSORFLOW, str(shop.version), json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        # Without TF_USE_LEGACY_KERAS, which trecs has set in this process.
        env={k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    ids, scores = shop.recommend(["u3"], [history], [shop.as_of_s])

    assert answer["unknown_ops"] == []
    assert answer["num_ops"] > 20
    assert answer["imported"] == []
    assert answer["item_ids"] == ids
    np.testing.assert_allclose(answer["scores"], scores, atol=1e-5, rtol=0)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_c_api_gives_the_same_answers(shop: Shop, tmp_path: Path):
    histories = [
        [*shop.history("u5"), (LONG_UNKNOWN_ID, shop.as_of_s - 10)],
        [],
        shop.history("u6"),
    ]
    users, times = ["u5", "nobody", "u6"], [shop.as_of_s] * 3
    requests = list(zip(users, histories, times, strict=True))
    answers = c_program.ask(c_program.build(tmp_path), shop.version, requests)
    ids, scores = shop.recommend(users, histories, times)

    assert [[item for item, _ in answer] for answer in answers] == ids
    found = [[score for _, score in answer] for answer in answers]
    np.testing.assert_allclose(found, scores, atol=1e-5, rtol=1e-5)


def test_keras_3_loads_it_as_a_layer(shop: Shop):
    layer = keras.layers.TFSMLayer(str(shop.version), call_endpoint="call")
    history = shop.history("u1")
    answer = layer(request(["u1"], [history], [shop.as_of_s]))
    ids, scores = shop.recommend(["u1"], [history], [shop.as_of_s])

    assert [item.decode() for item in answer["item_ids"].numpy()[0]] == ids[0]
    np.testing.assert_allclose(answer["scores"].numpy(), scores, atol=1e-5, rtol=0)
