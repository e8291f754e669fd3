"""The audit of a log, before anything is trained on it: what its times and counts can support."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from trecs.config import Config
from trecs.data.audit_change import Drift, Newcomers, measure_drift, measure_newcomers
from trecs.data.audit_holdout import (
    LeaveLastOut,
    Temporal,
    measure_leave_last_out,
    measure_temporal,
)
from trecs.data.audit_size import Size, measure_size
from trecs.data.audit_time import Times, measure_times
from trecs.data.audit_warnings import AuditWarning, find_warnings
from trecs.data.dataset import Dataset
from trecs.data.sequences import build_sequences
from trecs.errors import DataError


@dataclass(frozen=True)
class Audit:
    """All figures of an audit; each part says what its figures mean.

    Attributes:
        size: counts, lengths of sequences, density, repeats.
        times: ties, resolution, gaps, lifetimes, rhythm.
        newcomers: new items and users over time.
        drift: how much of the popular items stays popular.
        leave_last_out: that split's leaks and ties; None where no user has three events.
        temporal: the temporal split's newcomers; None where the log has too few distinct times.
        warnings: what to know before training, each with what to do about it.
    """

    size: Size
    times: Times
    newcomers: Newcomers
    drift: Drift
    leave_last_out: LeaveLastOut | None
    temporal: Temporal | None
    warnings: tuple[AuditWarning, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures by part and name, as plain values that `json.dumps` takes."""
        return dataclasses.asdict(self)


def audit(dataset: Dataset, config: Config | None = None) -> Audit:
    """Measure what a data set's times and counts can support; nothing is trained.

    Args:
        dataset: log and catalogue.
        config: `split.train_quantile` and `split.test_quantile` place the temporal split,
            `model.history_len` says which sequences are cut; the defaults where None.

    Raises:
        DataError: the log has no events.

    Example:
        >>> dataset, _ = trecs.load_data("movielens-100k")
        >>> trecs.audit(dataset).times.tie_share
        0.50561
    """
    config = config or Config()
    log = dataset.log
    if not log.num_events:
        raise DataError("an audit needs events, but the log has none: was everything filtered out?")
    sequences = build_sequences(log)
    size = measure_size(dataset, config.model.history_len)
    times = measure_times(log, sequences)
    drift = measure_drift(log)
    held_out = measure_leave_last_out(log, sequences)
    split = measure_temporal(log, config.split.train_quantile, config.split.test_quantile)
    return Audit(
        size=size,
        times=times,
        newcomers=measure_newcomers(log),
        drift=drift,
        leave_last_out=held_out,
        temporal=split,
        warnings=find_warnings(size, times, drift, held_out, split),
    )
