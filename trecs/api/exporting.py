"""Writing SavedModels of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from trecs.api.rating import rating_head
from trecs.errors import UsageError
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.features.users import profile_scale
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run, check_run
from trecs.serving.deployment import Deployment
from trecs.serving.refresh import write_deployment
from trecs.serving.refresh_data import Say, changes, extend, read_newer_items
from trecs.serving.text_export import checked_bert, write_text_version
from trecs.serving.text_module import ProfileEncoder
from trecs.serving.writing import only_writer
from trecs.settings import ServingConfig
from trecs.text.bert import load_bert


def export(
    run: Run,
    to: str | Path,
    version: int | None = None,
    k: int = 50,
    items: str | Path | None = None,
    say: Say | None = None,
    serving: ServingConfig | None = None,
) -> Path:
    """Write the model as a version of a SavedModel folder, whole or not at all.

    The trend and the neighbour tables are those of the whole log, as of its end.

    Args:
      run: a finished run.
      to: the model's folder, such as saved_models/shop.
      version: its number; the next one where None.
      k: length of the lists that `recommend` answers with.
      items: path of the whole catalogue as it is now: its items are recommended, and no others.
        None: all items of the data set are.
      say: takes lines of news; None for nobody.
      serving: settings of the index; those of the run where None.

    Returns:
      The version's folder.

    Raises:
      UsageError: `run` is no `Run`, the version exists, k is less than 1, or the index finds too
        little.
      DataError: the items file is not usable.
      ConfigError: new texts need a BERT that cannot be had.
    """
    check_run(run)
    if k < 1:
        raise UsageError(f"-k must be at least 1, got {k}")
    if version is not None and version < 0:
        raise UsageError(f"a version is a number from 0, got {version}")
    deployment = deploy(run, k)
    if serving is not None:
        deployment = replace(deployment, config=replace(run.config, serving=serving))
    if items is not None:
        with_text = run.text_vectors.shape[1] > 0
        columns = run.dataset.catalogue.columns
        catalogue, lines = read_newer_items(
            Path(items), run.config, run.vocabulary, columns, with_text
        )
        before, deployment = deployment, extend(deployment, None, catalogue)
        for line in [*lines, *changes(before, deployment)]:
            if say is not None:
                say(line)
    with only_writer(Path(to)):
        return write_deployment(deployment, Path(to), version)


def deploy(run: Run, k: int) -> Deployment:
    """What an export of a run is made from.

    Raises:
      UsageError: the run has not finished training.
    """
    model = run.model()
    return Deployment(
        config=run.config,
        vocabulary=run.vocabulary,
        dataset=run.dataset,
        offered=np.ones(run.dataset.num_items, bool),
        text_vectors=run.trained_text_vectors,
        text_scale=run.text_scale,
        users=run.users,
        model=model,
        bert=lambda: run.bert(model),
        strict=run.strict,
        exclude_seen=run.exclude_seen,
        k=k,
        as_of_s=int(run.dataset.log.timestamp_s[-1]) + 1,
        rating_head=rating_head(run),
        trained_until_s=int(run.dataset.log.timestamp_s[run.split.train].max()),
    )


def export_text(run: Run, to: str | Path) -> Path:
    """Write the next version of a SavedModel from raw texts to vectors of items and, if any, users.

    Raises:
      UsageError: `run` is no `Run`.
      ConfigError: the run has no text, or its BERT is not what it was.
    """
    check_run(run)
    model = run.model()
    trained = run.items.row_of_code < FIRST_ITEM_ROW + run.items.num_trained
    return write_text_version(
        Path(to),
        run.config.text,
        lambda: run.bert(model),
        model.item_tower,
        run.text_scale,
        run.dataset.catalogue.texts[trained].tolist(),
        run.trained_text_vectors[trained],
        _profile_encoder(run, model),
    )


def _profile_encoder(run: Run, model: RetrievalModel) -> ProfileEncoder | None:
    """What encodes profile texts as training did, by the BERT at `text.preset`."""
    users, vectors = run.dataset.users, run.profile_vectors
    if users is None or not vectors.shape[1]:
        return None
    preset = run.config.text.preset
    bert = checked_bert(run.config.text, lambda: load_bert(preset), users.texts.tolist(), vectors)
    scale = profile_scale(run.vocabulary, users, vectors)
    return ProfileEncoder(bert, model.profile_projection, *scale)
