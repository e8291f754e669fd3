"""`trecs tune`: a bounded search for settings, judged before the test window alone."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trecs.api.cross_validation import check_origins, train_origin
from trecs.api.evaluation import evaluate
from trecs.config import Config
from trecs.data.dataset import Dataset
from trecs.data.fingerprint import fingerprint
from trecs.data.split_choice import make_split
from trecs.errors import ConfigError, UsageError
from trecs.training.search_space import SPACE, propose, space_around

STUDY = "study.log"
METRIC = "ndcg@10"
_STARTUP_TRIALS = 5


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
      config: the settings given, with the best values of the search.
      changed: these values, by setting.
      score: their mean NDCG@10 over the origins.
      default_score: that of the settings as given.
      num_trials: trials of the study, with those of earlier calls.
    """

    config: Config
    changed: dict[str, Any]
    score: float
    default_score: float
    num_trials: int


def tune(
    dataset: Dataset,
    out: str | Path,
    config: Config | None = None,
    *,
    trials: int = 20,
    num_origins: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> Tuned:
    """Search `trecs.training.search_space.SPACE` by the mean NDCG@10 over rolling origins.

    Events of the run's test window, and after it, take no part: the origins lie before it. The
    settings as given are the first trial. Afterwards a tree-structured Parzen estimator proposes
    (Bergstra et al. 2011), and trials whose first origins are below the median are cut short. The
    study is kept in `out`; another call continues it.

    Args:
      dataset: log and catalogue.
      out: folder of the study.
      config: settings that the search starts from, and keeps where the space does not name them.
      trials: how many the study shall have in all.
      num_origins: training runs of a trial.
      say: told of each trial.

    Raises:
      UsageError: Optuna is not installed, or trials or origins are less than 1.
      ConfigError: the folder holds a study of other data, settings or origins.
      ConfigError, DataError: as `trecs.api.train`.
    """
    if trials < 1:
        raise UsageError(f"--trials must be at least 1, got {trials}")
    check_origins(num_origins)
    config = config or Config()
    study = _open_study(Path(out), _claim(dataset, config, num_origins))
    early = before_test(dataset, config)
    start = {name: _value(config, name) for name in SPACE}
    space = space_around(start, config.model.num_heads)

    def objective(trial: Any) -> float:
        chosen = with_values(config, propose(trial, space))
        scores: list[float] = []
        for origin in range(1, num_origins + 1):
            scores.append(_score(early, Path(out) / "trial", chosen, origin, num_origins))
            trial.report(float(np.mean(scores)), origin)
            if origin < num_origins and trial.should_prune():
                say(f"trial {trial.number}: {METRIC} {np.mean(scores):.4f}, cut short")
                raise _optuna().TrialPruned
        say(f"trial {trial.number}: {METRIC} {np.mean(scores):.4f} {trial.params}")
        return float(np.mean(scores))

    measured = [trial for trial in study.trials if trial.value is not None]
    # Asked for again where the first trial was interrupted, which does not count.
    if not _of_the_settings(measured, start):
        study.enqueue_trial(start)
    missing = trials - len(measured)
    study.optimize(objective, n_trials=max(missing, 0))
    best = study.best_trial
    return Tuned(
        with_values(config, best.params),
        dict(best.params),
        float(study.best_value),
        float(_of_the_settings(study.trials, start)[0].value),
        len(study.trials),
    )


def _of_the_settings(trials: Sequence[Any], start: dict[str, Any]) -> list[Any]:
    """The trials that measured the settings as given."""
    return [t for t in trials if t.value is not None and t.params == start]


def with_values(config: Config, values: dict[str, Any]) -> Config:
    """The settings with other values for some, named as "model.dropout"."""
    for name, value in values.items():
        section, key = name.split(".")
        changed = dataclasses.replace(getattr(config, section), **{key: value})
        config = dataclasses.replace(config, **{section: changed})
    return config


def _score(dataset: Dataset, folder: Path, config: Config, origin: int, num_origins: int) -> float:
    """NDCG@10 in the origin's test window; the run's folder is gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    run = train_origin(dataset, folder, config, origin, num_origins, verbose=0)
    score = float(evaluate(run, baselines=())["metrics"][METRIC])
    shutil.rmtree(folder)
    return score


def before_test(dataset: Dataset, config: Config) -> Dataset:
    """The data set with the training and validation events of a configuration's split alone."""
    split = make_split(config, dataset.log)
    positions = np.sort(np.concatenate([split.train, split.validation]))
    return dataclasses.replace(dataset, log=dataset.log.select(positions))


def _value(config: Config, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(config, section), key)


def _claim(dataset: Dataset, config: Config, num_origins: int) -> dict[str, Any]:
    return {
        "config": config.to_dict(),
        "data_sha256": fingerprint(dataset),
        "num_origins": num_origins,
    }


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"`trecs tune` needs the extra `tune` ({error}); pip install -e '.[tune]' in the clone"
        ) from error
    return optuna


def _open_study(folder: Path, claim: dict[str, Any]) -> Any:
    """The study of the folder, made if need be; its trials must be of the same claim."""
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / STUDY))
    study = optuna.create_study(
        study_name="trecs",
        storage=optuna.storages.JournalStorage(backend),
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS),
    )
    if study.user_attrs and study.user_attrs["claim"] != claim:
        raise ConfigError(
            f"{folder} holds a study of other data, settings or origins: give another --out, or"
            " delete the folder"
        )
    study.set_user_attr("claim", claim)
    # Another start for each call, or a continued study would draw its first trials again.
    draws = np.random.SeedSequence([claim["config"]["training"]["seed"], len(study.trials)])
    study.sampler = optuna.samplers.TPESampler(
        seed=int(draws.generate_state(1)[0]), n_startup_trials=_STARTUP_TRIALS
    )
    return study
