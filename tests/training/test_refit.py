"""`trecs refit`: the held-out events train too, as a run's validation chose."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from trecs import api
from trecs.cli import main
from trecs.config import load_config
from trecs.data.dataset import Dataset
from trecs.data.splits import temporal, train_on_held_out
from trecs.errors import ConfigError, DataError, UsageError
from trecs.run import WEIGHTS, Run

OVERRIDES = [
    "text.preset=none",
    "model.embedding_dim=8",
    "model.num_layers=1",
    "model.history_len=8",
    "training.batch_events=128",
    "training.epochs=3",
    "training.patience=1",
    "rating.loss=none",
]


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    config = load_config(overrides=OVERRIDES)
    return api.train(world, tmp_path_factory.mktemp("refit") / "run", config, verbose=0)


@pytest.fixture(scope="module")
def refitted(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("refit") / "again"
    return api.refit(run, out, keep_test=True, verbose=0)


def with_other_test_items(dataset: Dataset, start: int) -> Dataset:
    item = dataset.log.item.copy()
    # Times and users stay; every item of the test window becomes another that trained.
    item[start:] = dataset.log.item[: len(item) - start]
    return replace(dataset, log=replace(dataset.log, item=item))


def test_all_events_move_to_training_and_none_is_lost(world):
    split = temporal(world.log)
    both, everything = train_on_held_out(split, test=False), train_on_held_out(split, test=True)
    np.testing.assert_array_equal(both.train, np.arange(split.test[0]))
    np.testing.assert_array_equal(both.test, split.test)
    np.testing.assert_array_equal(everything.train, np.arange(world.log.num_events))
    assert both.validation.size == everything.validation.size == everything.test.size == 0
    assert both.train_end_s == split.validation_end_s


def test_it_trains_as_long_as_validation_chose_with_what_it_chose(run, refitted):
    best = max(run.learning_curve, key=lambda row: row["val_ndcg@10"])["epoch"]
    assert [row["epoch"] for row in refitted.learning_curve] == list(np.arange(1, best + 1))
    assert "val_ndcg@10" not in refitted.learning_curve[0]
    choices = [json.loads((r.directory / "choices.json").read_text()) for r in (run, refitted)]
    assert choices[0] == choices[1]
    assert float(refitted.model().ease_weight) == choices[0]["ease_weight"]
    assert sum(refitted.vocabulary.item_counts) == run.split.test[0]


def test_weights_of_another_version_are_refused_with_the_way_out(run, tmp_path):
    shutil.copytree(run.directory, tmp_path / "run")
    with h5py.File(tmp_path / "run" / WEIGHTS, "a") as weights:
        # What a version without this weight would have written.
        del weights["vars"]["2"]
    with pytest.raises(UsageError, match="another version trained it. Train again into another"):
        Run.open(tmp_path / "run").model()
    # `trecs train` on such a run does not call it finished.
    with pytest.raises(UsageError, match="another version trained it. Train again into another"):
        api.train(run.dataset, tmp_path / "run", run.config, verbose=0)


def test_what_the_data_decided_stays_decided(run, refitted):
    assert (run.config.model.loss, run.config.evaluation.seen_filter) == ("auto", "auto")
    assert refitted.config.model.loss == "full"
    assert refitted.config.rating.loss == "none"
    assert refitted.config.evaluation.seen_filter == ("on" if run.exclude_seen else "off")


def test_events_of_the_test_window_move_nothing(run, refitted, world, tmp_path):
    changed = with_other_test_items(world, run.split.test[0])
    # Chosen by the same run: what its own training saw is held by the leak tests of training.
    other_run = Run(run.directory, run.config, changed, run.text_vectors)
    other = api.refit(other_run, tmp_path / "other", keep_test=True, verbose=0)
    before, after = refitted.model().get_weights(), other.model().get_weights()
    assert len(before) == len(after)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_is_measured_beside_what_needs_no_validation(refitted):
    report = api.evaluate(refitted)
    assert report["protocol"]["train_end_s"] == report["protocol"]["validation_end_s"]
    assert "most_popular" in report["baselines"]
    assert "ease" in report["protocol"]["baselines_left_out"]
    with pytest.raises(UsageError, match="settings of ease are chosen on validation events"):
        api.evaluate(refitted, baselines=("ease",))


def test_the_command_trains_on_everything_and_the_result_is_exported(run, tmp_path, capsys):
    out = tmp_path / "final"
    assert main(["refit", str(run.directory), "--out", str(out)]) == 0
    final = Run.open(out)
    assert f"{final.dataset.log.num_events:,} events" in capsys.readouterr().out
    assert final.split.train.size == final.dataset.log.num_events
    assert api.export(final, tmp_path / "model", k=5).name == "1"
    with pytest.raises(DataError, match="did a refit train on them"):
        api.evaluate(final)


def test_what_cannot_be_refitted_is_refused(run, refitted, world, tmp_path):
    with pytest.raises(UsageError, match="has held events out, got .*, a refit"):
        api.refit(refitted, tmp_path / "twice", verbose=0)
    unfinished = Run.create(tmp_path / "new", run.config, world)
    with pytest.raises(UsageError, match="which has not finished training"):
        api.refit(unfinished, tmp_path / "early", verbose=0)
    with pytest.raises(ConfigError, match="call `trecs refit RUN`"):
        api.train(world, tmp_path / "run", load_config(overrides=["split.refit=all"]), verbose=0)
    assert not (tmp_path / "run").exists()
