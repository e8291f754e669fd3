"""RecBole's GRU4Rec, SASRec and BERT4Rec on the exchange files, with the settings that it ships.

These are a history of 50, batches of 2,048 prefixes, Adam at 0.001, full cross-entropy, early
stopping after 10 epochs. RecBole's own split and evaluation are not used: every training event
trains, and requests are answered by the model's `full_sort_predict` on their own histories.
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.interaction import Interaction
from recbole.data.utils import get_dataloader
from recbole.utils import get_model, get_trainer, init_logger, init_seed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import peer
from exchange_files import Exchange, Requests

_NAME = "exchange"


class RecBole:
    """A RecBole sequential model behind the `peer.Peer` interface."""

    def __init__(self, name: str, exchange: Exchange) -> None:
        folder = Path(tempfile.mkdtemp())
        # RecBole writes its logs and TensorBoard files into the working directory.
        os.chdir(folder)
        write_events(exchange, folder / _NAME / f"{_NAME}.inter")
        config = make_config(name, folder, exchange.num_items)
        init_seed(config["seed"], config["reproducibility"])
        init_logger(config)
        dataset = create_dataset(config)
        # What RecBole's splitting does first: a row for each prefix of each user's history.
        dataset._change_feat_format()
        self._loader = get_dataloader(config, "train")(config, dataset, None, shuffle=True)
        self._model = get_model(name)(config, dataset).to(config["device"])
        self._trainer = get_trainer(config["MODEL_TYPE"], name)(config, self._model)
        self._epoch = 0
        self._max_len = config["MAX_ITEM_LIST_LENGTH"]
        self.patience = config["stopping_step"]
        names = ("MAX_ITEM_LIST_LENGTH", "train_batch_size", "learning_rate", "loss_type")
        self.settings = {key: config[key] for key in names}
        token = dataset.field2token_id["item_id"]
        numbers = range(1, exchange.num_items + 1)
        self._row = np.array([token[str(number)] for number in numbers], np.int64)

    def train_epoch(self) -> None:
        """Let RecBole's trainer go through its rows once."""
        self._trainer._train_epoch(self._loader, self._epoch, show_progress=False)
        self._epoch += 1

    def answers(self, requests: Requests) -> NDArray[np.bool_]:
        """Those with a known item in the history."""
        return requests.length > 0

    def score(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Ask the model for all items after the newest events of each request."""
        items, _ = requests.newest(rows, self._max_len, side="right")
        asked = Interaction(
            {
                "item_id_list": torch.from_numpy(np.append(0, self._row)[items]),
                "item_length": torch.from_numpy((items > 0).sum(axis=1)),
            }
        )
        self._model.eval()
        with torch.no_grad():
            asked = asked.to(self._model.device)
            scores = self._model.full_sort_predict(asked).cpu().numpy()
        return scores[:, self._row]

    def weights(self) -> dict[str, Any]:
        """A copy of the model's state."""
        return copy.deepcopy(self._model.state_dict())

    def restore(self, weights: dict[str, Any]) -> None:
        """Take the state back."""
        self._model.load_state_dict(weights)


def write_events(exchange: Exchange, path: Path) -> None:
    """Write the training events in RecBole's form, with places in a user's history for times.

    RecBole keeps times as float32, which cannot tell seconds of this century apart, and sorts by
    them; places keep the order exactly.
    """
    events = pd.DataFrame({"user_id:token": exchange.user, "item_id:token": exchange.item})
    events["timestamp:float"] = events.groupby("user_id:token").cumcount()
    path.parent.mkdir()
    events.to_csv(path, sep="\t", index=False)


def make_config(name: str, folder: Path, num_items: int) -> Config:
    """RecBole's settings for a model, with batches that fit the memory."""
    settings: dict[str, Any] = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "use_gpu": torch.cuda.is_available(),
        "show_progress": False,
        "state": "ERROR",
        # The loss over all items takes no sampled negatives.
        "train_neg_sample_args": None,
    }
    # BERT4Rec scores up to ten masked places of a row.
    scored = num_items * (10 if name == "BERT4Rec" else 1)
    if 2048 * scored > peer.MAX_SCORES:
        settings["train_batch_size"] = max(1, peer.MAX_SCORES // scored)
    # RecBole reads the command line as well.
    sys.argv = sys.argv[:1]
    return Config(model=name, dataset=_NAME, config_dict=settings)


def main() -> None:
    """Train one model."""
    torch.set_num_threads(peer.NUM_THREADS)
    names = ("GRU4Rec", "SASRec", "BERT4Rec")
    models: dict[str, Callable[[Exchange], peer.Peer]] = {
        name: partial(RecBole, name) for name in names
    }
    peer.main("RecBole", ["recbole", "torch", "numpy"], models, partial(peer.on_device, torch))


if __name__ == "__main__":
    main()
