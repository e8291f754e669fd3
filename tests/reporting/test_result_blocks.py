"""How results are grouped, compared and laid out, on figures made by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from trecs.reporting.blocks import Figure, Heading, Table
from trecs.reporting.comparisons import compare_runs
from trecs.reporting.result_blocks import group_blocks
from trecs.reporting.results import RunResult, data_names, run_names, same_targets

GOOD = {"ndcg@10": 0.5, "coverage@10": 0.25, "popularity@10": 1234.5}
POOR = {"ndcg@10": 0.125, "coverage@10": 0.0625, "popularity@10": 99.0}


def run_of(name, ranks=(1, 1), split="temporal", data="data 1"):
    """A run with two targets, of two users, and one baseline."""
    slices = {"item": [{"slice": "warm", "targets": 2, "users": 2, "model": 0.5, "pop": 0.125}]}
    if split == "temporal":
        slices["days_since_training"] = [
            {"slice": "0 to 1", "from": 0, "to": 1, **slices["item"][0], "model": 0.75},
            {"slice": "1 to 2", "from": 1, "to": 2, **slices["item"][0], "model": 0.25},
        ]
    test = {"difference": 0.375, "interval": [0.25, 0.5], "p_value": 0.001}
    evaluation = {
        "protocol": {"split": split, "train_end_s": 893286638, "num_candidates": 1682},
        "targets": 2,
        "metrics": GOOD,
        "baselines": {"pop": POOR},
        "intervals": {
            "level": 0.95,
            "method": "by hand",
            "model": {"ndcg@10": [0.4, 0.6]},
            "pop": {"ndcg@10": [0.1, 0.15]},
        },
        "comparisons": {"pop": {"ndcg@10": test}},
        "slices": slices,
    }
    ranks = np.array(ranks)
    of_model = SimpleNamespace(ranks=ranks, requests=SimpleNamespace(user=np.arange(ranks.size)))
    return RunResult(name, data, evaluation, [], {}, of_model)


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def test_only_runs_measured_alike_share_a_group():
    a, b, c, d = (
        *(
            run_of("a"),
            run_of("b", split="leave-last-out"),
            run_of("c"),
            run_of("d", data="data 2"),
        ),
    )
    assert same_targets([a, b, c, d]) == [[a, c], [b], [d]]


def test_runs_of_one_group_are_compared_target_by_target():
    # NDCG@10 of ranks 1, 3, miss: 1, 0.5, 0; recall 1, 1, 0.
    first, second = run_of("a", ranks=(1, 3, 1, 0)), run_of("b", ranks=(3, 3, 0, 0))
    (found,) = compare_runs([first, second, run_of("x", split="leave-last-out")])
    assert (found.first, found.second) == ("a", "b")
    assert found.metrics["ndcg@10"].difference == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert found.metrics["recall@10"].difference == pytest.approx(1 / 4)


def test_the_protocol_has_dates_and_words():
    protocol = tables(group_blocks(1, [run_of("a")], []))[0]
    assert protocol.rows == (
        ("number of targets", "2"),
        ("split", "temporal"),
        ("train end", "1998-04-22T23:10:38Z"),
        ("number of candidates", "1,682"),
    )


def test_the_first_table_of_results_has_intervals_where_there_are_some():
    headline = tables(group_blocks(1, [run_of("a")], []))[1]
    assert headline.header == ("method", "ndcg@10", "coverage@10")
    assert headline.rows == (
        ("a", "0.5000 [0.4000, 0.6000]", "0.2500"),
        ("pop", "0.1250 [0.1000, 0.1500]", "0.0625"),
    )
    assert "95% confidence interval (by hand)" in headline.caption


def test_the_last_table_has_every_metric():
    last = tables(group_blocks(1, [run_of("a"), run_of("b")], []))[-1]
    assert last.header == ("metric", "a", "b", "pop")
    assert last.rows[-1] == ("popularity@10", "1,234.5", "1,234.5", "99.0")


def test_tests_name_which_run_is_subtracted():
    runs = [run_of("a", ranks=(1, 1)), run_of("b", ranks=(3, 3))]
    tests = tables(group_blocks(1, runs, compare_runs(runs)))[2]
    assert [row[:2] for row in tests.rows] == [
        ("a - b", "ndcg@10"),
        ("a - b", "recall@10"),
        ("a - pop", "ndcg@10"),
        ("b - pop", "ndcg@10"),
    ]
    assert tests.rows[0][2].startswith("+0.5000 [")
    assert tests.rows[2][2:] == ("+0.3750 [+0.2500, +0.5000]", "0.0010")


def test_slices_stand_beside_the_baselines():
    by_item = tables(group_blocks(1, [run_of("a"), run_of("b")], []))[3]
    assert by_item.header == ("item", "targets", "users", "a", "b", "pop")
    assert by_item.rows == (("warm", "2", "2", "0.5000", "0.5000", "0.1250"),)


def test_decay_is_drawn_at_the_middle_of_its_bins():
    (figure,) = [b for b in group_blocks(7, [run_of("a")], []) if isinstance(b, Figure)]
    assert figure.name == "decay_7"
    assert "a: 2 points from 0.75 at 0.5 to 0.25 at 1.5" in figure.alt


def test_without_an_end_of_training_there_is_no_decay():
    blocks = group_blocks(1, [run_of("a", split="leave-last-out")], [])
    assert not any(isinstance(block, Figure) for block in blocks)
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    assert headings == ["Results on data 1, leave-last-out split", "Slices", "All metrics"]


def test_runs_of_one_folder_name_are_told_apart_by_their_paths():
    assert run_names([Path("x/a"), Path("x/b"), Path("y/b")]) == ["a", "x/b", "y/b"]


def test_equal_data_have_one_name():
    assert data_names(["b7", "3c", "b7"]) == ["data 1", "data 2", "data 1"]


def test_a_run_is_named_by_its_folder_also_from_inside(tmp_path, monkeypatch):
    (tmp_path / "films").mkdir()
    monkeypatch.chdir(tmp_path / "films")
    assert run_names([Path()]) == ["films"]
