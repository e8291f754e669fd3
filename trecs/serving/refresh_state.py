"""What a version keeps for its refresh, so that it needs nothing outside its own folder.

`assets.extra/refresh` holds the weights, the vocabulary, the catalogue and the texts' vectors; the
events are those of `histories.parquet`, the settings those of `metadata.json`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trecs.config import load_config
from trecs.data.dataset import Dataset, open_log_of
from trecs.data.store import open_items, write_items
from trecs.errors import UsageError
from trecs.features.users import UserTable, build_user_table
from trecs.features.vocabulary import Vocabulary
from trecs.models.build import build_model
from trecs.models.item_tensors import ItemTensors, profile_variable
from trecs.models.ranking_store import load_rating_head, save_rating_head
from trecs.models.retrieval import PARTS, RetrievalModel
from trecs.serving.deployment import Deployment
from trecs.serving.export import EXTRA
from trecs.text.bert import load_bert
from trecs.text.fresh import save_preset

STATE = "refresh"
_WEIGHTS, _VOCABULARY, _ITEMS = "model.weights.h5", "vocabulary.json", "items.parquet"
_TEXT, _BERT, _RATING = "text.npz", "bert", "rating_head.npz"
_USERS = "users.npz"


def save_state(deployment: Deployment, extra: Path) -> None:
    """Write the folder `refresh` into a version's `assets.extra`."""
    folder = extra / STATE
    folder.mkdir()
    deployment.vocabulary.save(folder / _VOCABULARY)
    write_items(deployment.dataset.catalogue, deployment.offered, folder / _ITEMS)
    centre, scale = deployment.text_scale
    np.savez(folder / _TEXT, vectors=deployment.text_vectors, centre=centre, scale=scale)
    users = deployment.users
    if users.profile_dim:
        new = np.array(users.user_ids[users.num_trained :], str)
        np.savez(folder / _USERS, new=new, profile=users.profile)
    _without_bert(deployment).save_weights(folder / _WEIGHTS)
    if deployment.rating_head is not None:
        save_rating_head(deployment.rating_head, folder / _RATING)
    if deployment.config.text.tuning != "frozen" and deployment.text_vectors.shape[1]:
        save_preset(deployment.bert(), str(folder / _BERT))


def load_state(version: Path) -> Deployment:
    """What a version was made from.

    Args:
      version: folder of an exported version.

    Raises:
      UsageError: the version does not hold it, or not all of it.
    """
    extra = version / EXTRA
    folder = extra / STATE
    if not (folder / _WEIGHTS).exists():
        raise UsageError(
            f"a refresh needs what `trecs export` keeps in {EXTRA}/{STATE}, but {version} has none"
            " of it; export the run again with this version of trecs"
        )
    metadata = json.loads((extra / "metadata.json").read_text("utf-8"))
    config = load_config(values=metadata["config"])
    vocabulary = Vocabulary.load(folder / _VOCABULARY)
    vectors, scale = _load_text(folder / _TEXT)
    dataset, offered = _load_dataset(extra, int(metadata["num_events"]))
    users = _load_users(folder / _USERS, vocabulary)
    own_bert = folder / _BERT
    deployment = Deployment(
        config=config,
        vocabulary=vocabulary,
        dataset=dataset,
        offered=offered,
        text_vectors=vectors,
        text_scale=scale,
        users=users,
        model=build_model(
            config.model,
            vocabulary,
            not metadata["exclude_seen"],
            profile_dim=users.profile_dim,
        ),
        bert=lambda: load_bert(str(own_bert) if own_bert.exists() else config.text.preset),
        strict=metadata["ties"] == "strict",
        exclude_seen=metadata["exclude_seen"],
        k=metadata.get("asked_k", metadata["k"]),
        as_of_s=metadata["trend_as_of_s"],
        trained_until_s=metadata.get("trained_until_s"),
    )
    _build(deployment, deployment.model)
    try:
        deployment.model.load_weights(folder / _WEIGHTS)
    except ValueError as error:
        raise UsageError(
            f"the weights in {version} do not fit the model that this version of trecs makes of"
            f" its settings: another one wrote it, which called itself {metadata['trecs']}; train"
            " and export again"
        ) from error
    if not (folder / _RATING).exists():
        return deployment
    return replace(deployment, rating_head=load_rating_head(folder / _RATING, deployment.items))


def _load_dataset(extra: Path, num_events: int) -> tuple[Dataset, NDArray[np.bool_]]:
    """All that was known, and which items were offered."""
    catalogue, offered = open_items(extra / STATE / _ITEMS)
    histories = extra / "histories.parquet"
    found = pq.read_metadata(histories).num_rows
    if found != num_events:
        raise UsageError(
            f"{histories} should have the {num_events} events that the version was made from, got"
            f" {found}; refresh the copy of the folder that has them all"
        )
    log = open_log_of(histories, catalogue)
    return Dataset(log, catalogue, np.ones(catalogue.num_items, bool)), offered


def _load_text(path: Path) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], float]]:
    with np.load(path) as text:
        return text["vectors"], (text["centre"], float(text["scale"]))


def _load_users(path: Path, vocabulary: Vocabulary) -> UserTable:
    if not path.exists():
        return build_user_table(vocabulary, None, np.zeros((0, 0), np.float32))
    with np.load(path) as stored:
        trained, new = vocabulary.user_ids, stored["new"].tolist()
        return UserTable((*trained, *new), len(trained), stored["profile"])


def _without_bert(deployment: Deployment) -> RetrievalModel:
    """The model without a tuned BERT, whose vectors are kept and which is kept by itself."""
    trained = deployment.model
    if trained.text_encoder is None:
        return trained
    model = build_model(
        deployment.config.model,
        deployment.vocabulary,
        not deployment.exclude_seen,
        profile_dim=deployment.users.profile_dim,
    )
    _build(deployment, model)
    for part in PARTS:
        if getattr(model, part) is not None:
            getattr(model, part).set_weights(getattr(trained, part).get_weights())
    for chosen, value in zip(model.chosen, trained.chosen, strict=True):
        chosen.assign(value)
    return model


def _build(deployment: Deployment, model: RetrievalModel) -> None:
    """Make a model's variables."""
    profiles = profile_variable(deployment.users)
    model.set_data(ItemTensors(deployment.items), deployment.trend(), profiles)
    model.build()
