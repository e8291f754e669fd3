"""Imports point one way only, and the light parts of the package stay light."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import trecs

ROOT = Path(trecs.__file__).parent
LAYERS = [
    "errors",
    "columns",
    "settings",
    "config",
    "data",
    "features",
    "text",
    "models",
    "training",
    "evaluation",
    "reporting",
    "serving",
    "run",
    "api",
    "cli",
]
LIGHT = (
    "trecs",
    "trecs.errors",
    "trecs.columns",
    "trecs.settings",
    "trecs.config",
    *(f"trecs.data.{m.name}" for m in pkgutil.iter_modules([str(ROOT / "data")])),
    *(
        f"trecs.evaluation.{m.name}"
        for m in pkgutil.iter_modules([str(ROOT / "evaluation")])
        if m.name != "model_scorer"
    ),
    *(
        f"trecs.evaluation.baselines.{m.name}"
        for m in pkgutil.iter_modules([str(ROOT / "evaluation/baselines")])
    ),
    *(f"trecs.reporting.{m.name}" for m in pkgutil.iter_modules([str(ROOT / "reporting")])),
)


def imported(source: str) -> set[str]:
    """Every module that the source imports, anywhere in it, with the names it takes from trecs."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            # `from trecs import api` names a layer too; `from trecs import Run` does not.
            named = {f"trecs.{a.name}" for a in node.names if a.name in LAYERS}
            found |= named if module == "trecs" and named else {module}
    return found


def layer(module: str) -> str:
    return module.split(".")[1]


def test_the_walk_sees_every_kind_of_import() -> None:
    source = (
        "import trecs.cli\nfrom trecs import api, Run\nfrom trecs.data.log import EventLog\n"
        "def f():\n    import numpy as np\n"
    )
    assert imported(source) == {"trecs.cli", "trecs.api", "trecs.data.log", "numpy"}


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_point_to_earlier_layers_only(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts == ("__init__",):
        own = -1
    elif parts == ("__main__",):
        own = len(LAYERS)
    else:
        assert parts[0] in LAYERS, f"{parts[0]} is no layer of the arrow"
        own = LAYERS.index(parts[0])
    modules = {m for m in imported(path.read_text("utf-8")) if m.startswith("trecs.")}
    later = [m for m in modules if LAYERS.index(layer(m)) > own]
    assert later == []


def test_light_modules_load_no_tensorflow() -> None:
    code = (
        f"import importlib, sys\nfor name in {LIGHT!r}:\n    importlib.import_module(name)\n"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'keras_nlp'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
