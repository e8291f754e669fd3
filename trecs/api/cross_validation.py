"""Rolling-origin cross-validation: the model trained and measured anew at several moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trecs.api.evaluation import evaluate
from trecs.api.training import train
from trecs.config import Config
from trecs.data.dataset import Dataset
from trecs.data.split_choice import make_split
from trecs.errors import UsageError
from trecs.evaluation.protocol import excludes_seen_by_default
from trecs.evaluation.rolling import mean_and_deviation
from trecs.run import Run


def cross_validate(
    dataset: Dataset,
    out: str | Path,
    config: Config | None = None,
    *,
    num_origins: int = 3,
    baselines: Sequence[str] = ("auto",),
    verbose: int = 1,
) -> dict[str, Any]:
    """Train and measure a run at each origin; what is interrupted continues when called again.

    Args:
      dataset: log and catalogue.
      out: folder of the runs, `origin-1` and so on.
      config: settings; their split is replaced by `split.kind=rolling-origin`.
      num_origins: see `trecs.data.cross_validation.rolling_origins`.
      baselines: as in `trecs.api.evaluate`.
      verbose: as in `trecs.api.train`.

    Returns:
      `{"origins": [what `evaluate` gave, ...], "summary": {"model": {"ndcg@10": {"mean": ...,
      "deviation": ...}}, "most_popular": {...}}}`: every origin has the same weight; the sample
      standard deviation, 0 for a single origin. The summary has the baselines that every origin
      has.

    Raises:
      ConfigError, DataError, UsageError: as `train`, or the log is too short for as many
        origins, or there are none.
    """
    check_origins(num_origins)
    config = config or Config()
    reports = []
    for origin in range(1, num_origins + 1):
        run = train_origin(
            dataset, Path(out) / f"origin-{origin}", config, origin, num_origins, verbose=verbose
        )
        reports.append(evaluate(run, baselines=baselines))
    return {"origins": reports, "summary": _summary(reports)}


def check_origins(num_origins: int) -> None:
    """Refuse a number of origins that is none.

    Raises:
      UsageError: it is less than 1.
    """
    if num_origins < 1:
        raise UsageError(f"--origins must be at least 1, got {num_origins}")


def train_origin(
    dataset: Dataset, out: Path, config: Config, origin: int, num_origins: int, *, verbose: int
) -> Run:
    """Train the run of one origin, numbered from 1.

    Whether seen items are left out is decided by the first origin's training part, for all of them.
    """
    split = replace(config.split, kind="rolling-origin", num_origins=num_origins, origin=origin)
    config = replace(config, split=split)
    if config.evaluation.seen_filter == "auto":
        first = make_split(replace(config, split=replace(split, origin=1)), dataset.log)
        seen_filter = "on" if excludes_seen_by_default(dataset.log, first) else "off"
        config = replace(config, evaluation=replace(config.evaluation, seen_filter=seen_filter))
    return train(dataset, out, config, verbose=verbose)


def _summary(reports: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    rows = [{"model": report["metrics"], **report["baselines"]} for report in reports]
    summary = {}
    for name in rows[0]:
        if all(name in row for row in rows):
            mean, deviation = mean_and_deviation([row[name] for row in rows])
            summary[name] = {m: {"mean": mean[m], "deviation": deviation[m]} for m in mean}
    return summary
