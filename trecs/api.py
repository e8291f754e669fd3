"""What trecs does, as functions; the command line calls these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

import trecs
from trecs.config import Config
from trecs.data.audit import audit
from trecs.data.dataset import Dataset
from trecs.data.loading import load_data as load_data
from trecs.data.log import events_frame
from trecs.errors import UsageError
from trecs.evaluation.baselines.measure import measure_baselines
from trecs.evaluation.metrics import ndcg
from trecs.evaluation.protocol import ColdTargets, Evaluation, PerUser
from trecs.evaluation.protocol import evaluate as run_protocol
from trecs.evaluation.report import to_json, write_predictions
from trecs.evaluation.requests import RequestTime
from trecs.features.spec import FIRST_ITEM_ROW
from trecs.models.neighbours import Neighbours
from trecs.models.retrieval import RetrievalModel
from trecs.reporting.comparisons import compare_runs
from trecs.reporting.figures import require_matplotlib
from trecs.reporting.files import write_report
from trecs.reporting.report_page import report_blocks
from trecs.reporting.results import Results, RunResult, data_names, read_ablations, run_names
from trecs.run import WEIGHTS, Run, fingerprint
from trecs.serving.export import write_extras, write_version
from trecs.serving.index import ExactIndex
from trecs.serving.module import RecommenderModule
from trecs.serving.text_export import write_text_version
from trecs.training.recipe import make_objective, make_optimizer, max_epochs
from trecs.training.strategy import make_strategy, worker_folder
from trecs.training.trainer import BatchPlan, StoppingRule, fit
from trecs.training.wandb_logger import WandbLogger

_VALIDATION_SEED = 0
_TRANSITION_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
_EASE_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)


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
        model.compile(
            make_optimizer(run.config, epochs * plan.num_batches(0)),
            make_objective(run.config, run.vocabulary),
        )
        validate = _validator(run, model)
        fit(
            model,
            plan,
            StoppingRule(epochs, settings.patience),
            validate,
            run.directory,
            checkpoint_steps=settings.checkpoint_steps,
            callbacks=[*loggers, *callbacks],
            verbose=verbose,
        )
        _choose_neighbour_weights(model, validate)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.close()
    _save_weights(model, run.directory / WEIGHTS)
    return run


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


def evaluate(
    run: Run,
    predictions: str | Path | None = None,
    *,
    per_user: PerUser = "all",
    request_time: RequestTime = "known",
    cold_targets: ColdTargets = "miss",
    baselines: Sequence[str] = ("auto",),
) -> dict[str, Any]:
    """Rank the whole catalogue for every test target, with the model and the baselines.

    Args:
      run: a finished run.
      predictions: path of a Parquet file to write, one row a target.
      per_user, request_time, cold_targets: as in `trecs.evaluation.protocol.evaluate`.
      baselines: as `names` in `trecs.evaluation.baselines.measure.measure_baselines`.

    Returns:
      As `trecs.evaluation.report.to_json`; the protocol also names the baselines' settings, and
      those left out.
    """
    choices = {"per_user": per_user, "request_time": request_time, "cold_targets": cold_targets}
    of_model, values = _measure(run, baselines, **choices)
    if predictions is not None:
        write_predictions(Path(predictions), run.dataset, of_model)
    return values


def report(runs: Sequence[Run], to: str | Path, ablations: str | Path | None = None) -> list[Path]:
    """Measure runs and write one report: audits, protocols, tables, curves, paired tests.

    Args:
      runs: finished runs; those over the same targets stand in one table and are compared.
      to: folder for report.html (self-contained), report.md with its figures, and report.json.
      ablations: a JSON file of named rows of metrics, to be shown as a table.

    Returns:
      The paths of the three files.

    Raises:
      UsageError: no runs, an unfinished one, no matplotlib, or ablations of another form.
    """
    if not runs:
        raise UsageError("a report needs one run at least, but none came")
    # First, since measuring takes long: what else could stop the report.
    require_matplotlib()
    rows = {} if ablations is None else read_ablations(ablations)
    data = data_names([fingerprint(run.dataset) for run in runs])
    audits = {name: audit(run.dataset, run.config) for name, run in zip(data, runs, strict=True)}
    results = []
    for name, of, run in zip(run_names([run.directory for run in runs]), data, runs, strict=True):
        of_model, values = _measure(run, ("auto",))
        config = run.config.to_dict()
        results.append(RunResult(name, of, values, run.learning_curve, config, of_model))
    found = Results(audits, results, compare_runs(results), rows)
    return write_report(Path(to), "Report", report_blocks(found), found.to_json())


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
    titles = pd.DataFrame({"item_id": catalogue.item_ids, "title": catalogue.titles})
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


def _measure(run: Run, names: Sequence[str], **choices: Any) -> tuple[Evaluation, dict[str, Any]]:
    """The test targets' ranks by the model, and the report beside the baselines."""
    data, choices = (run.dataset, run.split), {"exclude_seen": run.exclude_seen, **choices}
    # First, since a run without a trained model must fail before the baselines take their time.
    scorer = run.scorer(run.model())
    of_baselines, said = measure_baselines(*data, names, **choices)
    of_model = run_protocol(*data, scorer, **choices)
    values = to_json(of_model, of_baselines)
    return of_model, values | {"protocol": values["protocol"] | said}


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


def _choose_neighbour_weights(model: RetrievalModel, validate: Callable[[], float]) -> None:
    """Leave the weights that validate best in the model, EASE's last; the smaller of equals."""
    for weight, choices in (
        (model.transition_weight, _TRANSITION_WEIGHTS),
        (model.ease_weight, _EASE_WEIGHTS),
    ):
        scores = []
        for choice in choices:
            weight.assign(choice)
            scores.append(validate())
        weight.assign(choices[int(np.argmax(scores))])


def _save_weights(model: RetrievalModel, path: Path) -> None:
    temporary = path.with_name(f"part.{path.name}")
    model.save_weights(temporary)
    temporary.replace(path)
