"""The report and the predictions file, read back as an outsider would."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from trecs.data.splits import temporal
from trecs.evaluation.baselines.popularity import MostPopular, PopularAsOf
from trecs.evaluation.protocol import evaluate
from trecs.evaluation.report import metrics_of, to_json, to_text, write_predictions

NAMES = (
    *("ndcg", "recall", "mrr", "hit_rate", "precision", "map"),
    *("coverage", "gini", "novelty", "popularity"),
)


@pytest.fixture
def outcome(make_dataset):
    rng = np.random.default_rng(5)
    item = rng.integers(0, 60, 400) ** 2 // 60
    events = list(
        zip(rng.integers(0, 9, 400), item, np.sort(rng.integers(0, 9**6, 400)), strict=True)
    )
    dataset = make_dataset(events, num_items=70, listed=tuple(range(50, 65)))
    split = temporal(dataset.log, 0.5, 0.6)
    scorers = {
        "most_popular": MostPopular(dataset.log, split.train),
        "popular_7_days": PopularAsOf(dataset.log, days=7),
    }
    evaluations = {
        name: evaluate(dataset, split, scorer, exclude_seen=True)
        for name, scorer in scorers.items()
    }
    return dataset, evaluations


def test_the_report_has_the_promised_shape_and_is_json(outcome):
    evaluations = outcome[1]
    report = to_json(evaluations["popular_7_days"], evaluations)
    assert json.loads(json.dumps(report)) == report
    keys = ["protocol", "targets", "users", "metrics", "baselines"]
    assert list(report) == [*keys, "intervals", "comparisons", "slices"]
    assert (report["targets"], report["users"]) == (160, 9)
    assert set(report["baselines"]) == {"most_popular", "popular_7_days"}
    assert report["metrics"] == report["baselines"]["popular_7_days"]
    names = {f"{m}@{k}" for m in NAMES for k in (5, 10, 50)}
    assert set(report["metrics"]) == names
    assert report["protocol"]["split"] == "temporal"


def test_intervals_hold_the_means_and_comparisons_are_their_differences(outcome):
    evaluations = outcome[1]
    report = to_json(evaluations["popular_7_days"], evaluations)
    assert report["intervals"]["level"] == 0.95
    means = {"model": report["metrics"], **report["baselines"]}
    for method, values in means.items():
        intervals = report["intervals"][method]
        assert set(intervals) == {f"{m}@{k}" for m in NAMES[:3] for k in (5, 10, 50)}
        assert all(low <= values[name] <= high for name, (low, high) in intervals.items())
    found = report["comparisons"]["most_popular"]["recall@10"]
    assert found["difference"] == pytest.approx(
        report["metrics"]["recall@10"] - report["baselines"]["most_popular"]["recall@10"]
    )
    assert 0 < found["p_value"] <= 1
    assert report["comparisons"]["popular_7_days"]["ndcg@5"]["p_value"] == 1


def test_a_baseline_measured_otherwise_is_refused(outcome):
    model = outcome[1]["most_popular"]
    other = replace(model, protocol=model.protocol | {"seen_filter": "off"})
    with pytest.raises(ValueError, match=r"'other' must be measured as the model.*'off'"):
        to_json(model, {"other": other})
    fewer = replace(model, events=model.events[1:])
    with pytest.raises(ValueError, match=r"over 159 targets.*over 160"):
        to_json(model, {"fewer": fewer})


def test_the_text_has_a_row_a_scorer_and_the_protocol(outcome):
    evaluations = outcome[1]
    report = to_json(evaluations["popular_7_days"], evaluations)
    lines = to_text(report).split("\n")
    place = lines[0].split().index("ndcg@10") + 1
    rows = {line.split()[0]: line.split() for line in lines[1:4]}
    assert list(rows) == ["model", "most_popular", "popular_7_days"]
    expected = [report["metrics"], *report["baselines"].values()]
    found = [row[place] for row in rows.values()]
    assert found == [f"{values['ndcg@10']:.4f}" for values in expected]
    assert "targets: 160, of 9 users" in lines
    assert "seen filter: on" in lines


@pytest.mark.parametrize("name", ["most_popular", "popular_7_days"])
def test_the_predictions_give_the_reported_metrics_again(outcome, tmp_path, name):
    dataset, evaluations = outcome
    path = tmp_path / "predictions.parquet"
    write_predictions(path, dataset, evaluations[name])
    frame = pd.read_parquet(path)
    assert len(frame) == 160
    report = metrics_of(evaluations[name])
    for k in (5, 10, 50):
        gain = hit = 0.0
        for ids, target, rank in zip(
            frame.item_ids, frame.target_item_id, frame["rank"], strict=True
        ):
            places = list(ids[:k])
            place = places.index(target) + 1 if target in places else None
            assert place == (rank if rank <= k else None)
            gain += 1 / np.log2(1 + place) if place else 0
            hit += place is not None
        assert gain / 160 == pytest.approx(report[f"ndcg@{k}"], abs=1e-12)
        assert hit / 160 == pytest.approx(report[f"recall@{k}"], abs=1e-12)


def test_the_predictions_have_the_promised_columns_and_a_null_rank_for_a_miss(outcome, tmp_path):
    dataset, evaluations = outcome
    evaluation = evaluations["most_popular"]
    assert evaluation.excluded.any()
    path = tmp_path / "predictions.parquet"
    write_predictions(path, dataset, evaluation)
    schema = pq.read_schema(path)
    assert [(f.name, str(f.type)) for f in schema][:4] == [
        ("user_id", "string"),
        ("target_item_id", "string"),
        ("request_time_s", "int64"),
        ("rank", "int64"),
    ]
    assert str(schema.field("item_ids").type).startswith("list<")
    rows = pq.read_table(path).to_pylist()
    first = rows[0]
    assert first["user_id"] == f"u{evaluation.requests.user[0]}"
    assert first["target_item_id"] == f"i{evaluation.requests.target_item[0]}"
    assert first["request_time_s"] == evaluation.requests.request_time_s[0]
    assert [row["rank"] for row in rows] == [int(r) or None for r in evaluation.ranks]
    filled = [int((row >= 0).sum()) for row in evaluation.top_items]
    assert [len(row["item_ids"]) for row in rows] == filled
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.parquet"]


def test_a_failed_write_leaves_the_old_file_and_no_part(outcome, tmp_path, monkeypatch):
    path = tmp_path / "predictions.parquet"
    path.write_text("old")

    def fail(table, where):
        where.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_predictions(path, outcome[0], outcome[1]["most_popular"])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.parquet"]
