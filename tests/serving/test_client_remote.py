"""The client's own part: events laid out, answers read, retries and deadlines."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trecs.errors import UsageError
from trecs.serving import Client
from trecs.serving.client_errors import ServingError
from trecs.serving.client_payload import query_inputs
from trecs.serving.recommendation import Recommendation

ANSWER = {"outputs": {"item_ids": [["b", "a", ""]], "scores": [[2.0, 1.0, -3e38]]}}


class _Script:
    """A server that answers each request with the next status; the last one again and again."""

    def __init__(self, *statuses: int, wait_s: float = 0.0) -> None:
        self.asked: list[tuple[str, Any]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = statuses[min(len(script.asked), len(statuses) - 1)]
                script.asked.append((self.path, json.loads(body)))
                time.sleep(wait_s)
                answer = json.dumps(ANSWER if status == 200 else {"error": "because"}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def script() -> Iterator[Callable[..., _Script]]:
    made: list[_Script] = []

    def make(*statuses: int, wait_s: float = 0.0) -> _Script:
        made.append(_Script(*statuses, wait_s=wait_s))
        return made[-1]

    yield make
    for one in made:
        one.http.shutdown()
        one.http.server_close()


def test_histories_are_padded_at_the_end():
    frame = pd.DataFrame({"timestamp": [7, 5], "item_id": [30, 40]})
    inputs = query_inputs(["a", "b", "c"], [[("x", 1)], frame, ()], [9, 8, 7])

    assert inputs["user_id"].tolist() == ["a", "b", "c"]
    assert inputs["history_item_ids"].tolist() == [["x", ""], ["30", "40"], ["", ""]]
    assert inputs["history_timestamps"].tolist() == [[1, 0], [7, 5], [0, 0]]
    assert inputs["request_time"].tolist() == [9, 8, 7]
    assert inputs["history_timestamps"].dtype == inputs["request_time"].dtype == np.int64


@pytest.mark.parametrize(
    ("users", "histories", "message"),
    [
        ([], [], "got 0 users, 0 histories, 0 times"),
        (["a"], [], "got 1 users, 0 histories, 1 times"),
        (["a"], [[("x",)]], "a history is pairs of item id and UTC epoch seconds"),
        (["a"], [[("x", "noon")]], "UTC epoch seconds of 1900 to 2999, got 'noon'"),
        (["a"], [pd.DataFrame({"item": ["x"]})], "needs the columns item_id and .* got \\['item'"),
    ],
)
def test_events_of_another_form_are_an_error(users: Any, histories: Any, message: str):
    with pytest.raises(UsageError, match=message):
        query_inputs(users, histories, [1] * len(users))


@pytest.mark.parametrize("at", [1_700_000_000_000, "noon", pd.Timestamp("2024-05-01"), np.nan])
def test_a_request_time_that_is_no_epoch_second_is_an_error(at: Any):
    if isinstance(at, pd.Timestamp):
        at = at.to_pydatetime()
    with pytest.raises(UsageError, match="times of requests are UTC epoch seconds"):
        query_inputs(["a"], [[]], [at])


def test_what_is_no_answer_of_the_api_is_a_serving_error(script: Any, monkeypatch: Any):
    monkeypatch.setitem(globals(), "ANSWER", {"hello": 1})
    with pytest.raises(ServingError, match="INTERNAL: expected TensorFlow Serving's JSON"):
        Client(script(200).address, "shop").recommend("u", [], at=9)


def test_a_port_that_cannot_be_is_an_error():
    with pytest.raises(UsageError, match="expected http://host:port"):
        Client("http://127.0.0.1:99999", "shop")


def test_items_come_with_titles_and_empty_places_are_left_out(script: Any, tmp_path: Path):
    titles = tmp_path / "items.parquet"
    pd.DataFrame({"item_id": ["a"], "title": ["An A"]}).to_parquet(titles)
    server = script(200)
    client = Client(server.address, "my shop", titles=titles, version=4)

    assert client.recommend("u", [("x", 5)], at=9, k=3) == [
        Recommendation("b", "", 2.0),
        Recommendation("a", "An A", 1.0),
    ]
    path, body = server.asked[0]
    assert path == "/v1/models/my%20shop/versions/4:predict"
    assert body == {
        "signature_name": "recommend",
        "inputs": {
            "user_id": ["u"],
            "history_item_ids": [["x"]],
            "history_timestamps": [[5]],
            "request_time": [9],
        },
    }
    with pytest.raises(UsageError, match="k must be from 1 to 3, .* got 4"):
        client.recommend("u", [], at=9, k=4)


def test_a_busy_server_is_asked_again(script: Any):
    server = script(503, 429, 200)
    assert len(Client(server.address, "shop").recommend("u", [], at=9, k=3)) == 2
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "code", "asked"),
    [
        (400, "INVALID_ARGUMENT", 1),
        (404, "NOT_FOUND", 1),
        (500, "INTERNAL", 1),
        (504, "DEADLINE_EXCEEDED", 1),
        (502, "UNAVAILABLE", 3),
        (503, "UNAVAILABLE", 3),
    ],
)
def test_only_what_may_pass_is_tried_again(script: Any, status: int, code: str, asked: int):
    server = script(status)
    with pytest.raises(ServingError, match=f"{code}: because"):
        Client(server.address, "shop", retries=2).recommend("u", [], at=9)
    assert len(server.asked) == asked


def test_a_slow_server_is_given_up_at_the_deadline(script: Any):
    server = script(200, wait_s=2.0)
    began = time.monotonic()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: no answer in 0.3 s"):
        Client(server.address, "shop", timeout_s=0.3).recommend("u", [], at=9)
    assert time.monotonic() - began < 1.5
    assert len(server.asked) == 1


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_no_server_is_an_error_after_the_retries(scheme: str):
    # Port 9 is the discard service's, where nobody listens.
    client = Client(f"{scheme}://127.0.0.1:9", "shop", retries=1, timeout_s=5)
    with pytest.raises(ServingError, match="UNAVAILABLE"):
        client.recommend("u", [], at=9)
    client.close()


@pytest.mark.parametrize("address", ["127.0.0.1:8501", "ftp://host:1", "http://"])
def test_an_address_of_another_form_is_an_error(address: str):
    with pytest.raises(UsageError, match="expected http://host:port, .* got"):
        Client(address, "shop")


def test_ids_that_are_whole_numbers_are_their_digits():
    frame = pd.DataFrame({"item_id": [242.0, 302.0], "timestamp": [5, 6]})
    inputs = query_inputs([196], [frame], [9])
    assert inputs["history_item_ids"].tolist() == [["242", "302"]]
    assert inputs["user_id"].tolist() == ["196"]
