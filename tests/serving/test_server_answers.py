"""A running server answers as the exported model does, in TensorFlow Serving's words."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_process import http, serving
from serving_shop import Shop
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from trecs.errors import UsageError
from trecs.serving import Client
from trecs.serving.score_parts import PARTS
from trecs.serving.server import Server
from trecs.serving.server_settings import ServerSettings

USERS = [f"u{n}" for n in range(1, 9)]


@pytest.fixture(scope="module")
def server(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(shop, tmp_path_factory.mktemp("served") / "shop", number=3) as server:
        yield server


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


def _row(shop: Shop, user: str) -> dict[str, object]:
    history = shop.history(user)
    return {
        "user_id": user,
        "history_item_ids": [item for item, _ in history],
        "history_timestamps": [time_s for _, time_s in history],
        "request_time": shop.as_of_s,
    }


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_served_lists_are_the_exported_models(shop: Shop, server: Server, scheme: str):
    port = server.rest_port if scheme == "http" else server.grpc_port
    client = Client(f"{scheme}://127.0.0.1:{port}", "shop")
    histories = [shop.history(user) for user in USERS]
    times = [shop.as_of_s + 3600 * n for n in range(len(USERS))]
    ids, scores = shop.recommend(USERS, histories, times)

    found = client.recommend_many(USERS, histories, times, k=10)
    client.close()
    assert [[item.item_id for item in row] for row in found] == [row[:10] for row in ids]
    np.testing.assert_allclose(
        [[item.score for item in row] for row in found], scores[:, :10], rtol=1e-5, atol=1e-5
    )


def test_requests_at_the_same_time_do_not_mix(shop: Shop, server: Server):
    client = Client(f"http://127.0.0.1:{server.rest_port}", "shop")
    asked = [(user, length) for length in (0, 1, 3, 40) for user in USERS]

    def ask(user: str, length: int) -> list[str]:
        found = client.recommend(user, shop.history(user)[:length], shop.as_of_s, k=10)
        return [item.item_id for item in found]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda pair: ask(*pair), asked))
    for (user, length), ids in zip(asked, found, strict=True):
        alone, _ = shop.recommend([user], [shop.history(user)[:length]], [shop.as_of_s])
        assert ids == alone[0][:10]


def test_rows_and_columns_are_answered_in_their_own_format(shop: Shop, server: Server):
    row = _row(shop, "u2")
    status, by_row = http(server, "/v1/models/shop:predict", {"instances": [row]})
    assert status == 200
    columns = {"inputs": {name: [value] for name, value in row.items()}}
    status, by_column = http(server, "/v1/models/shop/versions/3:predict", columns)
    assert status == 200

    assert list(by_row) == ["predictions"]
    assert list(by_column) == ["outputs"]
    assert by_row["predictions"][0]["item_ids"] == by_column["outputs"]["item_ids"][0]
    assert len(by_row["predictions"][0]["item_ids"]) == 20


@pytest.mark.parametrize("num_rows", [1, 12])
def test_explanations_keep_all_their_names_in_every_row(shop: Shop, server: Server, num_rows: int):
    rows = [_row(shop, "u2") | {"item_ids": ["i1", "i2"]} for _ in range(num_rows)]
    body = {"signature_name": "explain", "instances": rows}
    status, answer = http(server, "/v1/models/shop:predict", body)
    assert status == 200
    assert len(answer["predictions"]) == num_rows
    for row in answer["predictions"]:
        assert row["names"] == list(PARTS)
        assert np.shape(row["parts"]) == (2, len(PARTS))


def test_one_input_and_one_output_need_no_names(shop: Shop, server: Server):
    expected = shop.loaded.signatures["encode_item"](item_id=tf.constant(["i1", "i2"]))
    for body, key in (
        ({"instances": ["i1", "i2"]}, "predictions"),
        ({"inputs": ["i1", "i2"]}, "outputs"),
        ({"instances": [{"b64": "aTE="}, "i2"]}, "predictions"),
    ):
        status, answer = http(
            server, "/v1/models/shop:predict", {"signature_name": "encode_item", **body}
        )
        assert status == 200
        np.testing.assert_allclose(answer[key], expected["embedding"], rtol=1e-5, atol=1e-6)


def test_status_and_metadata_are_as_tensorflow_serving_writes_them(server: Server):
    status, answer = http(server, "/v1/models/shop")
    assert (status, answer) == (
        200,
        {
            "model_version_status": [
                {
                    "version": "3",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        },
    )
    status, answer = http(server, "/v1/models/shop/versions/3/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "shop", "signature_name": "", "version": "3"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    time_input = signatures["recommend"]["inputs"]["history_timestamps"]
    assert time_input["dtype"] == "DT_INT64"
    assert [dim["size"] for dim in time_input["tensor_shape"]["dim"]] == ["-1", "-1"]


def test_grpc_tells_status_and_metadata(channel: grpc.Channel):
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "shop"
    found = models.GetModelStatus(asked).model_version_status
    assert [(one.version, one.state) for one in found] == [(3, 30)]  # 30 is AVAILABLE

    predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "shop"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer = predictions.GetModelMetadata(request)
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["recommend"].outputs) == {"item_ids", "scores"}


def test_grpc_gives_the_outputs_that_were_asked_for(channel: grpc.Channel):
    request = predict_pb2.PredictRequest(output_filter=["embedding"])
    request.model_spec.name, request.model_spec.signature_name = "shop", "encode_item"
    request.inputs["item_id"].CopyFrom(tf.make_tensor_proto(["i1"]))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    answer = stub.Predict(request)
    assert list(answer.outputs) == ["embedding"]
    assert answer.model_spec.version.value == 3

    request.output_filter[:] = ["scores"]
    with pytest.raises(grpc.RpcError, match="outputs are embedding, got 'scores'"):
        stub.Predict(request)


def test_grpc_reads_packed_listed_and_repeated_values_alike(channel: grpc.Channel):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "shop", "recommend"
    asked_s = 1_800_000_000
    columns = {
        "user_id": ["u1", "u1"],
        "history_item_ids": [["i1", "i2"], ["i1", "i2"]],
        "history_timestamps": [[asked_s - 60, asked_s - 60]] * 2,
        "request_time": [asked_s, asked_s],
    }
    for name, column in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(column)))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    packed = stub.Predict(request).outputs
    for repeated in (False, True):
        for name in ("history_timestamps", "request_time"):
            proto = request.inputs[name]
            times = np.ravel(columns[name]).tolist()
            proto.ClearField("tensor_content")
            proto.int64_val[:] = times[:1] if repeated else times
        assert stub.Predict(request).outputs == packed


def test_grpc_answers_in_the_fields_of_the_types_as_tensorflow_serving(channel: grpc.Channel):
    """Clients in other languages read `float_val`, which stays empty beside `tensor_content`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "shop", "encode_item"
    request.inputs["item_id"].CopyFrom(tf.make_tensor_proto(["i1", "i2"]))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    found = stub.Predict(request).outputs["embedding"]

    assert not found.tensor_content
    assert len(found.float_val) == np.prod([dim.size for dim in found.tensor_shape.dim])
    assert np.std(found.float_val) > 0


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("int_val", [1_800_000_000], "its values stand in int64_val, got int_val"),
        ("float_val", [1.8e9], "its values stand in int64_val, got float_val"),
        (None, [], "its values stand in int64_val, got none"),
    ],
)
def test_grpc_refuses_times_in_another_types_field(
    channel: grpc.Channel, field: str | None, values: list[float], message: str
):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "shop", "recommend"
    asked_s = 1_800_000_000
    for name, column in {
        "user_id": ["u1"],
        "history_item_ids": [["i1"]],
        "history_timestamps": [[asked_s - 60]],
        "request_time": [asked_s],
    }.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(column)))
    time_proto = request.inputs["request_time"]
    time_proto.ClearField("tensor_content")
    time_proto.ClearField("int64_val")
    if field is not None:
        getattr(time_proto, field).extend(values)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    with pytest.raises(grpc.RpcError, match=message) as caught:
        stub.Predict(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def _packed_strings(request: predict_pb2.PredictRequest) -> None:
    request.inputs["item_id"].ClearField("string_val")
    request.inputs["item_id"].tensor_content = b"i1i2"


def _many_unknown(request: predict_pb2.PredictRequest) -> None:
    for number in range(600):
        request.inputs[f"more{number:03}"].CopyFrom(tf.make_tensor_proto([1]))


def test_a_client_that_hangs_up_is_no_fault_of_the_server(server: Server):
    def counted() -> tuple[bool, bool]:
        text = http(server, "/monitoring/prometheus/metrics")[1]
        return tuple(f'api="rest",code="{code}"' in text for code in ("CANCELLED", "INTERNAL"))

    internal_before = counted()[1]
    with socket.create_connection(("127.0.0.1", server.rest_port)) as half:
        half.sendall(
            b"POST /v1/models/shop:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        )
        time.sleep(0.2)
    end = time.monotonic() + 10
    while not counted()[0] and time.monotonic() < end:
        time.sleep(0.05)
    assert counted() == (True, internal_before)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_packed_strings, "strings stand in string_val, got tensor_content"),
        (_many_unknown, "unknown 'more000', .*'more004' and 595 more"),
        (lambda r: r.model_spec.version.__setattr__("value", 9), "Servable not found"),
        (lambda r: r.inputs["item_id"].CopyFrom(tf.make_tensor_proto([1])), "needs type string"),
        (lambda r: r.inputs["more"].CopyFrom(tf.make_tensor_proto([1])), "unknown 'more'"),
        (lambda r: r.inputs.clear(), "no item_id"),
        # A few bytes that declare a tensor of 10^12 values.
        (
            lambda r: r.inputs["item_id"].tensor_shape.dim[0].__setattr__("size", 10**12),
            "may have 1024 rows, got 1000000000000",
        ),
        (
            lambda r: r.inputs["item_id"].tensor_shape.dim[0].__setattr__("size", -1),
            "needs a row or more",
        ),
        (
            lambda r: r.inputs["item_id"].tensor_shape.dim[0].__setattr__("size", 1),
            "does not hold the values",
        ),
    ],
)
def test_grpc_refuses_what_does_not_fit(channel: grpc.Channel, spoil, message: str):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "shop", "encode_item"
    request.inputs["item_id"].CopyFrom(tf.make_tensor_proto(["i1", "i2"]))
    spoil(request)

    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    with pytest.raises(grpc.RpcError, match=message) as caught:
        stub.Predict(request)
    assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_health_readiness_and_counts(server: Server):
    http(server, "/v1/models/shop:predict", {"inputs": {}})
    assert http(server, "/healthz") == (200, {"status": "alive"})
    assert http(server, "/readyz") == (200, {"status": "ready"})

    status, text = http(server, "/monitoring/prometheus/metrics")
    assert status == 200
    assert 'trecs_requests_total{api="rest",code="INVALID_ARGUMENT"}' in text
    assert "trecs_served_version 3.0" in text


def test_it_listens_at_the_loopback_address_unless_told_otherwise():
    assert ServerSettings().host == "127.0.0.1"


def test_a_taken_port_is_an_error(shop: Shop, server: Server):
    with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{server.rest_port}"):
        Server(shop.version.parent, settings=ServerSettings(rest_port=server.rest_port))


def test_a_taken_grpc_port_leaves_nothing_open(shop: Shop, server: Server):
    before = set(threading.enumerate())
    taken = ServerSettings(rest_port=0, grpc_port=server.grpc_port)
    with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{server.grpc_port}"):
        Server(shop.version.parent, settings=taken)
    left = {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}
    assert not left


def test_the_command_serves_and_stops_when_it_is_told_to(shop: Shop):
    command = [sys.executable, "-m", "trecs.cli", "serve", str(shop.version.parent)]
    ports = ["--rest-port", "0", "--grpc-port", "0"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        [*command, *ports], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("serving "))
        try:
            address = line.split()[4].removesuffix(",").removesuffix("/v1/models/shop")
            found = Client(address, "shop").recommend("u2", [], shop.as_of_s)
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=30)
        finally:
            process.kill()

    assert len(found) == 10
    assert process.returncode == 0, rest


def test_a_server_starts_where_an_event_loop_runs_already(shop: Shop, tmp_path: Path):
    async def notebook() -> str:
        with serving(shop, tmp_path / "shop") as server:
            address = f"grpc://127.0.0.1:{server.grpc_port}"
            found = Client(address, "shop").recommend("u1", shop.history("u1"), shop.as_of_s)
            return found[0].item_id

    assert asyncio.run(notebook())


def test_ports_beyond_65535_are_refused(shop: Shop):
    with pytest.raises(UsageError, match=r"cannot listen at 127\.0\.0\.1:99999"):
        Server(shop.version.parent, settings=ServerSettings(rest_port=99_999, grpc_port=0))


def test_an_ipv6_address_is_served_by_both(shop: Shop):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    settings = ServerSettings(host="::1", rest_port=0, grpc_port=0)
    server = Server(shop.version.parent, settings=settings)
    server.start()
    try:
        for scheme, port in (("http", server.rest_port), ("grpc", server.grpc_port)):
            client = Client(f"{scheme}://[::1]:{port}", server.versions.name)
            assert len(client.recommend("u2", [], shop.as_of_s)) == 10
            client.close()
    finally:
        server.stop()
