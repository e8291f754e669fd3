"""Whatever comes in, the answer is a 4xx that says why, and the server goes on."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fastapi.testclient import TestClient
from serving_process import SETTINGS, copy_version
from serving_shop import Shop

from trecs.serving.rest_app import rest_app
from trecs.serving.server_answers import Answers
from trecs.serving.server_batching import Batcher
from trecs.serving.server_metrics import ServerMetrics
from trecs.serving.server_versions import ModelVersions

PREDICT = "/v1/models/shop:predict"
NUM_CASES = 600
DTYPES = {"history_timestamps": tf.int64, "request_time": tf.int64}
WRONG: list[Any] = [None, True, 1.5, -1, "", "text", [], {}, [[]], {"b64": "!"}, {"x": 1}, 2**63]
WRONG += [-(2**63) - 1, 10**400, 1e300, "\ud800", [None], [[1]], ["a"], 4e9, "1", [2**62]]


@pytest.fixture(scope="module")
def web(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("web") / "shop"
    copy_version(shop, folder, 1)
    metrics = ServerMetrics()
    versions = ModelVersions(folder, "shop", SETTINGS.poll_s)
    batcher = Batcher(SETTINGS, metrics.batch)
    app = rest_app(versions, Answers(batcher), metrics, SETTINGS)
    yield TestClient(app, raise_server_exceptions=False)
    batcher.close()
    versions.close()


def _good(web: TestClient) -> dict[str, Any]:
    """A request built from the signature that the server itself declares."""
    metadata = web.get("/v1/models/shop/metadata").json()["metadata"]
    inputs = metadata["signature_def"]["signature_def"]["recommend"]["inputs"]
    rows = {}
    for name, spec in inputs.items():
        value: Any = "i1" if spec["dtype"] == "DT_STRING" else 1_700_000_000
        for _ in spec["tensor_shape"]["dim"]:
            value = [value, value]
        rows[name] = value
    return {"signature_name": "recommend", "inputs": rows}


def _as_rows(request: dict[str, Any]) -> dict[str, Any]:
    columns = request["inputs"]
    rows = [{name: values[n] for name, values in columns.items()} for n in range(2)]
    return {"signature_name": request["signature_name"], "instances": rows}


def _drop_input(request: Any, dice: random.Random) -> Any:
    part = _part(request, dice)
    part.pop(dice.choice(sorted(part)))
    return request


def _add_input(request: Any, dice: random.Random) -> Any:
    _part(request, dice)[dice.choice(["extra", "", "user_id ", "é", "x" * 1000])] = [1, 2]
    return request


def _wrong_value(request: Any, dice: random.Random) -> Any:
    part = _part(request, dice)
    name = dice.choice(sorted(part))
    is_row, is_text = "instances" in request, name in ("user_id", "history_item_ids")
    # Left out: what is right for some input at that place.
    scalar = is_row and name in ("user_id", "request_time")
    fitting = (is_text, str) if scalar else (True, list)
    wrong = [v for v in WRONG if not (fitting[0] and isinstance(v, fitting[1]) and _clean(v))]
    if scalar and not is_text:
        wrong = [v for v in wrong if not (type(v) is int and abs(v) < 10)]
    part[name] = dice.choice(wrong)
    return request


def _wrong_cell(request: Any, dice: random.Random) -> Any:
    part = _part(request, dice)
    name = dice.choice(["history_item_ids", "history_timestamps"])
    cells = part[name]
    while isinstance(cells[0], list):
        cells = dice.choice(cells)
    wrong = [None, True, 1.5, [], {}, {"b64": "!"}, 2**63, "\ud800", ["a"], 1_700_000_000_000]
    cells[dice.randrange(len(cells))] = dice.choice(wrong)
    return request


def _ragged(request: Any, dice: random.Random) -> Any:
    part = _part(request, dice)
    name = dice.choice(["history_item_ids", "history_timestamps"])
    cells = part[name]
    (cells if "instances" in request else dice.choice(cells)).pop()
    return request


def _wrong_envelope(request: Any, dice: random.Random) -> Any:
    change: Callable[[], Any] = dice.choice(
        [
            lambda: dice.choice(WRONG),
            lambda: request | {"signature_name": dice.choice(["no", "x" * 5000, 7, [1], {"a": 1}])},
            lambda: request | {"surprise": 1},
            lambda: request | {"inputs": dice.choice([None, 1, "x"]), "instances": []},
            lambda: {"signature_name": "recommend"},
            lambda: {"instances": dice.choice([None, 1, {}, [], "x", [1], [[]], [None]])},
        ]
    )
    return change()


def _broken_text(request: Any, dice: random.Random) -> bytes:
    text = json.dumps(request).encode()
    place = dice.randrange(1, len(text) - 1)
    return dice.choice(
        [
            text[:place],
            b"",
            b"\xff\xfe" + text,
            text.replace(b"recommend", b"\xc3\x28"),
            text.replace(b"1700000000", b"NaN", 1),
            text.replace(b"1700000000", b"-Infinity", 1),
            text.replace(b"1700000000", b"9" * 5000, 1),
            b"[" * 100_000,
            text + text,
        ]
    )


def _part(request: Any, dice: random.Random) -> Any:
    """The object that holds the inputs: the columns, or a row."""
    return request["inputs"] if "inputs" in request else dice.choice(request["instances"])


def _clean(value: Any) -> bool:
    """Whether a string can be encoded; a list may be right for none of the inputs."""
    return isinstance(value, str) and value != "\ud800"


CHANGES = [_drop_input, _add_input, _wrong_value, _wrong_cell, _ragged, _wrong_envelope]


def test_every_spoilt_request_gets_a_4xx_that_says_why(web: TestClient):
    good = _good(web)
    dice = random.Random(6)
    for number in range(NUM_CASES):
        request = copy.deepcopy(good) if dice.random() < 0.5 else _as_rows(copy.deepcopy(good))
        if number % 7 == 0:
            body = _broken_text(request, dice)
        else:
            body = json.dumps(dice.choice(CHANGES)(request, dice)).encode()
        answer = web.post(PREDICT, content=body)
        assert 400 <= answer.status_code < 500, (body[:300], answer.text)
        assert list(answer.json()) == ["error"]
        assert 10 < len(answer.json()["error"]) < 600
    for request in (good, _as_rows(good)):
        assert web.post(PREDICT, json=request).status_code == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": [1, 2]}, "user_id needs a string, .* got 1"),
        ({"request_time": [1.5, 2]}, "request_time needs a whole number, got 1.5"),
        ({"request_time": [float("nan"), 2]}, "request_time needs a whole number, got NaN"),
        ({"request_time": [2**63, 2]}, "request_time holds a number beyond int64"),
        ({"request_time": [1_700_000_000_000, 2]}, "epoch seconds .* divide milliseconds by 1000"),
        ({"request_time": [1]}, "same number of rows, got .*'request_time': 1"),
        ({"history_timestamps": [[1], [2]]}, "an id and a time an event, got .*'history_timest"),
        ({"history_item_ids": [["a", "b"], ["c"]]}, "of one length, got 1 and 2; pad"),
        ({"history_item_ids": ["a", "b"]}, 'needs lists 2 deep, got "a"'),
        ({"history_item_ids": [["\ud800", ""], ["", ""]]}, "half a surrogate pair"),
        ({"history_item_ids": [[{"b64": "!"}, ""], ["", ""]]}, 'needs a string, or {"b64": "..."}'),
        ({"user_id": []}, "user_id needs a row or more"),
        ({"user_id": ["u"] * 1025}, "may have 1024 rows, got 1025; ask in several"),
        ({"history_item_ids": [[""] * 10_001] * 2}, "10000 entries, got 10001; send the newest"),
    ],
)
def test_the_message_names_the_input_and_what_came(
    web: TestClient, change: dict[str, Any], message: str
):
    request = _good(web)
    request["inputs"] |= change
    answer = web.post(PREDICT, content=json.dumps(request))

    assert answer.status_code == 400
    with pytest.raises(ValueError, match=message):
        raise ValueError(answer.json()["error"])


def test_entries_are_limited_over_all_rows(web: TestClient):
    request = _good(web)
    request["inputs"] = {
        "user_id": ["u"] * 1024,
        "request_time": [1_700_000_000] * 1024,
        "history_item_ids": [[""] * 1025] * 1024,
        "history_timestamps": [[0] * 1025] * 1024,
    }
    answer = web.post(PREDICT, content=json.dumps(request, separators=(",", ":")))
    assert answer.status_code == 400
    assert "may have 1048576 entries in all rows, got [1024, 1025]" in answer.json()["error"]


def test_a_packed_body_is_refused_by_its_name(web: TestClient):
    headers = {"Content-Encoding": "gzip"}
    answer = web.post(PREDICT, content=gzip.compress(b"{}"), headers=headers)
    assert answer.status_code == 400
    assert "got Content-Encoding gzip" in answer.json()["error"]


def test_items_to_rank_are_limited_by_row_and_in_all(web: TestClient):
    for rows, items, most in ((1, 1001, 1000), (100, 164, 163)):
        inputs = {
            "user_id": ["u"] * rows,
            "request_time": [1_700_000_000] * rows,
            "history_item_ids": [[]] * rows,
            "history_timestamps": [[]] * rows,
        }
        for name, signature in (("candidate_item_ids", "rank"), ("item_ids", "explain")):
            body = {"signature_name": signature, "inputs": inputs | {name: [["i1"] * items] * rows}}
            answer = web.post(PREDICT, content=json.dumps(body))
            assert answer.status_code == 400
            assert f"{name} may have {most} items a row" in answer.json()["error"]


def test_nan_is_a_rating_that_is_not_known_and_infinity_is_none(web: TestClient, shop: Shop):
    inputs = _good(web)["inputs"] | {"candidate_item_ids": [["i1", "i2"]] * 2}
    plain = shop.loaded.signatures["rank"](
        **{name: tf.constant(value, DTYPES.get(name)) for name, value in inputs.items()}
    )
    for rating, status in ((float("nan"), 200), (float("inf"), 400), (None, 400)):
        body = {
            "signature_name": "rank_rated",
            "inputs": inputs | {"history_ratings": [[rating] * 2] * 2},
        }
        answer = web.post(PREDICT, content=json.dumps(body))
        assert answer.status_code == status
        if status == 200:
            np.testing.assert_allclose(answer.json()["outputs"], plain["predictions"], atol=1e-5)
        else:
            assert "history_ratings needs" in answer.json()["error"]


def test_large_bodies_are_refused_before_they_are_read(web: TestClient):
    answer = web.post(PREDICT, content=b" " * 10_000_000)
    assert (answer.status_code, list(answer.json())) == (413, ["error"])

    request = _good(web)
    request["inputs"]["history_item_ids"] = [["i1"] * 500_000] * 2
    assert web.post(PREDICT, content=json.dumps(request)).status_code in (400, 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v1/models/shop/versions/9:predict", 404),
        ("POST", "/v1/models/shop/versions/one:predict", 400),
        ("POST", "/v1/models/shop/versions/-1:predict", 400),
        ("POST", f"/v1/models/shop/versions/{'9' * 5000}:predict", 400),
        ("GET", "/v1/models/other", 404),
        ("GET", "/v1/models/shop/versions/9", 404),
        ("GET", "/v1/models/other/metadata", 404),
        ("GET", "/v1/models/shop:predict", 404),
        ("POST", "/v1/models/shop:classify", 405),
        ("DELETE", "/v1/models/shop", 405),
        ("GET", "/", 404),
    ],
)
def test_wrong_addresses_are_refused(web: TestClient, method: str, path: str, status: int):
    answer = web.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
