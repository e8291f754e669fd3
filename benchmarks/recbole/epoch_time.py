"""Times one training epoch of RecBole's GRU4Rec on MovieLens-100K; writes JSON to standard output.

It runs in the environment that `run` beside this file makes, not in that of trecs. Settings are
those that RecBole ships (history 50, embedding 64, hidden 128, batch 2,048, full cross-entropy),
with the split that sequential models are run with, leave-one-out by time. The data are those inside
the recbole package. Loading and preparing the data is not counted, nor is the evaluation that
RecBole appends to an epoch.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from importlib import metadata, resources
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_logger, init_seed

SETTINGS = {
    "data_path": str(resources.files("recbole") / "dataset_example"),
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    # What GRU4Rec is trained with: the loss over all items takes no sampled negatives.
    "train_neg_sample_args": None,
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "group_by": "user",
        "order": "TO",
        "mode": "full",
    },
}


def time_epoch(folder: str) -> dict[str, Any]:
    """Trains one epoch and returns its seconds with what they depend on."""
    config = Config(
        model="GRU4Rec", dataset="ml-100k", config_dict={**SETTINGS, "checkpoint_dir": folder}
    )
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = get_model("GRU4Rec")(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], "GRU4Rec")(config, model)
    started = time.perf_counter()
    loss = trainer._train_epoch(train, 0, show_progress=False)
    return {
        "model": "GRU4Rec",
        "data": "movielens-100k",
        "epoch_s": time.perf_counter() - started,
        "num_threads": torch.get_num_threads(),
        "num_training_rows": len(train.dataset),
        "num_steps": len(train),
        "batch_size": config["train_batch_size"],
        "history_len": config["MAX_ITEM_LIST_LENGTH"],
        "loss": float(loss),
    }


def main() -> None:
    """Writes the measurement with the machine and the versions it was made with."""
    folder = tempfile.mkdtemp()
    # RecBole writes its logs and TensorBoard files into the working directory.
    os.chdir(folder)
    with contextlib.redirect_stdout(sys.stderr):
        measured = time_epoch(folder)
    measured["cpu"] = _cpu_name()
    measured["num_cores"] = os.cpu_count()
    measured["date"] = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    measured["versions"] = {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("recbole", "torch", "numpy")},
    }
    print(json.dumps(measured, indent=2))


def _cpu_name() -> str:
    """The processor's name where Linux tells it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
