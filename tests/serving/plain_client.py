"""Answer a request with TensorFlow alone; run in a process where nothing else can be imported."""

import json
import sys

for blocked in (
    "trecs",
    "keras",
    "keras_nlp",
    "keras_hub",
    "tensorflow_text",
    "tensorflow_recommenders",
):
    sys.modules[blocked] = None

import tensorflow as tf  # noqa: E402

folder, request = sys.argv[1], json.loads(sys.argv[2])
model = tf.saved_model.load(folder)
answer = model.signatures["serving_default"](
    user_id=tf.constant(request["user_id"]),
    history_item_ids=tf.constant(request["history_item_ids"], tf.string),
    history_timestamps=tf.constant(request["history_timestamps"], tf.int64),
    request_time=tf.constant(request["request_time"], tf.int64),
)
ids = [[i.decode() for i in row] for row in answer["item_ids"].numpy().tolist()]
print(json.dumps({"item_ids": ids, "scores": answer["scores"].numpy().tolist()}))
