"""One step that tunes the BERT, on one device and on two replicas; prints differences as JSON.

Run by test_text_tuning.py in a process of its own, since logical devices must be made before
TensorFlow computes anything.
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from replica_step import gradients, make_run

from trecs.config import load_config
from trecs.text.bert import encode_texts, load_bert
from trecs.text.fresh import save_preset

WORDS = ("matrix", "toy", "story", "amelie", "cafe", "red", "dream", "film")


def tuned(run, folder, preset):
    """The run with texts, some of them twice, and a BERT to tune."""
    texts = np.array([f"the {WORDS[n % 8]} of {WORDS[n % 7]}" for n in range(20)], object)
    texts[3] = ""
    catalogue = dataclasses.replace(run.dataset.catalogue, texts=texts)
    dataset = dataclasses.replace(run.dataset, catalogue=catalogue)
    values = run.config.to_dict()
    values["text"] |= {"preset": preset, "tuning": "full"}
    bert = load_bert(preset)
    save_preset(bert, str(folder / "bert"))
    vectors = encode_texts(bert, texts.tolist(), 64)
    return dataclasses.replace(
        run,
        directory=folder,
        config=load_config(values=values),
        dataset=dataset,
        text_vectors=vectors,
    )


def main(loss, preset, folder):
    devices = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        devices[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    run = tuned(make_run(loss, "float32"), folder, preset)
    keras.utils.set_random_seed(3)
    model = run.untrained_model()
    rng = np.random.default_rng(5)
    start = [
        w + rng.normal(scale=0.1, size=w.shape).astype(w.dtype) if w.dtype.kind == "f" else w
        for w in model.get_weights()
    ]
    bert = {id(w) for w in model.text_encoder.weights}
    of_bert = [id(w) in bert for w in model.weights]
    _, one = gradients(run, "one-device", start)
    replicas, two = gradients(run, "mirrored", start)
    floats = [(a, b) for a, b in zip(one, two, strict=True) if a.dtype.kind == "f"]
    texts = [np.abs(a).max() for a, own in zip(one, of_bert, strict=True) if own]
    sys.stdout.write(
        json.dumps(
            {
                "replicas": replicas,
                "largest_gradient_of_the_bert": float(max(texts)),
                "largest_difference": float(max(np.abs(a - b).max() for a, b in floats)),
            }
        )
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        main(sys.argv[1], sys.argv[2], Path(directory))
