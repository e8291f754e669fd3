"""What trecs does, as functions; the command line calls these."""

from trecs.api.cross_validation import cross_validate
from trecs.api.evaluation import evaluate, report
from trecs.api.exporting import deploy, export, export_text
from trecs.api.training import refit, train
from trecs.api.tuning import tune
from trecs.data.loading import load_data
from trecs.serving.refresh import refresh

__all__ = [
    "cross_validate",
    "deploy",
    "evaluate",
    "export",
    "export_text",
    "load_data",
    "refit",
    "refresh",
    "report",
    "train",
    "tune",
]
