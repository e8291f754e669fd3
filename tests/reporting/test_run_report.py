"""The report of trained runs: the three files agree, and a browser shows them."""

from __future__ import annotations

import json
import re
import shutil

import matplotlib.image
import numpy as np
import pytest
from made_once import made_once
from serving_shop import make_shop

import trecs
from trecs.cli import main
from trecs.errors import UsageError
from trecs.run import WEIGHTS, Run

ABLATIONS = {"full <model>": {"ndcg@10": 0.25}, "no trend": {"ndcg@10": 0.125, "recall@10": 0.5}}
NAMES = ("<i>plain", "other")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A trained run, and its copy whose weights are half as large."""
    folder = tmp_path_factory.mktemp("report")
    for name in NAMES:
        shutil.copytree(made_once(tmp_path_factory, "shop", make_shop) / "run", folder / name)
    trained, other = (Run.open(folder / name) for name in NAMES)
    model = other.model()
    for variable in model.trainable_variables:
        variable.assign(variable / 2)
    model.save_weights(other.directory / WEIGHTS)
    return [trained, other]


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    ablations = folder.parent / "ablations.json"
    ablations.write_text(json.dumps(ABLATIONS))
    command = ["report", *(str(run.directory) for run in runs), "--to", str(folder)]
    assert main([*command, "--ablations", str(ablations)]) == 0
    return folder


def values_of(report):
    return json.loads((report / "report.json").read_text("utf-8"))


def test_the_folder_has_the_three_forms_and_the_figures(report):
    names = {path.name for path in report.iterdir()}
    assert names == {"report.html", "report.md", "report.json", "figures"}


def test_the_values_are_those_of_evaluate(report, runs):
    values = values_of(report)
    assert [run["name"] for run in values["runs"]] == list(NAMES)
    evaluated = json.loads(json.dumps(trecs.evaluate(runs[1], with_tie_band=True)))
    assert values["runs"][1]["evaluation"] == evaluated
    assert values["runs"][1]["learning_curve"] == runs[1].learning_curve
    assert list(values["audits"]) == ["data 1"]
    assert values["audits"]["data 1"]["size"]["num_events"] == 480


def test_runs_over_the_same_targets_are_compared(report):
    values = values_of(report)
    assert [(c["first"], c["second"]) for c in values["comparisons"]] == [NAMES]
    first, second = (run["evaluation"]["metrics"]["ndcg@10"] for run in values["runs"])
    found = values["comparisons"][0]["metrics"]["ndcg@10"]
    assert found["difference"] == pytest.approx(first - second, abs=1e-12)
    assert found["interval"][0] <= found["difference"] <= found["interval"][1]


def test_rating_errors_stand_beside_the_baselines(report):
    errors = values_of(report)["runs"][0]["evaluation"]["ratings"]
    markdown = (report / "report.md").read_text("utf-8").replace("\\", "")
    for predictor in ("model", "bias_as_of"):
        shown = " | ".join(f"{errors[predictor][name]:.4f}" for name in ("mse", "rmse", "mae"))
        assert f"| {predictor} | {shown} |" in markdown


def test_markdown_and_html_show_the_values(report):
    metrics = values_of(report)["runs"][0]["evaluation"]["metrics"]
    markdown = (report / "report.md").read_text("utf-8").replace("\\", "")
    html = (report / "report.html").read_text("utf-8")
    for text in (markdown, html):
        assert f"{metrics['ndcg@10']:.4f} [" in text
        assert f"{metrics['mrr@50']:.4f}" in text
        assert "0.1250" in text
    assert "<i>" not in html
    assert "&lt;i&gt;plain" in html
    assert "full &lt;model&gt;" in html


def test_every_figure_of_the_markdown_is_a_file_and_in_the_html(report):
    linked = re.findall(r"\]\(figures/([^)]+)\)", (report / "report.md").read_text("utf-8"))
    assert sorted(linked) == sorted(path.name for path in (report / "figures").iterdir())
    assert {"decay_1.svg", "learning_loss.svg", "data_1_gaps.svg"} <= set(linked)
    html = (report / "report.html").read_text("utf-8")
    assert html.count("data:image/svg+xml;base64,") == len(linked)


def test_a_browser_shows_the_report(report, tmp_path, browse):
    shot = tmp_path / "report.png"
    browse(report / "report.html", "--window-size=1200,10000", f"--screenshot={shot}")
    pixels = matplotlib.image.imread(shot)[..., :3]
    blue = np.abs(pixels - np.array([0x1F, 0x5A, 0x9E]) / 255).max(axis=-1) < 0.02
    assert blue.sum() > 20_000
    # Wide tables scroll inside the page, which is not wider than the window.
    assert (pixels[:, -15:] == 1).all()


def test_the_page_has_one_top_heading_and_every_image_words(report, browse):
    document = browse(report / "report.html", "--dump-dom")
    assert document.count("<h1>") == 1
    images = re.findall(r"<img [^>]*>", document)
    assert len(images) == 9
    assert all(re.search(r' alt="[^"]{20,}"', image) for image in images)


def test_no_runs_are_an_error():
    with pytest.raises(UsageError, match="needs one run at least, but none came"):
        trecs.report([], "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "expected ablations as JSON"),
        ('{"no trend": {"ndcg@10": NaN}}', "must hold ablations as named rows"),
        ("[1]", "named rows of metrics"),
        ("{}", "named rows of metrics"),
        ('{"a": {"ndcg@10": "x"}}', 'but holds {"a": {"ndcg@10": "x"}}'),
    ],
)
def test_ablations_of_another_form_are_refused_before_measuring(runs, tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        trecs.report(runs[:1], tmp_path / "out", tmp_path / "a.json")
    assert not (tmp_path / "out").exists()
