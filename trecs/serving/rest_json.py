"""TensorFlow Serving's JSON: a predict request read, an answer written.

Row format: `{"instances": [{"user_id": "196", ...}, ...]}`, answered with `predictions`, a row
each. Column format: `{"inputs": {"user_id": ["196", ...], ...}}`, answered with `outputs`. A
signature of one input takes bare values, and one of one output gives them.
Source: tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.serving.server_inputs import (
    Arrays,
    InputSpec,
    check_names,
    check_shape,
    check_values,
)
from trecs.serving.server_settings import RequestError, ServerSettings
from trecs.serving.server_versions import LoadedVersion

DEFAULT_SIGNATURE = "serving_default"
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str, bytes), 'a string, or {"b64": ...}'),
    "int64": ((int,), "a whole number"),
    "int32": ((int,), "a whole number"),
    "float32": ((int, float), "a number"),
}


@dataclass(frozen=True)
class PredictRequest:
    """A checked request: `by_row` says which of the two formats it came in."""

    signature: str
    inputs: Arrays
    by_row: bool


def read_predict(body: bytes, version: LoadedVersion, settings: ServerSettings) -> PredictRequest:
    """Read a request's body and hold it to the signature that it names.

    Raises:
      RequestError: INVALID_ARGUMENT, with what was expected and what came.
    """
    value = _parsed(body)
    known = {"signature_name", "instances", "inputs"}
    unknown = sorted(set(value) - known)
    if unknown:
        raise _invalid(f"a request has the keys {', '.join(sorted(known))}, got {unknown[0]!r:.60}")
    name = value.get("signature_name") or DEFAULT_SIGNATURE
    if not isinstance(name, str):
        raise _invalid(f"signature_name must be a string, got {_kind(name)}")
    by_row = "instances" in value
    if by_row == ("inputs" in value):
        raise _invalid("a request needs either instances (rows) or inputs (columns), one of them")
    specs = version.inputs(name)
    columns = _columns_of_rows(value["instances"], specs) if by_row else value["inputs"]
    if not by_row and len(specs) == 1 and not isinstance(columns, dict):
        columns = {next(iter(specs)): columns}
    if not isinstance(columns, dict):
        raise _invalid(f"inputs must be an object with a list for each input, got {_kind(columns)}")
    check_names(columns, specs)
    arrays = {key: _array(key, columns[key], specs[key], settings) for key in specs}
    check_values(arrays)
    return PredictRequest(name, arrays, by_row)


def write_predict(outputs: Arrays, by_row: bool) -> bytes:
    """The body of an answer.

    Args:
      outputs: by name, rows first; strings as bytes.
      by_row: the format of the request.

    Raises:
      RequestError: INTERNAL, a score is not finite, for which JSON has no word.
    """
    lists = {name: _listed(array) for name, array in outputs.items()}
    answer: dict[str, Any]
    if len(lists) == 1:
        answer = {"predictions" if by_row else "outputs": next(iter(lists.values()))}
    elif by_row:
        rows = zip(*lists.values(), strict=True)
        answer = {"predictions": [dict(zip(lists, row, strict=True)) for row in rows]}
    else:
        answer = {"outputs": lists}
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except ValueError as error:
        raise RequestError("INTERNAL", "the model's answer holds NaN or infinity") from error


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        # NaN and Infinity too, as TensorFlow Serving does; `check_values` says where they may be.
        value = json.loads(body)
    # RecursionError: lists within lists, thousands deep.
    except (ValueError, RecursionError) as error:
        raise _invalid(f"JSON Parse Error: {str(error) or type(error).__name__:.200}") from error
    if not isinstance(value, dict):
        raise _invalid(f"a request must be a JSON object, got {_kind(value)}")
    return value


def _columns_of_rows(rows: Any, specs: Mapping[str, InputSpec]) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows:
        raise _invalid(f"instances must be a list of one or more, got {_kind(rows)}")
    if len(specs) == 1 and not all(isinstance(r, dict) and set(r) != {"b64"} for r in rows):
        return {next(iter(specs)): rows}
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise _invalid(f"instances[{place}] must be an object, got {_kind(row)}")
        try:
            check_names(row, specs)
        except RequestError as error:
            raise _invalid(f"instances[{place}]: {error}") from error
    return {name: [row[name] for row in rows] for name in specs}


def _array(name: str, values: Any, spec: InputSpec, settings: ServerSettings) -> NDArray[Any]:
    """The array of a column; its lists must be of one length."""
    shape: list[int] = []
    flat = [values]
    for depth in range(len(spec.shape)):
        if not all(isinstance(value, list) for value in flat):
            odd = next(value for value in flat if not isinstance(value, list))
            raise _invalid(
                f"{name} needs lists {len(spec.shape)} deep, got {_kind(odd)} at {depth}"
            )
        lengths = {len(value) for value in flat}
        if len(lengths) > 1:
            raise _invalid(
                f"the lists in {name} must be of one length, got {min(lengths)} and {max(lengths)};"
                ' pad histories with "" and 0'
            )
        shape.append(lengths.pop() if lengths else 0)
        flat = list(itertools.chain.from_iterable(flat))
    check_shape(name, tuple(shape), spec, settings)
    return _cells(name, flat, spec).reshape(shape)


def _cells(name: str, flat: list[Any], spec: InputSpec) -> NDArray[Any]:
    types, expected = _KINDS[spec.dtype.name]
    if dict in set(map(type, flat)):
        flat = [_decoded(name, v) if isinstance(v, dict) else v for v in flat]
    odd = set(map(type, flat)) - set(types)
    if odd:
        value = next(v for v in flat if type(v) in odd)
        raise _invalid(f"{name} needs {expected}, got {_kind(value)}")
    try:
        if spec.dtype == tf.string:
            cells = np.empty(len(flat), object)
            cells[:] = [v if isinstance(v, bytes) else v.encode() for v in flat]
            return cells
        return np.array(flat, spec.array_dtype)
    except UnicodeEncodeError as error:
        raise _invalid(f"{name} holds half a surrogate pair, which is no character") from error
    except OverflowError as error:
        raise _invalid(f"{name} holds a number beyond {spec.dtype.name}") from error


def _decoded(name: str, value: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise _invalid(f'{name} needs a string, or {{"b64": "..."}}, got an object') from error


def _listed(array: NDArray[Any]) -> list[Any]:
    if array.dtype == object and array.size:
        array = np.vectorize(_text, otypes=[object])(array)
    listed: list[Any] = array.tolist()
    return listed


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _kind(value: Any) -> str:
    """A value as a message names it: short, whatever was sent."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        text = json.dumps(value if not isinstance(value, str) else value[:40])
        return text if len(text) <= 60 else f"{text[:60]}..."
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


def _invalid(message: str) -> RequestError:
    return RequestError("INVALID_ARGUMENT", message)
