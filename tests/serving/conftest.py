from __future__ import annotations

import pytest
import tensorflow as tf
from serving_shop import Shop
from shop_world import train_shop

import trecs
from trecs.run import WEIGHTS


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    run = train_shop(folder)
    # So small a shop may choose no neighbour terms: the export must have some to be held to.
    model = run.model()
    model.transition_weight.assign(0.5)
    model.ease_weight.assign(2.0)
    model.ease_decay.assign(0.98)
    model.save_weights(run.directory / WEIGHTS)
    version = trecs.export(run, folder / "saved_models" / "shop", k=20)
    return Shop(run, version, tf.saved_model.load(str(version)), trecs.Recommender(version))
