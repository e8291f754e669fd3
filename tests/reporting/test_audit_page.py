"""The audit's page: from the command line, and as a browser shows it."""

from __future__ import annotations

import json
import subprocess
import sys

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from trecs.cli import main
from trecs.data.audit import audit
from trecs.reporting.audit_page import audit_blocks, audit_html
from trecs.reporting.blocks import Figure, Heading


@pytest.fixture(scope="module")
def log_path(tmp_path_factory):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 60, 3_000),
            "item_id": rng.integers(0, 300, 3_000),
            "timestamp": 1_600_000_000 + rng.integers(0, 60 * 86_400, 3_000),
        }
    )
    path = tmp_path_factory.mktemp("audit") / "<b>log.csv"
    frame.to_csv(path, index=False)
    return path


def test_every_part_has_its_heading_and_every_picture_its_words(world):
    blocks = audit_blocks(audit(world))
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    assert headings == ["Warnings", "Size", "Time", "Drift", "Leave-last-out", "Temporal split"]
    figures = [block for block in blocks if isinstance(block, Figure)]
    assert len({figure.name for figure in figures}) == len(figures) == 6
    assert all(figure.alt and figure.caption for figure in figures)


def test_the_source_is_escaped(world):
    assert "<title>Audit of &lt;b&gt;log.csv</title>" in audit_html(audit(world), "<b>log.csv")


def test_the_command_writes_text_json_and_html(log_path, tmp_path, capsys):
    paths = ["--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html")]
    assert main(["audit", str(log_path), *paths, "--set", "model.history_len=7"]) == 0
    caught = capsys.readouterr()
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert report["size"]["num_events"] == 3_000
    assert "users with more than 7 events" in caught.out
    assert "columns: user_id from 'user_id'" in caught.err
    assert "3,000" in (tmp_path / "a.html").read_text("utf-8")


def test_the_command_loads_no_tensorflow(log_path, tmp_path):
    code = (
        "import sys\nfrom trecs.cli import main\n"
        f"code = main(['audit', {str(log_path)!r}, '--html', {str(tmp_path / 'a.html')!r}])\n"
        "sys.exit(code or int('tensorflow' in sys.modules or 'keras' in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_log_that_cannot_be_used_is_one_paragraph(tmp_path, capsys):
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    assert main(["audit", str(path)]) == 1
    assert "no column looks like the user_id" in capsys.readouterr().err


def test_a_browser_shows_the_pictures(world, tmp_path, browse):
    page = tmp_path / "audit.html"
    page.write_text(audit_html(audit(world), "the world"), encoding="utf-8")
    shot = tmp_path / "audit.png"
    browse(page, "--window-size=1000,4500", f"--screenshot={shot}")
    pixels = matplotlib.image.imread(shot)[..., :3]
    assert pixels.shape == (4500, 1000, 3)
    # Bars are drawn in this blue and nothing else is; an image that failed to load has none.
    blue = np.abs(pixels - np.array([0x1F, 0x5A, 0x9E]) / 255).max(axis=-1) < 0.02
    assert blue.sum() > 20_000
    # Nothing is cut off on the right.
    assert (pixels[:, -15:] == 1).all()
