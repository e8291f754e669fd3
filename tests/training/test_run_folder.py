"""A run's folder: what a killed command began, and what is refused before it is claimed."""

import numpy as np
import pytest
from shop_world import SETTINGS, write_shop

import trecs
from trecs.errors import ConfigError
from trecs.run import Run


def data_and_config(folder, *more):
    events, items = write_shop(folder)
    config = trecs.load_config(overrides=[*SETTINGS, *more])
    return trecs.load_data(events, items, config)[0], config


def test_a_folder_that_a_killed_command_began_is_gone_on_with(tmp_path, monkeypatch):
    dataset, config = data_and_config(tmp_path)

    def kill(*_):
        raise InterruptedError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", kill)
        with pytest.raises(InterruptedError, match="killed"):
            Run.create(tmp_path / "run", config, dataset)
    assert (tmp_path / "run" / "data").exists()
    Run.create(tmp_path / "run", config, dataset)
    assert Run.open(tmp_path / "run").dataset.log.num_events == dataset.log.num_events
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["rating.loss=mse", "data.rating_column=none"], "needs ratings"),
        (["training.wandb_project=p"], "needs the package wandb"),
    ],
)
def test_what_cannot_work_leaves_no_folder(settings, message, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    dataset, config = data_and_config(tmp_path, *settings)
    with pytest.raises(ConfigError, match=message):
        trecs.train(dataset, tmp_path / "run", config, verbose=0)
    assert not (tmp_path / "run").exists()
