"""One pretraining step on one device and on two replicas; prints the differences as JSON.

Run by test_pretraining_replicas.py in a process of its own, since logical devices must be made
before TensorFlow computes anything.
"""

import json
import sys

import keras
import keras_nlp
import numpy as np
import tensorflow as tf
from gpu_ops import REFUSED, ops_of

import trecs  # noqa: F401 - before tf.keras
from trecs.text.bert import Bert
from trecs.text.masking import Masker, MaskingRule
from trecs.text.pretraining_model import PretrainingModel
from trecs.text.rows import cut_rows
from trecs.training.pretraining_batches import PretrainingPlan, pretraining_dataset
from trecs.training.strategy import make_strategy

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
# Rows of different lengths, so that the halves of a batch hold different numbers of tokens.
TEXTS = [" ".join("abcdefghij"[: 1 + n % 9]) for n in range(32)]


def gradients(strategy_name, start):
    """The step of SGD with rate 1 is the gradient."""
    strategy = make_strategy(strategy_name)
    with strategy.scope():
        backbone = keras_nlp.models.BertBackbone(
            len(VOCABULARY), 1, 2, 8, 16, dropout=0.0, max_sequence_length=12
        )
        bert = Bert(backbone, keras_nlp.models.BertTokenizer(VOCABULARY))
        model = PretrainingModel(bert, 1.0, 0.5)
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile(optimizer=keras.optimizers.SGD(1.0))
        masker = Masker(bert, MaskingRule(0.3, True))
        replicas = strategy.num_replicas_in_sync
        plan = PretrainingPlan([cut_rows(bert, TEXTS, 10)], masker, 32, 1, replicas)
        model.fit(pretraining_dataset(plan, 0), steps_per_epoch=1, epochs=1, verbose=0)
        ops = set()
        if replicas == 1:
            ops = ops_of(model.train_step, next(iter(pretraining_dataset(plan, 0))))
    of_step = [a - b for a, b in zip(start, model.get_weights(), strict=True)]
    return replicas, start, of_step, ops


def main():
    devices = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        devices[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    keras.utils.set_random_seed(3)
    _, start, one, ops = gradients("one-device", None)
    replicas, _, two, _ = gradients("mirrored", start)
    differences = [np.abs(a - b).max() for a, b in zip(one, two, strict=True)]
    found = {
        "replicas": replicas,
        "ops": sorted(ops),
        "refused_on_gpus": sorted(ops & REFUSED),
        "largest_gradient": float(max(np.abs(a).max() for a in one)),
        "largest_difference": float(max(differences)),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
