"""What a run tells TensorBoard."""

import pytest
from shop_world import SETTINGS, write_shop
from tensorflow.python.summary.summary_iterator import summary_iterator

import trecs
from trecs.errors import ConfigError


def test_tensorboard_gets_the_loss_and_the_validation_score_of_each_epoch(unrated_run):
    found = {}
    for path in (unrated_run.directory / "tensorboard").rglob("events.out.tfevents.*"):
        for record in summary_iterator(str(path)):
            for value in record.summary.value:
                found.setdefault(value.tag, []).append(record.step)
    assert sorted(found["epoch_loss"]) == [0, 1]
    assert sorted(found["epoch_ndcg@10"]) == [0, 1]


def test_weights_and_biases_without_the_package_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    events, items = write_shop(tmp_path)
    config = trecs.load_config(overrides=[*SETTINGS, "training.wandb_project=shop"])
    dataset, _ = trecs.load_data(events, items, config)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[wandb\]'"):
        trecs.train(dataset, tmp_path / "run", config, verbose=0)
