"""What lies beside the graph for servers and for readers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from serving_shop import Shop
from tensorflow_serving.apis import prediction_log_pb2

from trecs.serving.export_extras import model_card
from trecs.serving.server_versions import LoadedVersion
from trecs.serving.warmup import FILE, example_requests, read_warmup


def test_the_warm_up_requests_are_answered_by_the_version_beside_them(shop: Shop):
    version = LoadedVersion(shop.version)
    requests = list(read_warmup(shop.version / "assets.extra" / FILE))

    lengths = [inputs["history_item_ids"].shape for name, inputs in requests if name == "recommend"]
    assert lengths == [(1, 0), (1, 1), (1, 10), (1, 50)]
    assert {"rank", "rank_rated"} <= {name for name, _ in requests}
    for name, inputs in requests:
        outputs = version.run(name, inputs)
        assert all(len(array) == 1 for array in outputs.values())


def test_the_warm_up_file_is_prediction_logs_in_tfrecords(shop: Shop):
    data = (shop.version / "assets.extra" / FILE).read_bytes()
    # A TFRecord: length (8 bytes), checksum (4), the message, checksum (4).
    length = int.from_bytes(data[:8], "little")
    log = prediction_log_pb2.PredictionLog.FromString(data[12 : 12 + length])

    assert log.WhichOneof("log_type") == "predict_log"
    assert log.predict_log.request.model_spec.signature_name == "recommend"
    assert set(log.predict_log.request.inputs) == {
        "user_id",
        "history_item_ids",
        "history_timestamps",
        "request_time",
    }


def test_example_histories_lie_before_their_request():
    requests = example_requests(["a", "b"], 10_000_000, [3], rank=False)
    (_, inputs), *_ = requests

    assert inputs["history_item_ids"].tolist() == [["a", "b", "a"]]
    assert inputs["history_timestamps"].tolist() == [[9_989_200, 9_992_800, 9_996_400]]
    assert inputs["request_time"].dtype == np.int64
    assert "rank" not in {name for name, _ in requests}


def test_the_card_says_what_the_model_was_made_from(shop: Shop):
    card = (shop.version / "assets.extra" / "model_card.md").read_text("utf-8")
    assert "| items | 31 |" in card

    titles = pd.DataFrame({"item_id": ["a", "b"], "title": ["", ""]})
    events = pd.DataFrame({"user_id": ["u", "u", "v"], "timestamp": [0, 86_400, 172_800]})
    facts = {"trecs": "1", "tensorflow": "2", "keras": "3", "k": 2, "exclude_seen": False}
    facts |= {
        "trained_until_s": 90_061,
        "trend_as_of_s": 259_200,
        "num_offered": 1,
        "config": {"x": 1},
    }
    text = model_card(facts, titles, events)
    assert "| known users | 2 |" in text
    assert "| events | 3, 1970-01-01 to 1970-01-03 |" in text
    assert "| last training event | 1970-01-02T01:01:01+00:00 |" in text
    assert "1970-01-04T00:00:00+00:00" in text
    assert "may be recommended again" in text
