"""Inputs of a request, held to the signature before TensorFlow sees them."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.data.time_units import FIRST_S, LAST_S
from trecs.serving.server_settings import RequestError, ServerSettings

TIMES = ("request_time", "history_timestamps")
"""Inputs that hold UTC epoch seconds."""
CANDIDATES = ("candidate_item_ids", "item_ids")
"""Inputs that hold the items which a row asks about."""
RATINGS = "history_ratings"
"""The input in which NaN stands for what is not known."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class InputSpec:
    """An input of a signature, of plain types: a `TensorShape` is slow to make and to compare.

    Attributes:
      dtype: its TensorFlow type.
      array_dtype: of its arrays; object for strings, which are bytes there.
      type_number: its type in TensorFlow's protos.
      shape: rows first; None where any size will do.
    """

    dtype: tf.DType
    array_dtype: np.dtype[Any]
    type_number: int
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, spec: tf.TensorSpec) -> InputSpec:
        """From the signature's own."""
        array_dtype = np.dtype(spec.dtype.as_numpy_dtype)
        shape = tuple(spec.shape.as_list())
        return cls(spec.dtype, array_dtype, spec.dtype.as_datatype_enum, shape)


def check_names(names: Collection[str], specs: Collection[str]) -> None:
    """Refuse inputs that are missing or that the signature does not have.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    missing, unknown = sorted(set(specs) - set(names)), sorted(set(names) - set(specs))
    if missing or unknown:
        problems = [f"no {', '.join(missing)}"] if missing else []
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            problems.append(f"unknown {', '.join(_short(name) for name in unknown[:5])}{more}")
        known = ", ".join(sorted(specs))
        raise RequestError(
            "INVALID_ARGUMENT", f"the inputs are {known}; got {' and '.join(problems)}"
        )


def check_values(arrays: Arrays) -> None:
    """Refuse times that cannot be epoch seconds, NaN, and inputs that do not go together.

    Args:
      arrays: by input name, of the types and shapes of the signature.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    for name, array in arrays.items():
        if name in TIMES:
            _check_times(name, array)
        if array.dtype.kind == "f":
            _check_finite(name, array)
    rows = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        raise RequestError(
            "INVALID_ARGUMENT", f"every input needs the same number of rows, got {rows}"
        )
    lists = {name: a.shape[1] for name, a in arrays.items() if name.startswith("history_")}
    if len(set(lists.values())) > 1:
        raise RequestError(
            "INVALID_ARGUMENT", f"every history needs an id and a time an event, got {lists}"
        )


def check_shape(
    name: str, shape: tuple[int, ...], spec: InputSpec, settings: ServerSettings
) -> None:
    """Refuse a shape before its values are read.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    if len(shape) != len(spec.shape):
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} needs {len(spec.shape)} dimension(s), rows first, got shape {list(shape)}",
        )
    wanted = spec.shape[1:]
    if any(want not in (None, got) for want, got in zip(wanted, shape[1:], strict=True)):
        raise RequestError(
            "INVALID_ARGUMENT",
            f"a row of {name} needs the shape {list(wanted)}, got {list(shape[1:])}",
        )
    if any(size < 0 for size in shape) or shape[0] == 0:
        raise RequestError("INVALID_ARGUMENT", f"{name} needs a row or more, got {list(shape)}")
    if shape[0] > settings.max_rows:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} may have {settings.max_rows} rows, got {shape[0]}; ask in several requests",
        )
    if name in CANDIDATES:
        most = min(settings.max_candidates, settings.max_pairs // shape[0])
        if shape[1] > most:
            raise RequestError(
                "INVALID_ARGUMENT",
                f"{name} may have {most} items a row where there are {shape[0]} rows, got"
                f" {shape[1]}; ask in several requests",
            )
    if any(size > settings.max_events for size in shape[1:]):
        raise RequestError(
            "INVALID_ARGUMENT",
            f"a list in {name} may have {settings.max_events} entries, got {max(shape[1:])};"
            " send the newest",
        )
    if math.prod(shape) > settings.max_values:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} may have {settings.max_values} entries in all rows, got {list(shape)};"
            " ask in several requests, or send the newest events",
        )


def _check_times(name: str, times: NDArray[Any]) -> None:
    if not times.size:
        return
    first, last = times.min(), times.max()
    if first < FIRST_S or last >= LAST_S:
        bad = first if first < FIRST_S else last
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} needs UTC epoch seconds of the years 1900 to 2999, got {bad};"
            " divide milliseconds by 1000",
        )


def _check_finite(name: str, values: NDArray[Any]) -> None:
    bad = np.isinf(values) if name == RATINGS else ~np.isfinite(values)
    if bad.any():
        raise RequestError(
            "INVALID_ARGUMENT", f"{name} needs finite numbers, got {values[bad].flat[0]}"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
