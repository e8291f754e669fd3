"""Measuring runs: figures, and reports of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trecs.api.rating import measure_ratings
from trecs.data.audit import audit
from trecs.data.fingerprint import fingerprint
from trecs.errors import UsageError
from trecs.evaluation.baselines.measure import measure_baselines
from trecs.evaluation.protocol import ColdTargets, Evaluation, PerUser
from trecs.evaluation.protocol import evaluate as run_protocol
from trecs.evaluation.report import to_json, write_predictions
from trecs.evaluation.requests import RequestTime
from trecs.evaluation.tie_band import markov_tie_band
from trecs.reporting.comparisons import compare_runs
from trecs.reporting.figures import require_matplotlib
from trecs.reporting.files import write_report
from trecs.reporting.report_page import report_blocks
from trecs.reporting.results import Results, RunResult, data_names, read_ablations, run_names
from trecs.run import Run, check_run

# A band measures thirteen models; beyond this, `trecs evaluate --tie-band` must ask for it.
_TIE_BAND_MAX_SCORES = 100_000_000


def evaluate(
    run: Run,
    predictions: str | Path | None = None,
    *,
    per_user: PerUser = "all",
    request_time: RequestTime = "known",
    cold_targets: ColdTargets = "miss",
    baselines: Sequence[str] = ("auto",),
    with_tie_band: bool = False,
) -> dict[str, Any]:
    """Rank the whole catalogue for every test target, with the model and the baselines.

    Args:
      run: a finished run.
      predictions: path of a Parquet file to write, one row a target.
      per_user, request_time, cold_targets: as in `trecs.evaluation.protocol.evaluate`.
      baselines: as `names` in `trecs.evaluation.baselines.measure.measure_baselines`.
      with_tie_band: whether to find how far a Markov model moves with the order inside ties.

    Returns:
      As `trecs.evaluation.report.to_json`; the protocol also names the baselines' settings, and
      those left out; `tie_band` is as `trecs.evaluation.tie_band.TieBand.to_json`. `ratings`, where
      the run has a rating head, is as `trecs.api.rating.measure_ratings`.
    """
    check_run(run)
    choices = {"per_user": per_user, "request_time": request_time, "cold_targets": cold_targets}
    of_model, values = _measure(run, baselines, **choices)
    if predictions is not None:
        write_predictions(Path(predictions), run.dataset, of_model)
    return values | (_tie_band(run) if with_tie_band else {})


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
    for run in runs:
        check_run(run)
    # First, since measuring takes long: what else could stop the report.
    require_matplotlib()
    rows = {} if ablations is None else read_ablations(ablations)
    data = data_names([fingerprint(run.dataset) for run in runs])
    audits = {name: audit(run.dataset, run.config) for name, run in zip(data, runs, strict=True)}
    results = []
    for name, of, run in zip(run_names([run.directory for run in runs]), data, runs, strict=True):
        of_model, values = _measure(run, ("auto",))
        config = run.config.to_dict()
        if run.split.test.size * run.dataset.log.num_items <= _TIE_BAND_MAX_SCORES:
            values |= _tie_band(run)
        results.append(RunResult(name, of, values, run.learning_curve, config, of_model))
    found = Results(audits, results, compare_runs(results), rows)
    return write_report(Path(to), "Report", report_blocks(found), found.to_json())


def _tie_band(run: Run) -> dict[str, Any]:
    band = markov_tie_band(run.dataset, run.split, exclude_seen=run.exclude_seen)
    return {"tie_band": band.to_json()}


def _measure(run: Run, names: Sequence[str], **choices: Any) -> tuple[Evaluation, dict[str, Any]]:
    """The test targets' ranks by the model, and the report beside the baselines."""
    data, choices = (run.dataset, run.split), {"exclude_seen": run.exclude_seen, **choices}
    # First, since a run without a trained model must fail before the baselines take their time.
    scorer = run.scorer(run.model())
    of_baselines, said = measure_baselines(*data, names, **choices)
    of_model = run_protocol(*data, scorer, **choices)
    values = to_json(of_model, of_baselines)
    ratings = measure_ratings(run)
    values |= {} if ratings is None else {"ratings": ratings}
    return of_model, values | {"protocol": values["protocol"] | said}
