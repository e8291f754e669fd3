"""The command line from a log to recommendations, and its exit codes."""

import json

import numpy as np
import pandas as pd
import pytest
from shop_world import SETTINGS, write_shop

import trecs
from trecs.cli import main
from trecs.errors import UsageError

SETS = [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    events, items = write_shop(folder)
    out = folder / "run"
    assert main(["train", str(events), "--items", str(items), "--out", str(out), *SETS]) == 0
    return folder


def test_report_and_predictions_agree(shop, capsys):
    report_path, predictions_path = shop / "report.json", shop / "predictions.parquet"
    arguments = ["--json", str(report_path), "--predictions", str(predictions_path)]
    assert main(["evaluate", str(shop / "run"), *arguments]) == 0
    report = json.loads(report_path.read_text())
    assert set(report) >= {"protocol", "targets", "metrics", "baselines", "intervals", "slices"}
    assert set(report["baselines"]) >= {"most_popular", "popular_7_days", "ease_decayed", "markov"}
    assert report["protocol"]["baseline_settings"]["markov"].keys() == {"window", "decay"}
    rows = pd.read_parquet(predictions_path)
    names = ["user_id", "target_item_id", "request_time_s", "rank", "item_ids"]
    assert list(rows.columns) == names
    assert len(rows) == report["targets"]
    rank = rows["rank"].astype("float").to_numpy()
    gains = np.where(rank <= 10, 1 / np.log2(1 + rank), 0)
    assert gains.mean() == pytest.approx(report["metrics"]["ndcg@10"])
    for _, row in rows[rows["rank"] <= 30].iterrows():
        assert row["item_ids"][int(row["rank"]) - 1] == row["target_item_id"]
    assert "tie rule" in capsys.readouterr().out


def test_the_protocol_is_chosen_when_measuring(shop):
    path = shop / "last.json"
    choices = ["--targets", "last", "--request-time", "withheld", "--cold-targets", "leave-out"]
    choices += ["--baselines", "markov,most_popular", "--tie-band"]
    assert main(["evaluate", str(shop / "run"), "--json", str(path), *choices]) == 0
    report = json.loads(path.read_text())
    assert report["targets"] == report["users"]
    chosen = ("per_user", "request_time", "cold_targets")
    assert [report["protocol"][name] for name in chosen] == ["last", "withheld", "leave-out"]
    assert list(report["baselines"]) == ["most_popular", "markov"]
    assert "ease" in report["protocol"]["baselines_left_out"]
    assert set(report["tie_band"]) >= {"metric", "low", "high", "as_given", "by_id_descending"}


def test_an_unknown_baseline_is_bad_usage(shop, capsys):
    assert main(["evaluate", str(shop / "run"), "--baselines", "markov,magic"]) == 2
    assert "there is no baseline 'magic'; there are most_popular," in capsys.readouterr().err


def test_exported_model_recommends(shop, capsys):
    model = str(shop / "models" / "shop")
    assert main(["export", str(shop / "run"), "--to", model, "-k", "20"]) == 0
    capsys.readouterr()
    at = ["--at", "2020-11-01T12:00:00Z"]
    assert main(["recommend", model, "--user", "u1", *at, "-k", "5", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["user_id"], answer["at"]) == ("u1", "2020-11-01T12:00:00Z")
    assert len(answer["items"]) == 5
    history = shop / "history.csv"
    history.write_text("item_id,timestamp\ni1,1600000000\ni2,1600000900\n")
    assert main(["recommend", model, "--user", "x", "--history", str(history), *at]) == 0
    assert "Thing" in capsys.readouterr().out


def test_same_command_finds_the_run_finished_and_other_settings_are_refused(shop, capsys):
    command = ["train", str(shop / "events.csv"), "--items", str(shop / "items.csv")]
    command += ["--out", str(shop / "run"), *SETS]
    weights = shop / "run" / "model.weights.h5"
    written = weights.stat().st_mtime_ns
    assert main(command) == 0
    assert weights.stat().st_mtime_ns == written
    assert main([*command, "--set", "model.dropout=0.4"]) == 2
    assert "model.dropout is 0.3 there and 0.4 here" in capsys.readouterr().err


def test_a_log_without_items_trains(shop, tmp_path):
    command = ["train", str(shop / "events.csv"), "--out", str(tmp_path / "run"), *SETS]
    assert main([*command, "--split", "leave-last-out", "--set", "model.loss=sampled"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "no.csv", "--out", "x"], 1, "no.csv"),
        (["train", "nodata", "--out", "x"], 2, "no data set called 'nodata'"),
        (["train", "no.csv", "--out", "x", "--set", "model.width=3"], 2, "unknown key model.width"),
        (["evaluate", "nowhere"], 2, "expected the folder of a run"),
        (["export", "nowhere", "--to", "m"], 2, "expected the folder of a run"),
        (["recommend", "nowhere", "--user", "1"], 2, "expected a model folder"),
        (["recommend", "nowhere", "--user", "1", "--at", "noon"], 2, "a time must be ISO 8601"),
        (["fetch", "movielens-100"], 2, "Did you mean movielens-100k"),
    ],
)
def test_a_failure_is_one_clear_paragraph(arguments, code, message, capsys):
    assert main(arguments) == code
    caught = capsys.readouterr()
    assert message in caught.err
    assert "Traceback" not in caught.err
    assert caught.out == ""


def test_bad_usage_ends_with_code_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["recommend"])
    assert "usage" in capsys.readouterr().err


def test_a_path_in_the_place_of_a_run_or_data_says_how_to_open_it(tmp_path):
    for call in (
        lambda: trecs.evaluate("runs/shop"),
        lambda: trecs.export("runs/shop", tmp_path),
        lambda: trecs.refit("runs/shop", tmp_path),
        lambda: trecs.report("runs/shop", tmp_path),
    ):
        with pytest.raises(UsageError, match="expected a Run, got '.*'; open its folder"):
            call()
    with pytest.raises(UsageError, match="expected a Dataset, got 'events.csv'; trecs.load_data"):
        trecs.train("events.csv", tmp_path / "run")
