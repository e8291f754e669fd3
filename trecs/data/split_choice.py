"""The split that a configuration asks for."""

from __future__ import annotations

from trecs.config import Config
from trecs.data.cross_validation import rolling_origins
from trecs.data.log import EventLog
from trecs.data.sequences import Ties
from trecs.data.splits import Split, leave_last_out, temporal, train_on_held_out
from trecs.settings import SplitConfig


def make_split(config: Config, log: EventLog) -> Split:
    """The split of a configuration."""
    split = _held_out_split(config.split, log)
    refit = config.split.refit
    return split if refit == "none" else train_on_held_out(split, test=refit == "all")


def _held_out_split(settings: SplitConfig, log: EventLog) -> Split:
    ties: Ties
    if settings.kind == "leave-last-out":
        ties = "strict" if settings.ties == "strict" else "order"
        return leave_last_out(log, ties=ties)
    ties = "order" if settings.ties == "order" else "strict"
    if settings.kind == "rolling-origin":
        return rolling_origins(log, settings.num_origins, ties=ties)[settings.origin - 1]
    return temporal(log, settings.train_quantile, settings.test_quantile, ties=ties)
