"""Training a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.api.rating import train_rating_head
from trecs.config import Config
from trecs.data.dataset import Dataset
from trecs.data.split_choice import make_split
from trecs.errors import ConfigError, UsageError
from trecs.evaluation.metrics import ndcg
from trecs.evaluation.protocol import evaluate as run_protocol
from trecs.features.batches import EventRows
from trecs.features.items import num_id_rows
from trecs.features.repeats import item_habits
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run, check_run
from trecs.training.choices import (
    CHOICES,
    apply_choices,
    choose_neighbour_weights,
    raise_new_items,
    write_choices,
)
from trecs.training.custom_gradients import forgotten_gradients
from trecs.training.rating_setup import rating_loss
from trecs.training.recipe import loss_kind, make_objective, make_optimizer, max_epochs
from trecs.training.strategy import make_strategy, worker_folder
from trecs.training.trainer import BatchPlan, StoppingRule, best_epoch, fit
from trecs.training.wandb_logger import WandbLogger, import_wandb

_VALIDATION_SEED = 0


def train(
    dataset: Dataset,
    out: str | Path,
    config: Config | None = None,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> Run:
    """Train a model; a run that was interrupted continues, a finished one is returned as it is.

    Args:
      dataset: log and catalogue.
      out: folder of the run.
      config: settings; the defaults where None.
      callbacks: further Keras callbacks, which see `loss` and `val_ndcg@10`.
      verbose: 0 silent, 1 a progress bar, 2 a line an epoch.

    Raises:
      UsageError: `dataset` is no `Dataset`.
      ConfigError: users' texts without a BERT; else ConfigError, UsageError: as
        `trecs.run.Run.create`.
    """
    if not isinstance(dataset, Dataset):
        raise UsageError(
            f"expected a Dataset, got {dataset!r:.80}; trecs.load_data reads one from files"
        )
    config = config or Config()
    if config.split.refit != "none":
        raise ConfigError(
            f"split.refit = {config.split.refit!r} needs a run whose validation chose the epoch and"
            " the weights: train with 'none', then call `trecs refit RUN`"
        )
    return _run(config, dataset, Path(out), None, callbacks, verbose)


def refit(
    run: Run,
    out: str | Path,
    *,
    keep_test: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> Run:
    """Train anew on the held-out events too: the last step before a deployment.

    As many epochs as the validation of `run` found best, under the same schedule, with the
    neighbour weights and the raise of new items that it chose. Nothing is chosen again, so the
    figures of `run` stand for the recipe, not for these weights.

    Args:
      run: a finished run.
      out: folder of the new run.
      keep_test: leave the test events out, so that the new run can be measured on them.
      callbacks, verbose: as in `train`.

    Raises:
      UsageError: the run is not finished or is a refit itself; else as `trecs.run.Run.create`.
    """
    check_run(run)
    if not run.is_trained or run.config.split.refit != "none":
        raise UsageError(
            f"expected a finished run that has held events out, got {run.directory},"
            f" {'a refit' if run.is_trained else 'which has not finished training'}"
        )
    split = replace(run.config.split, refit="validation" if keep_test else "all")
    config = replace(_as_decided(run), split=split)
    return _run(config, run.dataset, Path(out), run, callbacks, verbose)


def _as_decided(run: Run) -> Config:
    """A run's settings, with what its data decided, so that more events cannot turn it round."""
    config = run.config
    ratings = rating_loss(config.rating, run.dataset.log, run.split.train)
    return replace(
        config,
        model=replace(config.model, loss=loss_kind(config.model, run.vocabulary)),
        rating=replace(config.rating, loss=ratings),
        evaluation=replace(config.evaluation, seen_filter="on" if run.exclude_seen else "off"),
    )


def _run(
    config: Config,
    dataset: Dataset,
    out: Path,
    chosen_by: Run | None,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int,
) -> Run:
    if dataset.users is not None and config.text.preset == "none":
        raise ConfigError(
            "users' profile texts need a BERT, got a users file and text.preset = 'none'; take a"
            " preset, or leave the users file out"
        )
    # What cannot work is refused before the folder is claimed.
    rating_loss(config.rating, dataset.log, make_split(config, dataset.log).train)
    if config.training.wandb_project:
        import_wandb(config.training.wandb_project)
    # First of all: a multi-worker strategy must be made before TensorFlow computes anything.
    strategy = make_strategy(config.training.strategy)
    run = Run.create(worker_folder(out, strategy), config, dataset)
    # A resumed run must end with the weights of an uninterrupted one, whichever phase it was in.
    # Costs nothing measurable here.
    tf.config.experimental.enable_op_determinism()
    # An interrupted phase of ratings may still be missing.
    if run.is_trained:
        # Says so where another version trained it, before anything counts on it.
        run.model()
    else:
        with forgotten_gradients():
            _train_retrieval(run, chosen_by, strategy, callbacks, verbose)
    train_rating_head(run, verbose)
    return run


def _train_retrieval(
    run: Run,
    chosen_by: Run | None,
    strategy: tf.distribute.Strategy,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int,
) -> None:
    """Train the retrieval model and keep it.

    Its own validation chooses the epoch and the last few numbers, or that of another run did.
    """
    settings = run.config.training
    keras.utils.set_random_seed(settings.seed)
    loggers = logging_callbacks(run)
    plan = BatchPlan(
        events=run.events(run.split.train),
        strict=run.strict,
        history_len=run.config.model.history_len,
        batch_events=settings.batch_events,
        seed=settings.seed,
        num_replicas=strategy.num_replicas_in_sync,
    )
    epochs = max_epochs(run.config, len((chosen_by or run).split.train))
    rule = StoppingRule(epochs, settings.patience)
    if chosen_by is not None:
        best = int(best_epoch(chosen_by.learning_curve)["epoch"])
        rule = StoppingRule(best, settings.patience)
    with strategy.scope():
        model = run.untrained_model()
        if model.repeat_term is not None:
            model.repeat_term.set_habits(_habits(run, plan.events))
        encoder = model.text_encoder
        text = [] if encoder is None else encoder.trainable_variables
        model.compile(
            make_optimizer(run.config, epochs * plan.num_batches(0), text),
            make_objective(run.config, run.vocabulary),
        )
        validate = _validator(run, model)

        def validate_epoch() -> float:
            model.refresh_texts()
            return validate()

        fit(
            model,
            plan,
            rule,
            None if chosen_by else validate_epoch,
            run.directory,
            checkpoint_steps=settings.checkpoint_steps,
            callbacks=[*loggers, *callbacks],
            verbose=verbose,
        )
        raised_by = 0.0
        if chosen_by is not None:
            model.refresh_texts()
            raised_by = apply_choices(model, chosen_by.directory / CHOICES)
        else:
            choose_neighbour_weights(model, validate)
            if run.items.num_candidates > run.items.num_trained:
                raised_by = raise_new_items(model, validate, run.config.model.new_item_cost)
        write_choices(model, raised_by, run.directory / CHOICES)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.close()
    run.save_model(model)


def _habits(run: Run, events: EventRows) -> NDArray[np.float32]:
    """How the training items are taken again, by item row."""
    if events.occurrences is None:
        raise ValueError("a model with a repeat term needs occurrences, got events without")
    num_rows = num_id_rows(run.vocabulary)
    return item_habits(events.item_row, events.time_s, events.occurrences, num_rows)


def logging_callbacks(run: Run) -> list[keras.callbacks.Callback]:
    """TensorBoard and Weights & Biases, where the settings ask for them.

    Raises:
      ConfigError: Weights & Biases is asked for and not installed.
    """
    settings = run.config.training
    callbacks: list[keras.callbacks.Callback] = []
    if settings.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(str(run.directory / "tensorboard")))
    if settings.wandb_project:
        callbacks.append(WandbLogger(settings.wandb_project, run.directory, run.config.to_dict()))
    return callbacks


def _validator(run: Run, model: RetrievalModel) -> Callable[[], float]:
    """Validation NDCG@10 of the model as it is, over a fixed sample of the validation targets."""
    scorer = run.scorer(model)
    targets = run.split.validation
    limit = run.config.training.validation_targets
    if 0 < limit < len(targets):
        chosen = np.random.default_rng(_VALIDATION_SEED).choice(len(targets), limit, replace=False)
        targets = targets[np.sort(chosen)]

    def validate() -> float:
        scorer.refresh()
        found = run_protocol(
            run.dataset, run.split, scorer, targets=targets, exclude_seen=run.exclude_seen, top_k=0
        )
        return float(ndcg(found.ranks, 10).mean())

    return validate
