"""`trecs cross-validate` and `trecs tune` on a small log."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from trecs import api
from trecs.api import cross_validation, tuning
from trecs.api.tuning import before_test
from trecs.cli import main
from trecs.config import Config, load_config, to_toml
from trecs.data.fingerprint import fingerprint
from trecs.data.split_choice import make_split
from trecs.errors import ConfigError
from trecs.evaluation.protocol import excludes_seen_by_default
from trecs.run import Run
from trecs.training.search_space import SPACE, Choice, Range, propose, space_around

OVERRIDES = [
    "text.preset=none",
    "model.embedding_dim=8",
    "model.num_layers=1",
    "model.history_len=8",
    "training.batch_events=64",
    "training.epochs=1",
]
SETS = [word for override in OVERRIDES for word in ("--set", override)]
DAY = 86_400


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 20, 600),
            "item_id": rng.integers(0, 15, 600),
            "timestamp": np.sort(rng.integers(1_600_000_000, 1_600_000_000 + 60 * DAY, 600)),
        }
    )


@pytest.fixture
def log_path(events, tmp_path):
    path = tmp_path / "events.csv"
    events.to_csv(path, index=False)
    return path


def test_cross_validation_measures_disjoint_windows_and_their_mean(log_path, tmp_path, capsys):
    out, report = tmp_path / "cv", tmp_path / "cv.json"
    arguments = ["cross-validate", str(log_path), "--out", str(out), "--origins", "2", *SETS]
    assert main([*arguments, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    first, second = (origin["metrics"]["ndcg@10"] for origin in found["origins"])
    summary = found["summary"]["model"]["ndcg@10"]
    assert summary["mean"] == pytest.approx((first + second) / 2)
    assert summary["deviation"] == pytest.approx(abs(first - second) / 2**0.5)
    assert "most_popular" in found["summary"]
    assert f"{summary['mean']:.4f} ± {summary['deviation']:.4f}" in capsys.readouterr().out
    runs = [Run.open(out / f"origin-{k}") for k in (1, 2)]
    assert runs[0].split.test[-1] + 1 == runs[1].split.test[0]
    assert runs[0].split.train.size < runs[1].split.train.size


def test_an_origin_beyond_their_number_is_refused():
    with pytest.raises(ConfigError, match=r"split.origin must be at most split.num_origins, got 4"):
        load_config(overrides=["split.kind=rolling-origin", "split.origin=4"])


def test_tuning_keeps_its_study_goes_on_and_refuses_other_data(log_path, events, tmp_path, capsys):
    pytest.importorskip("optuna")
    out = tmp_path / "study"
    arguments = ["tune", str(log_path), "--out", str(out), "--origins", "1", *SETS]
    assert main([*arguments, "--trials", "1"]) == 0
    assert "1 trials" in capsys.readouterr().out
    assert main([*arguments, "--trials", "2"]) == 0
    assert "2 trials" in capsys.readouterr().out
    found = load_config(out / "config.toml")
    assert found.training.epochs == 1
    assert 0.1 <= found.model.dropout <= 0.5
    assert not (out / "trial").exists()
    other = tmp_path / "other.csv"
    events.iloc[:-1].to_csv(other, index=False)
    assert main(["tune", str(other), *arguments[2:], "--trials", "2"]) == 2
    assert "holds a study of other data" in capsys.readouterr().err


def test_what_tuning_reads_ends_before_the_test_window(events, log_path, tmp_path):
    config = load_config(overrides=OVERRIDES)
    dataset, _ = api.load_data(log_path)
    start = make_split(config, dataset.log).test[0]
    changed = events.copy()
    # The test window's items turn round; users and times stay.
    changed.loc[start:, "item_id"] = 14 - changed.loc[start:, "item_id"]
    path = tmp_path / "changed.csv"
    changed.to_csv(path, index=False)
    other, _ = api.load_data(path)
    assert fingerprint(dataset) != fingerprint(other)
    read = before_test(dataset, config)
    assert read.log.num_events == start
    assert fingerprint(read) == fingerprint(before_test(other, config))


class Lowest:
    """A trial that proposes each setting's first value or lower bound."""

    def suggest_categorical(self, name, choices):
        return choices[0]

    def suggest_float(self, name, low, high, *, log=False):
        return low


def test_the_space_proposes_valid_settings_with_the_defaults_inside():
    values = propose(Lowest(), SPACE)
    assert load_config(overrides=[f"{name}={value}" for name, value in values.items()])
    default = Config().to_dict()
    for name, part in SPACE.items():
        section, key = name.split(".")
        value = default[section][key]
        assert value in part.values if isinstance(part, Choice) else part.low <= value <= part.high
    assert isinstance(SPACE["training.learning_rate"], Range)


def test_settings_as_toml_read_back_the_same(tmp_path):
    config = load_config(
        overrides=[
            "model.dropout=0.35",
            'data.text_columns=["a", "b"]',
            "training.tensorboard=true",
        ]
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config))
    assert load_config(path) == config
    assert to_toml(Config()) == ""


def test_a_continued_study_draws_anew_and_asks_for_the_settings_until_they_are_measured(
    log_path, tmp_path, monkeypatch
):
    pytest.importorskip("optuna")
    dataset, _ = api.load_data(log_path)
    config = load_config(overrides=OVERRIDES)

    def interrupted(*_):
        raise KeyboardInterrupt("stopped")

    monkeypatch.setattr(tuning, "_score", interrupted)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        api.tune(dataset, tmp_path / "s", config, trials=1, num_origins=1)
    chosen = []

    def score(data, folder, config, origin, num_origins):
        chosen.append((config.model.dropout, config.training.learning_rate))
        return 0.5 if config.model.dropout == start.model.dropout else 0.25

    start = config
    monkeypatch.setattr(tuning, "_score", score)
    for trials in (1, 3, 5):
        found = api.tune(dataset, tmp_path / "s", config, trials=trials, num_origins=1)
        assert found.default_score == 0.5
    assert chosen.count((config.model.dropout, config.training.learning_rate)) == 1
    assert len(set(chosen)) == len(chosen)


def test_seen_items_are_left_out_at_all_origins_or_at_none(monkeypatch, tmp_path):
    # Repeats begin halfway, so that the origins would decide each for itself.
    rng = np.random.default_rng(3)
    rows = [(f"u{n % 10}", f"i{n // 10}", 1_600_000_000 + n * 3600) for n in range(400)]
    rows += [
        (f"u{n % 10}", f"i{rng.integers(5)}", 1_600_000_000 + n * 3600) for n in range(400, 800)
    ]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    events.to_csv(tmp_path / "events.csv", index=False)
    dataset, _ = api.load_data(tmp_path / "events.csv")
    given = []
    monkeypatch.setattr(
        cross_validation, "train", lambda _, __, config, **___: given.append(config)
    )
    by_itself = []
    for origin in (1, 2, 3):
        cross_validation.train_origin(dataset, tmp_path, Config(), origin, 3, verbose=0)
        by_itself.append(excludes_seen_by_default(dataset.log, make_split(given[-1], dataset.log)))
    assert by_itself[0] != by_itself[-1]
    assert [config.evaluation.seen_filter for config in given] == ["on"] * 3


def test_the_space_has_the_widths_that_the_heads_divide():
    space = space_around({"model.embedding_dim": 48}, num_heads=3)
    assert space["model.embedding_dim"].values == (48,)


@pytest.mark.parametrize("command", ["cross-validate", "tune"])
def test_no_origin_is_refused(command, log_path, tmp_path, capsys):
    assert main([command, str(log_path), "--out", str(tmp_path / "o"), "--origins", "0"]) == 2
    assert "--origins must be at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
