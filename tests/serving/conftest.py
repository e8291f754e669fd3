from __future__ import annotations

import pytest
import tensorflow as tf
from serving_shop import Shop
from shop_world import train_shop

import trecs


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    run = train_shop(folder)
    version = trecs.export(run, folder / "saved_models" / "shop", k=20)
    return Shop(run, version, tf.saved_model.load(str(version)), trecs.Recommender(version))
