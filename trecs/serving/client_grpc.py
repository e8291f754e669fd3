"""Predict requests over TensorFlow Serving's gRPC."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from trecs.serving.client_errors import ServingError

# By default a channel waits for up to two minutes before it looks for a server that was away.
_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcTransport:
    """Asks one server over one channel.

    Args:
      target: host:port.
      name: of the model.
      version: its number, or None for the one that is served.
    """

    def __init__(self, target: str, name: str, version: int | None) -> None:
        options = [("grpc.max_receive_message_length", -1), *_RECONNECT]
        self._channel = grpc.insecure_channel(target, options=options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._name, self._version = name, version

    def predict(
        self, signature: str, inputs: dict[str, NDArray[Any]], timeout_s: float
    ) -> dict[str, NDArray[Any]]:
        """Outputs of a signature by name; strings as `str` in object arrays.

        Raises:
          ServingError: refused, too late, or no connection.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._name, signature
        if self._version is not None:
            request.model_spec.version.value = self._version
        for name, array in inputs.items():
            dtype = tf.string if array.dtype == object else None
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, dtype, array.shape))
        try:
            response = self._stub.Predict(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise ServingError(error.code().name, error.details() or "") from error
        return {name: _array(proto) for name, proto in response.outputs.items()}

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _array(proto: Any) -> NDArray[Any]:
    array = np.asarray(tf.make_ndarray(proto))
    if array.dtype == object and array.size:
        decode = np.vectorize(lambda value: value.decode("utf-8", "replace"), otypes=[object])
        return np.asarray(decode(array))
    return array
