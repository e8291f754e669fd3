"""A run: one folder with the configuration, the data, the fitted state and the weights.

A run needs nothing outside its folder: `evaluate` and `export` work after the user's files have
moved. The folder is claimed by its configuration and data; another configuration is another run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from trecs.config import Config, load_config
from trecs.data.dataset import Dataset, open_dataset, save_dataset
from trecs.data.fingerprint import fingerprint
from trecs.data.sequences import build_sequences
from trecs.data.split_choice import make_split
from trecs.data.splits import Split
from trecs.errors import ConfigError, UsageError
from trecs.evaluation.model_scorer import ModelScorer
from trecs.evaluation.protocol import excludes_seen_by_default
from trecs.features.batches import EventRows, event_rows
from trecs.features.items import ItemTable, build_item_table, text_scale
from trecs.features.neighbours import NeighbourTable, ease_table, transition_table
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.trend import Trend, build_trend_table, trend_step_days
from trecs.features.users import UserTable, build_user_table
from trecs.features.vocabulary import Vocabulary, fit_vocabulary
from trecs.models.build import build_model, build_text_encoder
from trecs.models.item_tensors import ItemTensors, profile_variable
from trecs.models.neighbours import Neighbours
from trecs.models.retrieval import RetrievalModel
from trecs.text.bert import Bert, cached_text_vectors, load_bert
from trecs.text.encoder import TextTokens, text_tokens
from trecs.text.fresh import save_preset
from trecs.training.trainer import read_curve

WEIGHTS = "model.weights.h5"
_TEXT_VECTORS, _TUNED_VECTORS = "text_vectors.npy", "tuned_text_vectors.npy"
_PROFILES, _BERT = "profile_vectors.npy", "bert"
_NO_PROFILES = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Run:
    """A run's folder, and everything that follows from its configuration and data.

    Attributes:
      directory: the folder.
      config: the settings.
      dataset: log and catalogue.
      text_vectors: float32 [N, H] by item code, of the BERT before training.
      profile_vectors: float32 [P, H] by row of the users file, likewise; H is 0 without one.
    """

    directory: Path
    config: Config
    dataset: Dataset
    text_vectors: NDArray[np.float32]
    profile_vectors: NDArray[np.float32] = field(default_factory=lambda: _NO_PROFILES)

    @cached_property
    def split(self) -> Split:
        """The split that the configuration asks for."""
        return make_split(self.config, self.dataset.log)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What is fitted to the training events."""
        return fit_vocabulary(self.dataset, self.split.train)

    @cached_property
    def items(self) -> ItemTable:
        """The item table; candidates are all items of the data set, trained ones first."""
        vectors = self.trained_text_vectors
        return build_item_table(self.dataset, self.vocabulary, vectors, self.text_scale)

    @cached_property
    def users(self) -> UserTable:
        """The user table: those that trained, then those known by their profile alone."""
        return build_user_table(self.vocabulary, self.dataset.users, self.profile_vectors)

    @property
    def trained_text_vectors(self) -> NDArray[np.float32]:
        """The text vectors that the model reads: of the tuned BERT, once it has trained."""
        tuned = self.directory / _TUNED_VECTORS
        vectors: NDArray[np.float32] = np.load(tuned) if tuned.exists() else self.text_vectors
        return vectors

    @cached_property
    def text_scale(self) -> tuple[NDArray[np.float32], float]:
        """The centre and scale of text vectors: of the trained items, before training."""
        trained = pd.Index(self.dataset.catalogue.item_ids).isin(self.vocabulary.item_ids)
        return text_scale(self.text_vectors[trained])

    @property
    def is_trained(self) -> bool:
        """Whether the retrieval model has finished training."""
        return (self.directory / WEIGHTS).exists()

    @property
    def tunes_text(self) -> bool:
        """Whether training changes the BERT; not where no item has a text."""
        return self.config.text.tuning != "frozen" and self.text_vectors.shape[1] > 0

    @cached_property
    def exclude_seen(self) -> bool:
        """Whether items of the history are left out of answers."""
        choice = self.config.evaluation.seen_filter
        if choice == "auto":
            return excludes_seen_by_default(self.dataset.log, self.split)
        return choice == "on"

    @property
    def has_repeats(self) -> bool:
        """Whether items that the user has had may be recommended, and so have a term."""
        return not self.exclude_seen

    @property
    def strict(self) -> bool:
        """Whether a target is blind to its user's other events of the same second."""
        return self.split.ties == "strict"

    @property
    def learning_curve(self) -> list[dict[str, float]]:
        """A row an epoch: epoch, loss, val_ndcg@10 (not in a refit), train_seconds."""
        return read_curve(self.directory / "history.csv")

    def events(self, positions: NDArray[np.int64] | None = None) -> EventRows:
        """Events by user as the model's rows: those at the positions in the log, or all."""
        log = self.dataset.log
        sequences = build_sequences(log, positions)
        return event_rows(log, sequences, self.items, self.users.user_ids, self.has_repeats)

    def trend(self, positions: NDArray[np.int64] | None = None) -> Trend:
        """As-of counts over the events at the positions in the log, or over all."""
        log = self.dataset.log if positions is None else self.dataset.log.select(positions)
        candidate = self.items.row_of_code[log.item].astype(np.int64) - FIRST_ITEM_ROW
        trained = self.dataset.log.timestamp_s[self.split.train]
        step_days = trend_step_days(trained, self.items.num_candidates)
        table = (candidate, log.timestamp_s, self.items.num_candidates, step_days)
        return Trend(build_trend_table(*table))

    @cached_property
    def neighbour_tables(self) -> tuple[NeighbourTable, NeighbourTable]:
        """What followed what in the training events, and their EASE."""
        fitted = (
            self.dataset.log,
            self.split.train,
            self.items.row_of_code.astype(np.int64) - FIRST_ITEM_ROW,
        )
        return transition_table(*fitted), ease_table(*fitted)

    def untrained_model(self) -> RetrievalModel:
        """A built model with new weights, reading the training events' trend."""
        bert = load_bert(str(self.directory / _BERT)) if self.tunes_text else None
        encoder, tokens = None, None
        if bert is not None:
            encoder = build_text_encoder(self.config.text, bert, *self.text_scale)
            tokens = self._text_tokens(bert)
        settings = (self.config.model, self.vocabulary, self.has_repeats)
        model = build_model(*settings, encoder, self.users.profile_dim)
        trend, profiles = self.trend(self.split.train), profile_variable(self.users)
        model.set_data(ItemTensors(self.items, tokens), trend, profiles)
        model.build()
        return model

    def model(self) -> RetrievalModel:
        """The trained model.

        Raises:
          UsageError: the run has not finished training, or another version of trecs trained it.
        """
        weights = self.directory / WEIGHTS
        if not self.is_trained:
            raise UsageError(
                f"{self.directory} has no trained model yet ({WEIGHTS} is missing); run the same"
                " `trecs train` command again, it continues where it was"
            )
        model = self.untrained_model()
        try:
            model.load_weights(weights)
        except ValueError as error:
            raise UsageError(
                f"{weights} does not fit the model that this version of trecs makes of the run's"
                " settings: another version trained it. Train again into another folder or remove"
                f" {self.directory}, or use the version that trained it"
            ) from error
        return model

    def bert(self, model: RetrievalModel) -> Bert:
        """The BERT as `model`, of this run, has it: what encodes the texts of new items."""
        if model.text_encoder is None:
            return load_bert(self.config.text.preset)
        tokenizer = load_bert(str(self.directory / _BERT)).tokenizer
        return Bert(model.text_encoder.backbone, tokenizer)

    def save_model(self, model: RetrievalModel) -> None:
        """Keep a trained model, and the text vectors that it gives the items; each file whole."""
        if model.text_encoder is not None:
            text = model.items.rows(tf.constant(self.items.row_of_code))["text"].numpy()
            centre, scale = self.text_scale
            vectors = np.where(np.isnan(self.text_vectors), np.nan, text * scale + centre)
            temporary = self.directory / f"part.{_TUNED_VECTORS}"
            np.save(temporary, vectors.astype(np.float32))
            temporary.replace(self.directory / _TUNED_VECTORS)
            vars(self).pop("items", None)
        temporary = self.directory / f"part.{WEIGHTS}"
        model.save_weights(temporary)
        temporary.replace(self.directory / WEIGHTS)

    def _text_tokens(self, bert: Bert) -> TextTokens:
        texts = np.full(FIRST_ITEM_ROW + self.items.num_candidates, "", object)
        texts[self.items.row_of_code] = self.dataset.catalogue.texts
        return text_tokens(bert, texts.tolist(), self.config.text.max_tokens)

    def scorer(self, model: RetrievalModel) -> ModelScorer:
        """The model as a scorer of this run's requests."""
        return ModelScorer(
            model,
            self.events(),
            self.trend(),
            Neighbours(*self.neighbour_tables),
            self.items.row_of_code,
            self.config.model.history_len,
        )

    @classmethod
    def create(cls, directory: str | Path, config: Config, dataset: Dataset) -> Run:
        """Claim a folder for a configuration and data, or find it claimed by the same.

        Raises:
          ConfigError: the folder holds a run of another configuration or other data.
          UsageError: the folder holds something else.
        """
        folder = Path(directory)
        claim = {"config": config.to_dict(), "data_sha256": fingerprint(dataset)}
        if (folder / "run.json").exists():
            _check_claim(folder, claim)
            return cls.open(folder)
        unfinished = folder / "run.json.part"
        if not unfinished.exists() and folder.exists() and not _is_empty_folder(folder):
            raise UsageError(
                f"--out must be a new or empty folder, or one that holds a run, got {folder}"
            )
        texts = dataset.catalogue.texts.tolist()
        vectors = cached_text_vectors(config.text.preset, texts, config.text.max_tokens)
        users = [] if dataset.users is None else dataset.users.texts.tolist()
        profiles = cached_text_vectors(config.text.preset, users, config.text.max_tokens)
        run = cls(folder, config, dataset, vectors, profiles)
        run.split  # noqa: B018 - a log too short for the split must fail before anything is written
        folder.mkdir(parents=True, exist_ok=True)
        # First, so that what a killed process began is known for its own.
        unfinished.touch()
        save_dataset(dataset, folder / "data")
        np.save(folder / _TEXT_VECTORS, vectors)
        if dataset.users is not None:
            np.save(folder / _PROFILES, profiles)
        if run.tunes_text:
            save_preset(load_bert(config.text.preset), str(folder / _BERT))
        run.vocabulary.save(folder / "vocabulary.json")
        # Last, and whole: a folder with this file is a run.
        unfinished.write_text(json.dumps(claim, indent=2), encoding="utf-8")
        os.replace(unfinished, folder / "run.json")
        return run

    @classmethod
    def open(cls, directory: str | Path) -> Run:
        """Open a run's folder.

        Raises:
          UsageError: it holds no run.
        """
        folder = Path(directory)
        if not (folder / "run.json").exists():
            raise UsageError(f"expected the folder of a run, made by `trecs train`, got {folder}")
        claim = json.loads((folder / "run.json").read_text("utf-8"))
        profiles = folder / _PROFILES
        return cls(
            folder,
            load_config(values=claim["config"]),
            open_dataset(folder / "data"),
            np.load(folder / _TEXT_VECTORS),
            np.load(profiles) if profiles.exists() else _NO_PROFILES,
        )


def check_run(run: object) -> None:
    """Refuse what is no run, with the way to one.

    Raises:
      UsageError: it is not a `Run`.
    """
    if not isinstance(run, Run):
        raise UsageError(f"expected a Run, got {run!r:.80}; open its folder with trecs.Run.open")


def _check_claim(folder: Path, claim: Mapping[str, Any]) -> None:
    held = json.loads((folder / "run.json").read_text("utf-8"))
    changed = [
        f"{section}.{key} is {value!r} there and {claim['config'][section].get(key)!r} here"
        for section, values in held["config"].items()
        for key, value in values.items()
        if claim["config"][section].get(key) != value
    ]
    if held["data_sha256"] != claim["data_sha256"]:
        changed.append("the data are not the same")
    if changed:
        raise ConfigError(
            f"{folder} holds a run that cannot be continued with these settings: "
            f"{'; '.join(changed)}. Give another --out, or delete the folder"
        )


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
