"""TensorFlow Serving's messages about a model, for REST and gRPC alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from trecs.serving.server_versions import LoadedVersion, VersionStatus

_UNKNOWN_ERROR = 2


def metadata_response(
    name: str, version: LoadedVersion
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Signatures with the types and shapes of their inputs and outputs."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for key, function in version.signatures.items():
        signature = signatures.signature_def[key]
        signature.method_name = "tensorflow/serving/predict"
        for inputs, specs in (
            (signature.inputs, function.structured_input_signature[1]),
            (signature.outputs, function.structured_outputs),
        ):
            for field, spec in specs.items():
                inputs[field].name = field
                inputs[field].dtype = spec.dtype.as_datatype_enum
                inputs[field].tensor_shape.CopyFrom(tf.TensorShape(spec.shape).as_proto())
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version.number
    response.metadata["signature_def"].Pack(signatures)
    return response


def metadata_json(name: str, version: LoadedVersion) -> dict[str, Any]:
    """The same as TensorFlow Serving's REST gives it."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    metadata_response(name, version).metadata["signature_def"].Unpack(signatures)
    found = json_format.MessageToDict(
        signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    spec = {"name": name, "signature_name": "", "version": str(version.number)}
    return {"model_spec": spec, "metadata": {"signature_def": found}}


def status_response(
    found: Mapping[int, VersionStatus],
) -> get_model_status_pb2.GetModelStatusResponse:
    """States of versions."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, status in found.items():
        entry = response.model_version_status.add()
        entry.version = number
        entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
        entry.status.error_code = _UNKNOWN_ERROR if status.error else 0
        entry.status.error_message = status.error
    return response


def status_json(found: Mapping[int, VersionStatus]) -> dict[str, Any]:
    """The same as TensorFlow Serving's REST gives it."""
    states = [
        {
            "version": str(number),
            "state": status.state,
            "status": {
                "error_code": "UNKNOWN" if status.error else "OK",
                "error_message": status.error,
            },
        }
        for number, status in found.items()
    ]
    return {"model_version_status": states}
