from __future__ import annotations

import pytest
import tensorflow as tf
from made_once import made_once
from serving_shop import Shop, make_shop

import trecs


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = made_once(tmp_path_factory, "shop", make_shop)
    version = folder / "saved_models" / "shop" / "1"
    loaded = tf.saved_model.load(str(version))
    return Shop(trecs.Run.open(folder / "run"), version, loaded, trecs.Recommender(version))
