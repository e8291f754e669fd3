"""Clients that cost next to nothing, so that a load on one machine measures the server.

Requests are bytes made beforehand; all clients are tasks of one event loop, each with a connection
of its own, which stays open.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol
from urllib.parse import urlsplit

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

Inputs = dict[str, list]
"""Inputs of the signature `recommend`, one row."""


class Connection(Protocol):
    """One client's way to the server."""

    async def ask(self, request: bytes) -> int:
        """Ask, and count the items of the answer; raises where it is not a good one."""

    async def close(self) -> None:
        """Close it."""


class Rest:
    """TensorFlow Serving's REST at http://host:port."""

    def __init__(self, address: str, name: str) -> None:
        self._target, self._name = urlsplit(address), name

    def request(self, inputs: Inputs) -> bytes:
        """A whole HTTP request."""
        body = json.dumps({"signature_name": "recommend", "inputs": inputs}).encode()
        head = (
            f"POST /v1/models/{self._name}:predict HTTP/1.1\r\nHost: {self._target.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def connect(self) -> Connection:
        """A connection of its own."""
        return _RestConnection(
            *await asyncio.open_connection(self._target.hostname, self._target.port)
        )


class _RestConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> int:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(length)
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise ValueError(f"status {status.decode()}: {body[:200]!r}")
        return sum(map(bool, json.loads(body)["outputs"]["item_ids"][0]))

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class Grpc:
    """TensorFlow Serving's gRPC at grpc://host:port."""

    def __init__(self, address: str, name: str) -> None:
        self._target, self._name = urlsplit(address).netloc, name

    def request(self, inputs: Inputs) -> bytes:
        """A serialised PredictRequest."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._name, "recommend"
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(np.array(value)))
        return bytes(request.SerializeToString())

    async def connect(self) -> Connection:
        """A connection of its own: without the option, all channels of a process share one."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        return _GrpcConnection(grpc.aio.insecure_channel(self._target, options=options))


class _GrpcConnection:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    async def ask(self, request: bytes) -> int:
        answer = predict_pb2.PredictResponse.FromString(await self._predict(request))
        return sum(map(bool, answer.outputs["item_ids"].string_val))

    async def close(self) -> None:
        await self._channel.close()


def api_of(address: str, name: str) -> Rest | Grpc:
    """How an address is asked."""
    return Grpc(address, name) if address.startswith("grpc://") else Rest(address, name)
