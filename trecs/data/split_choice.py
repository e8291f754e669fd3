"""The split that a configuration asks for."""

from __future__ import annotations

from trecs.config import Config
from trecs.data.cross_validation import rolling_origins
from trecs.data.log import EventLog
from trecs.data.sequences import Ties
from trecs.data.splits import Split, leave_last_out, temporal


def make_split(config: Config, log: EventLog) -> Split:
    """The split of a configuration."""
    settings = config.split
    ties: Ties
    if settings.kind == "leave-last-out":
        ties = "strict" if settings.ties == "strict" else "order"
        return leave_last_out(log, ties=ties)
    ties = "order" if settings.ties == "order" else "strict"
    if settings.kind == "rolling-origin":
        return rolling_origins(log, settings.num_origins, ties=ties)[settings.origin - 1]
    return temporal(log, settings.train_quantile, settings.test_quantile, ties=ties)
