"""What trecs does, as functions; the command line calls these."""

from trecs.api.cross_validation import cross_validate
from trecs.api.evaluation import evaluate, report
from trecs.api.exporting import build_index, export, export_text
from trecs.api.training import train
from trecs.api.tuning import tune
from trecs.data.loading import load_data

__all__ = [
    "build_index",
    "cross_validate",
    "evaluate",
    "export",
    "export_text",
    "load_data",
    "report",
    "train",
    "tune",
]
