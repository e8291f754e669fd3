"""RecTools' SASRec, eSASRec (LiGR blocks) and HSTU on the exchange files.

Settings are those with which their authors publish results on MovieLens-1M, the nearest data: for
SASRec and eSASRec blondered/transformer_benchmark, configs/paper/loo/ml_1m.yaml, where eSASRec has
LiGR blocks, a padding mask and sampled softmax over 256 negatives, and SASRec gets the full softmax
here; for HSTU RecTools' own tutorial (examples/tutorials/transformers_HSTU_tutorial.ipynb), whose
logit scale matters: HSTU scores by cosine, which the library's default scale of 1 cannot sharpen.
The rest is the library's default. HSTU gets the request time, as the library's `context` gives it.
"""

from __future__ import annotations

import copy
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer, seed_everything
from rectools.dataset import Dataset
from rectools.models import HSTUModel, SASRecModel
from rectools.models.nn.transformers.base import TransformerModelBase
from rectools.models.nn.transformers.ligr import LiGRLayers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import peer
from exchange_files import Exchange, Requests

SIZES = {
    "n_factors": 64,
    "n_blocks": 2,
    "n_heads": 1,
    "dropout_rate": 0.1,
    "session_max_len": 200,
}
HSTU = {
    "n_factors": 50,
    "n_blocks": 2,
    "n_heads": 1,
    "dropout_rate": 0.2,
    "session_max_len": 200,
    "loss": "sampled_softmax",
    "n_negatives": 128,
    "lightning_module_kwargs": {"logits_t": 0.05},
}
ESASREC = {
    "transformer_layers_type": LiGRLayers,
    "use_key_padding_mask": True,
    "loss": "sampled_softmax",
    "n_negatives": 256,
}


DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class RecTools:
    """A RecTools Transformer behind the `peer.Peer` interface."""

    # An epoch is a pass over users, 6 to 8 steps on MovieLens-100K, so more of them are waited for.
    patience = 30

    def __init__(self, model: TransformerModelBase[Any], exchange: Exchange) -> None:
        events = pd.DataFrame(
            {
                "user_id": exchange.user,
                "item_id": exchange.item,
                "weight": 1.0,
                "datetime": pd.to_datetime(exchange.time_s, unit="s"),
            }
        )
        self._dataset = Dataset.construct(events)
        self._model = model
        self._num_items = exchange.num_items
        names = ("n_factors", "n_blocks", "n_heads", "dropout_rate", "session_max_len", "loss")
        more = (
            "n_negatives",
            "batch_size",
            "lr",
            "use_key_padding_mask",
            "lightning_module_kwargs",
        )
        self.settings = {name: getattr(model, name) for name in names + more}
        self.settings["transformer_layers_type"] = model.transformer_layers_type.__name__

    def train_epoch(self) -> None:
        """Let the library train one epoch more."""
        self._model.fit_partial(self._dataset, min_epochs=1, max_epochs=1)

    def _rows(self) -> NDArray[np.int64]:
        """The library's own number of each item from 0 to N, int64 [N + 1].

        It leaves out items of users with one event and of events beyond the newest: 0.
        """
        internal = self._model.data_preparator.item_id_map.to_internal
        numbers = np.arange(self._num_items + 1)
        return internal.reindex(numbers).fillna(0).to_numpy(np.int64)

    def answers(self, requests: Requests) -> NDArray[np.bool_]:
        """Those with an item in the history that the library knows."""
        return requests.only(self._rows() > 0).length > 0

    def score(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the network's own forward pass on the newest events of each request."""
        max_len, row = self._model.session_max_len, self._rows()
        items, times = requests.only(row > 0).newest(rows, max_len, side="left")
        batch = {"x": torch.from_numpy(row[items]).to(DEVICE)}
        if self._model.data_preparator.add_unix_ts:
            # Padding carries the oldest time, and the request's own stands last.
            oldest = np.take_along_axis(times, (times > 0).argmax(axis=1)[:, None], axis=1)
            times = np.where(times > 0, times, oldest)
            times = np.concatenate([times, requests.time_s[rows][:, None]], axis=1)
            batch["unix_ts"] = torch.from_numpy(times).to(DEVICE)
        # The trainer brings it back to the processor after each epoch.
        network = self._model.torch_model.eval().to(DEVICE)
        with torch.no_grad():
            vectors = network.item_model.get_all_embeddings()
            state = network.encode_sessions(batch, vectors)[:, -1:, :]
            scores = network.similarity_module(state, vectors, None)[:, 0, :].cpu().numpy()
        return np.where(row > 0, scores[:, row], -np.inf)[:, 1:]

    def weights(self) -> dict[str, Any]:
        """A copy of the network's state."""
        return copy.deepcopy(self._model.torch_model.state_dict())

    def restore(self, weights: dict[str, Any]) -> None:
        """Take the state back."""
        self._model.torch_model.load_state_dict(weights)


def batch_size(exchange: Exchange) -> int:
    """The library's 128 users, or as many as the full softmax has memory for."""
    return min(128, max(1, peer.MAX_SCORES // (SIZES["session_max_len"] * exchange.num_items)))


def trainer() -> Trainer:
    """A trainer that writes no files; epochs are given to `fit_partial`."""
    return Trainer(
        max_epochs=1,
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def main() -> None:
    """Train one model."""
    torch.set_num_threads(peer.NUM_THREADS)
    seed_everything(1)
    models = {
        "SASRec": lambda exchange: RecTools(
            SASRecModel(**SIZES, batch_size=batch_size(exchange), get_trainer_func=trainer),
            exchange,
        ),
        "eSASRec": lambda exchange: RecTools(
            SASRecModel(**SIZES, **ESASREC, get_trainer_func=trainer), exchange
        ),
        "HSTU": lambda exchange: RecTools(HSTUModel(**HSTU, get_trainer_func=trainer), exchange),
    }
    peer.main(
        "RecTools",
        ["rectools", "torch", "pytorch-lightning", "numpy"],
        models,
        partial(peer.on_device, torch),
    )


if __name__ == "__main__":
    main()
