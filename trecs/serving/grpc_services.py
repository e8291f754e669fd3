"""TensorFlow Serving's gRPC: `PredictionService.Predict` and `GetModelMetadata`, and
`ModelService.GetModelStatus`; the other methods answer UNIMPLEMENTED.
"""  # noqa: D205

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from trecs.serving.rest_json import DEFAULT_SIGNATURE
from trecs.serving.server_answers import SMALL_ANSWER, SMALL_BODY, Answers, here_or_aside
from trecs.serving.server_inputs import (
    Arrays,
    InputSpec,
    check_names,
    check_shape,
    check_values,
)
from trecs.serving.server_metadata import metadata_response, status_response
from trecs.serving.server_metrics import ServerMetrics
from trecs.serving.server_settings import RequestError, ServerSettings, url_host
from trecs.serving.server_versions import LoadedVersion, ModelVersions

_LISTS = {
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_FLOAT: "float_val",
}
"""Field of a tensor's proto that lists its values, by type, for those of trecs' signatures."""


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(
        self,
        versions: ModelVersions,
        answers: Answers,
        metrics: ServerMetrics,
        settings: ServerSettings,
    ) -> None:
        self._versions, self._answers = versions, answers
        self._metrics, self._settings = metrics, settings

    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        async with _status(context, self._metrics):
            version = self._versions.get(request.model_spec.name, _number(request.model_spec))
            return await self._predict(request, version, context)

    async def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        async with _status(context):
            if list(request.metadata_field) != ["signature_def"]:
                got = list(request.metadata_field)[:5]
                raise RequestError(
                    "INVALID_ARGUMENT", f"metadata_field must be signature_def, got {got}"
                )
            name = request.model_spec.name
            return metadata_response(name, self._versions.get(name, _number(request.model_spec)))

    async def _predict(
        self,
        request: predict_pb2.PredictRequest,
        version: LoadedVersion,
        context: grpc.aio.ServicerContext,
    ) -> predict_pb2.PredictResponse:
        signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
        specs = version.inputs(signature)
        small = request.ByteSize() <= SMALL_BODY and _num_values(request) <= SMALL_BODY
        arrays = await here_or_aside(small, _arrays, request, specs, self._settings)
        limit_s = min(context.time_remaining() or np.inf, self._settings.timeout_s)
        outputs = await self._answers.ask(version, signature, arrays, limit_s)
        wanted = {name: outputs[name] for name in _wanted(request, outputs)}
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        response.model_spec.version.value = version.number
        response.model_spec.signature_name = signature
        small = sum(value.size for value in wanted.values()) <= SMALL_ANSWER
        await here_or_aside(small, _fill, response, wanted)
        return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        async with _status(context):
            spec = request.model_spec
            return status_response(self._versions.status(spec.name, _number(spec)))


def grpc_server(
    versions: ModelVersions, answers: Answers, metrics: ServerMetrics, settings: ServerSettings
) -> tuple[grpc.aio.Server, int]:
    """A server of the running event loop, not started yet, and the port that it has bound."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.so_reuseport", 0),
        ],
    )
    service = _PredictionService(versions, answers, metrics, settings)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(versions), server)
    host = url_host(settings.host)
    return server, server.add_insecure_port(f"{host}:{settings.grpc_port}")


@asynccontextmanager
async def _status(
    context: grpc.aio.ServicerContext, metrics: ServerMetrics | None = None
) -> AsyncIterator[None]:
    """Turn an error into a gRPC status, and count the request."""
    began, code, message = time.monotonic(), "OK", ""
    try:
        yield
    except RequestError as error:
        code, message = error.code, str(error)
    # A fault of the server must reach the caller as a status, not as a broken stream.
    except Exception as error:
        code, message = "INTERNAL", f"internal error: {type(error).__name__}"
    if metrics is not None:
        metrics.request("grpc", code, time.monotonic() - began)
    if code != "OK":
        await context.abort(grpc.StatusCode[code], message)


def _number(spec: model_pb2.ModelSpec) -> int | None:
    if spec.version_label:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"versions have no labels here, got {spec.version_label[:40]!r}; give the number",
        )
    return int(spec.version.value) if spec.HasField("version") else None


def _arrays(
    request: predict_pb2.PredictRequest,
    specs: Mapping[str, InputSpec],
    settings: ServerSettings,
) -> Arrays:
    check_names(request.inputs, specs)
    arrays = {n: _array(n, request.inputs[n], specs[n], settings) for n in specs}
    check_values(arrays)
    return arrays


def _num_values(request: predict_pb2.PredictRequest) -> int:
    """Values of the largest input, as its shape says."""
    shapes = (proto.tensor_shape.dim for proto in request.inputs.values())
    return max((math.prod([dim.size for dim in dims]) for dims in shapes), default=0)


def _fill(response: predict_pb2.PredictResponse, outputs: Arrays) -> None:
    """In the fields of their types, as TensorFlow Serving: some clients read no others."""
    for name, value in outputs.items():
        proto = response.outputs[name]
        proto.dtype = tf.as_dtype(value.dtype).as_datatype_enum
        for size in value.shape:
            proto.tensor_shape.dim.add(size=size)
        if proto.dtype in _LISTS:
            getattr(proto, _LISTS[proto.dtype]).extend(value.ravel().tolist())
        else:
            proto.tensor_content = value.tobytes()


def _array(name: str, proto: Any, spec: InputSpec, settings: ServerSettings) -> NDArray[Any]:
    """An input's array.

    The declared shape is checked first: a proto of a few bytes can declare a shape that one value
    is to fill.
    """
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if proto.tensor_shape.unknown_rank:
        raise RequestError("INVALID_ARGUMENT", f"{name} needs a known shape")
    check_shape(name, shape, spec, settings)
    if proto.dtype != spec.type_number:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} needs type {spec.dtype.name} ({spec.type_number}), got {proto.dtype}",
        )
    try:
        return _values(proto, spec, shape)
    except (TypeError, ValueError) as error:
        text = f"{name} does not hold the values of its shape {list(shape)}: {error}"
        raise RequestError("INVALID_ARGUMENT", text[:300]) from error


def _values(proto: Any, spec: InputSpec, shape: tuple[int, ...]) -> NDArray[Any]:
    """As `tf.make_ndarray`, in a third of its time for what clients send."""
    if proto.tensor_content:
        if spec.type_number == types_pb2.DT_STRING:
            raise ValueError("strings stand in string_val, got tensor_content")
        return np.frombuffer(proto.tensor_content, spec.array_dtype).reshape(shape)
    own = _LISTS.get(spec.type_number, "")
    listed = getattr(proto, own, ())
    if len(listed) != math.prod(shape):
        _check_field(proto, own)
        # Another type, or fewer values than the shape has: the last one stands for the rest.
        return np.asarray(tf.make_ndarray(proto))
    values = np.empty(len(listed), spec.array_dtype)
    values[:] = listed
    return values.reshape(shape)


def _check_field(proto: Any, own: str) -> None:
    """Refuse values in another type's field, for which TensorFlow takes zeros."""
    given = [field.name for field, _ in proto.ListFields() if field.name.endswith("_val")]
    if own and given != [own]:
        raise ValueError(f"its values stand in {own}, got {', '.join(given) or 'none'}")


def _wanted(request: predict_pb2.PredictRequest, outputs: dict[str, NDArray[Any]]) -> list[str]:
    wanted = list(request.output_filter) or list(outputs)
    unknown = sorted(set(wanted) - set(outputs))
    if unknown:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"outputs are {', '.join(sorted(outputs))}, got {unknown[0][:40]!r} in output_filter",
        )
    return wanted
