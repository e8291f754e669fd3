"""The rating head of a run: trained, loaded, measured."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from trecs.evaluation.rating_baselines import (
    predict_biases,
    predict_biases_as_of,
    predict_global_mean,
)
from trecs.evaluation.rating_metrics import rating_metrics
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking import RatingHead
from trecs.models.ranking_data import RatingScale, fit_scale
from trecs.models.ranking_store import load_rating_head, save_rating_head
from trecs.run import Run
from trecs.training.rating import RatingPlan, fit_rating_head, predict_rows
from trecs.training.rating_batches import RatingRows, rating_rows
from trecs.training.rating_setup import make_rating_head, rating_epochs, rating_loss, user_rows

RatingReport = dict[str, dict[str, float]]

_HEAD = "rating_head.npz"


def rating_head(run: Run) -> RatingHead | None:
    """The trained rating head of a run, or None where it has none."""
    path = run.directory / _HEAD
    return load_rating_head(path, run.items) if path.exists() else None


def train_rating_head(run: Run, verbose: int = 1) -> None:
    """Train the head where the settings and the log ask for one and the run has none yet.

    On one device, whatever the strategy: the phase is short.

    Raises:
      ConfigError: as `trecs.training.rating_setup.rating_loss`.
    """
    settings, train, log = run.config.rating, run.split.train, run.dataset.log
    loss = rating_loss(settings, log, train)
    if loss == "none" or (run.directory / _HEAD).exists():
        return
    # Again, so that the phase does not depend on how far the one before it was resumed.
    keras.utils.set_random_seed(run.config.training.seed)
    targets, rating = log.rated(train)
    scale = fit_scale(rating)
    head = make_rating_head(loss, scale, log, train, run.vocabulary, run.items)
    rows = _rows(run, scale, train, targets)
    plan = RatingPlan(rows, rating_epochs(settings, len(targets)), run.config.training.seed)
    say = None if verbose == 0 else lambda line: sys.stderr.write(f"{line}\n")
    fit_rating_head(head, ItemTensors(run.items), plan, say)
    save_rating_head(head, Path(run.directory) / _HEAD)


def measure_ratings(run: Run) -> RatingReport | None:
    """MSE, RMSE and MAE of the test ratings by predictor, or None for a run without a rating head.

    Each rating is predicted from the ratings of earlier seconds: the user's own, and others' of the
    item. `bias` knows the training ratings alone, `bias_as_of` what the model knows.
    """
    head = rating_head(run)
    log, train = run.dataset.log, run.split.train
    test, actual = log.rated(run.split.test)
    if head is None or not len(test):
        return None
    rows = _rows(run, fit_scale(log.rated(train)[1]), np.arange(log.num_events), test)
    predicted = predict_rows(head, ItemTensors(run.items), rows)
    baselines = {
        "global_mean": predict_global_mean,
        "bias": predict_biases,
        "bias_as_of": predict_biases_as_of,
    }
    return {
        "model": rating_metrics(predicted, rows.targets["rating"]),
        **{name: rating_metrics(f(log, train, test), actual) for name, f in baselines.items()},
    }


def _rows(
    run: Run, scale: RatingScale, readable: NDArray[np.int64], targets: NDArray[np.int64]
) -> RatingRows:
    log = run.dataset.log
    users = user_rows(log, run.vocabulary)
    return rating_rows(log, run.items.row_of_code, users, scale, readable, targets)
