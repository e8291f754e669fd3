"""Training a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from trecs.api.rating import train_rating_head
from trecs.config import Config
from trecs.data.dataset import Dataset
from trecs.evaluation.metrics import ndcg
from trecs.evaluation.protocol import evaluate as run_protocol
from trecs.models.retrieval import RetrievalModel
from trecs.run import Run
from trecs.training.choices import choose_neighbour_weights, raise_new_items, write_choices
from trecs.training.recipe import make_objective, make_optimizer, max_epochs
from trecs.training.strategy import make_strategy, worker_folder
from trecs.training.trainer import BatchPlan, StoppingRule, fit
from trecs.training.wandb_logger import WandbLogger

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
      ConfigError, UsageError: as `trecs.run.Run.create`.
    """
    config = config or Config()
    # First of all: a multi-worker strategy must be made before TensorFlow computes anything.
    strategy = make_strategy(config.training.strategy)
    run = Run.create(worker_folder(Path(out), strategy), config, dataset)
    # An interrupted phase of ratings may still be missing.
    if not run.is_trained:
        _train_retrieval(run, strategy, callbacks, verbose)
    train_rating_head(run, verbose)
    return run


def _train_retrieval(
    run: Run,
    strategy: tf.distribute.Strategy,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int,
) -> None:
    """Train the retrieval model, let validation choose its last few numbers, and keep it."""
    settings = run.config.training
    keras.utils.set_random_seed(settings.seed)
    # A resumed run must end with the weights of an uninterrupted one. Costs nothing measurable
    # here.
    tf.config.experimental.enable_op_determinism()
    loggers = logging_callbacks(run)
    plan = BatchPlan(
        events=run.events(run.split.train),
        strict=run.strict,
        history_len=run.config.model.history_len,
        batch_events=settings.batch_events,
        seed=settings.seed,
        num_replicas=strategy.num_replicas_in_sync,
    )
    epochs = max_epochs(run.config, len(run.split.train))
    with strategy.scope():
        model = run.untrained_model()
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
            StoppingRule(epochs, settings.patience),
            validate_epoch,
            run.directory,
            checkpoint_steps=settings.checkpoint_steps,
            callbacks=[*loggers, *callbacks],
            verbose=verbose,
        )
        choose_neighbour_weights(model, validate)
        raised_by = 0.0
        if run.items.num_candidates > run.items.num_trained:
            raised_by = raise_new_items(model, validate, run.config.model.new_item_cost)
        write_choices(model, raised_by, run.directory / "choices.json")
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.close()
    run.save_model(model)


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
