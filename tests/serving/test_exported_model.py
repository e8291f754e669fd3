"""The exported model: the live model's answers, with TensorFlow alone, for any request."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from trecs import api
from trecs.data.sequences import build_sequences
from trecs.errors import UsageError
from trecs.evaluation.candidates import hide_seen
from trecs.evaluation.protocol import make_requests
from trecs.serving.client import Recommender
from trecs.serving.export import write_version
from trecs.serving.index import NO_SCORE

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def recommend(model_folder):
    model = tf.saved_model.load(str(model_folder / "1"))

    def ask(users, items, times, request_times, name="recommend"):
        return model.signatures[name](
            user_id=tf.constant(users),
            history_item_ids=tf.constant(items, tf.string),
            history_timestamps=tf.constant(times, tf.int64),
            request_time=tf.constant(request_times, tf.int64),
        )

    return ask


@pytest.fixture(scope="module")
def known(model_folder):
    history = Recommender(model_folder).history("u3")
    return history["item_id"].tolist(), history["timestamp"].tolist()


def ids_of(answer):
    return [[i.decode() for i in row] for row in answer["item_ids"].numpy()]


def test_answers_equal_the_live_model(served_run, recommend, model_folder):
    log = served_run.dataset.log
    sequences = build_sequences(log)
    # The trend of the export is that of its own day: ask on that day.
    as_of = Recommender(model_folder).metadata["trend_as_of_s"]
    targets = np.unique(log.user, return_index=True)[1].astype(np.int64)
    requests = make_requests(log, sequences, targets, "strict")
    requests.request_time_s[:] = as_of
    requests.history_lo[:] = sequences.start[requests.user]
    requests.history_hi[:] = sequences.start[requests.user + 1]
    live = served_run.scorer(served_run.model()).score(requests)
    hide_seen(live, log.item[sequences.order], requests.history_lo, requests.history_hi)
    for row, user in enumerate(requests.user):
        own = sequences.order[requests.history_lo[row] : requests.history_hi[row]]
        answer = recommend(
            [log.user_ids[user]],
            [log.item_ids[log.item[own]].tolist()],
            [log.timestamp_s[own].tolist()],
            [as_of],
        )
        best = np.argsort(-live[row], kind="stable")[:10]
        assert ids_of(answer)[0] == log.item_ids[best].tolist()
        np.testing.assert_allclose(answer["scores"].numpy()[0], live[row][best], atol=1e-5)


def test_loads_with_tensorflow_alone_and_stock_ops(model_folder, recommend, known):
    request = {
        "user_id": ["u3"],
        "history_item_ids": [known[0]],
        "history_timestamps": [known[1]],
        "request_time": [1_605_000_000],
    }
    done = subprocess.run(
        [
            sys.executable,
            str(HERE / "plain_client.py"),
            str(model_folder / "1"),
            json.dumps(request),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    answer = recommend(["u3"], [known[0]], [known[1]], [1_605_000_000])
    assert found["item_ids"] == ids_of(answer)
    np.testing.assert_allclose(found["scores"], answer["scores"].numpy(), atol=1e-5)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_c_api_gives_the_same_answer(model_folder, recommend, known, tmp_path):
    libraries = Path(tf.sysconfig.get_lib())
    program = tmp_path / "c_client"
    subprocess.run(
        [
            "cc",
            str(HERE / "c_client.c"),
            f"-I{tf.sysconfig.get_include()}",
            "-o",
            str(program),
            f"-L{libraries}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{libraries}",
        ],
        check=True,
    )
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((model_folder / "1" / "saved_model.pb").read_bytes())
    signature = proto.meta_graphs[0].signature_def["recommend"]
    names = ("user_id", "history_item_ids", "history_timestamps", "request_time")
    places = {f"IN_{i}": signature.inputs[name].name for i, name in enumerate(names)}
    places |= {
        f"OUT_{i}": signature.outputs[name].name for i, name in enumerate(("item_ids", "scores"))
    }
    events = [str(part) for event in zip(*known, strict=True) for part in event]
    done = subprocess.run(
        [str(program), str(model_folder / "1"), "u3", "1605000000", *events],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.strip().splitlines()]
    answer = recommend(["u3"], [known[0]], [known[1]], [1_605_000_000])
    assert [item for item, _ in lines] == ids_of(answer)[0]
    np.testing.assert_allclose([float(s) for _, s in lines], answer["scores"][0], atol=1e-5)


def test_two_request_times_give_different_lists(recommend, known):
    answers = [
        recommend(["u3"], [known[0]], [known[1]], [at])["scores"].numpy()
        for at in (1_605_000_000, 1_605_000_000 + 45 * 86_400 + 40_000)
    ]
    assert not np.allclose(*answers, atol=1e-4)


@pytest.mark.parametrize(
    ("user", "items", "times"),
    [
        ("nobody", ["i1", "i2"], [1_600_000_000, 1_600_000_100]),
        ("u1", ["what", "is", "this"], [1, 2, 3]),
        ("u1", [], []),
        ("u1", ["", "i1", ""], [0, 1_600_000_000, 0]),
        ("u1", [f"i{n % 30}" for n in range(10_000)], list(range(1_500_000_000, 1_500_010_000))),
    ],
    ids=["unknown user", "unknown items", "empty history", "padding", "10,000 events"],
)
def test_every_request_gets_an_answer(recommend, user, items, times):
    answer = recommend([user], [items], [times], [1_605_000_000])
    assert np.isfinite(answer["scores"].numpy()).all()
    found = ids_of(answer)[0]
    assert all(found)
    assert len(set(found)) == 10
    assert not set(found) & set(items)


def test_nothing_is_left_when_all_items_are_seen(recommend):
    items = [f"i{n}" for n in range(40)]
    answer = recommend(
        ["u1"], [items], [list(range(1_600_000_000, 1_600_000_040))], [1_605_000_000]
    )
    assert ids_of(answer)[0] == [""] * 10
    assert (answer["scores"].numpy() == np.float32(NO_SCORE)).all()


def test_events_at_or_after_the_request_change_nothing(recommend, known):
    items, times = known
    at = times[len(times) // 2]
    before = [(i, t) for i, t in zip(items, times, strict=True) if t < at]
    whole = recommend(["u3"], [items], [times], [at])
    cut = recommend(["u3"], [[i for i, _ in before]], [[t for _, t in before]], [at])
    assert ids_of(whole) == ids_of(cut)
    np.testing.assert_allclose(whole["scores"], cut["scores"], atol=1e-6)


def test_embeddings_multiply_to_the_score(recommend, known, model_folder):
    query = recommend(["u3"], [known[0]], [known[1]], [1_605_000_000], "encode_query")["embedding"]
    answer = recommend(["u3"], [known[0]], [known[1]], [1_605_000_000])
    model = tf.saved_model.load(str(model_folder / "1"))
    items = model.signatures["encode_item"](item_id=answer["item_ids"][0])["embedding"]
    np.testing.assert_allclose(tf.linalg.matvec(items, query[0]), answer["scores"][0], atol=1e-5)


def test_keras_3_layer_gives_the_same_answer(recommend, known, model_folder):
    import keras

    layer = keras.layers.TFSMLayer(str(model_folder / "1"), call_endpoint="call")
    answer = layer(
        {
            "user_id": tf.constant(["u3"]),
            "history_item_ids": tf.constant([known[0]]),
            "history_timestamps": tf.constant([known[1]], tf.int64),
            "request_time": tf.constant([1_605_000_000], tf.int64),
        }
    )
    assert ids_of(answer) == ids_of(recommend(["u3"], [known[0]], [known[1]], [1_605_000_000]))


def test_interrupted_export_leaves_no_version(served_run, model_folder, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "write_extras", fail)
    with pytest.raises(KeyboardInterrupt):
        api.export(served_run, tmp_path / "films")
    assert list((tmp_path / "films").iterdir()) == []


def test_versions_count_up_and_are_not_overwritten(model_folder, tmp_path):
    class Nothing(tf.Module):
        def signatures(self):
            return {}

    first = write_version(Nothing(), tmp_path / "m", None, lambda folder: None)
    second = write_version(Nothing(), tmp_path / "m", None, lambda folder: None)
    assert (first.name, second.name) == ("1", "2")
    with pytest.raises(UsageError, match="version 2 of .* exists already"):
        write_version(Nothing(), tmp_path / "m", 2, lambda folder: None)


def test_recommender_takes_the_known_history_and_names_titles(model_folder, known):
    recommender = Recommender(model_folder)
    found = recommender.recommend("u3", at=1_605_000_000, k=5)
    given = recommender.recommend(
        "u3", pd.DataFrame({"item_id": known[0], "timestamp": known[1]}), 1_605_000_000, 5
    )
    assert found == given
    assert [item.title for item in found] == [f"Film {item.item_id[1:]}" for item in found]
    with pytest.raises(UsageError, match="k must be from 1 to 10"):
        recommender.recommend("u3", k=11)
