"""Writing SavedModels of a run."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

import trecs
from trecs.data.log import events_frame
from trecs.errors import UsageError
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models.neighbours import Neighbours
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run
from trecs.serving.categories import ItemCategories, category_names
from trecs.serving.export import write_extras, write_version
from trecs.serving.index import ExactIndex
from trecs.serving.module import RecommenderModule
from trecs.serving.text_export import write_text_version


def export(run: Run, to: str | Path, version: int | None = None, k: int = 50) -> Path:
    """Write the model as a version of a SavedModel folder, whole or not at all.

    The index holds every item of the data set, with the trend as of the end of the log.

    Args:
      run: a finished run.
      to: the model's folder, such as saved_models/shop.
      version: its number; the next one where None.
      k: length of the lists that `recommend` answers with.

    Returns:
      The version's folder.

    Raises:
      UsageError: the version exists, or k is less than 1.
    """
    if k < 1:
        raise UsageError(f"-k must be at least 1, got {k}")
    model, log = run.model(), run.dataset.log
    as_of_s = int(log.timestamp_s[-1]) + 86_400
    module = RecommenderModule(
        model,
        build_index(run, model, as_of_s),
        _build_categories(run),
        _build_categories(run),
        Neighbours(*run.neighbour_tables),
        run.vocabulary.user_ids,
        history_len=run.config.model.history_len,
        strict=run.strict,
        exclude_seen=run.exclude_seen,
        k=k,
    )
    metadata = {
        "trecs": trecs.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "k": min(k, run.items.num_candidates),
        "exclude_seen": run.exclude_seen,
        "ties": run.split.ties,
        "trend_as_of_s": as_of_s,
        "config": run.config.to_dict(),
    }
    catalogue = run.dataset.catalogue
    titles = pd.DataFrame(
        {
            "item_id": catalogue.item_ids,
            "title": catalogue.titles,
            "categories": category_names(catalogue.categories, catalogue.num_items),
        }
    )
    histories = events_frame(log)[["user_id", "item_id", "timestamp"]]
    return write_version(
        module, Path(to), version, lambda folder: write_extras(folder, metadata, titles, histories)
    )


def export_text(run: Run, to: str | Path) -> Path:
    """Write the next version of a SavedModel from raw texts to item vectors.

    Raises:
      ConfigError: the run has no text, or its BERT is not what it was.
    """
    trained = run.items.row_of_code < FIRST_ITEM_ROW + run.items.num_trained
    known = run.dataset.catalogue.texts[trained].tolist(), run.text_vectors[trained]
    return write_text_version(Path(to), run.config.text, run.model().item_tower, *known)


def build_index(run: Run, model: RetrievalModel, as_of_s: int) -> ExactIndex:
    """The exact index of all items, with the trend as of a time (UTC epoch seconds)."""
    vectors, bias = model.encode_items()
    trend = run.trend()
    features = trend.features(trend.row(tf.constant([as_of_s], tf.int64)))[0]
    return ExactIndex(
        run.items.item_ids,
        tf.cast(vectors, tf.float32).numpy(),
        tf.cast(bias, tf.float32).numpy()[FIRST_ITEM_ROW:],
        tf.transpose(features).numpy(),
    )


def _build_categories(run: Run) -> ItemCategories:
    catalogue = run.dataset.catalogue
    names = category_names(catalogue.categories, catalogue.num_items)
    code_of_candidate = np.argsort(run.items.row_of_code)
    return ItemCategories([names[code] for code in code_of_candidate])


def _build_categories(run: Run) -> ItemCategories:
    catalogue = run.dataset.catalogue
    names = category_names(catalogue.categories, catalogue.num_items)
    code_of_candidate = np.argsort(run.items.row_of_code)
    return ItemCategories([names[code] for code in code_of_candidate])
