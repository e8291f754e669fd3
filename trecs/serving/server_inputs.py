"""Inputs of a request, held to the signature before TensorFlow sees them."""

from __future__ import annotations

from collections.abc import Mapping
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


def check_names(names: set[str], specs: Mapping[str, tf.TensorSpec]) -> None:
    """Refuse inputs that are missing or that the signature does not have.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    missing, unknown = sorted(set(specs) - names), sorted(names - set(specs))
    if missing or unknown:
        problems = [f"no {', '.join(missing)}"] if missing else []
        if unknown:
            problems.append(f"unknown {', '.join(_short(name) for name in unknown)}")
        known = ", ".join(sorted(specs))
        raise RequestError(
            "INVALID_ARGUMENT", f"the inputs are {known}; got {' and '.join(problems)}"
        )


def check_arrays(
    arrays: Arrays, specs: Mapping[str, tf.TensorSpec], settings: ServerSettings
) -> None:
    """Refuse arrays of the wrong type, rank or size, times that cannot be epoch seconds, and NaN.

    Args:
      arrays: by input name; strings as object arrays of bytes.
      specs: of the signature.
      settings: limits.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    check_names(set(arrays), specs)
    for name, array in arrays.items():
        _check_type(name, array, specs[name])
        check_shape(name, array.shape, specs[name], settings)
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
    name: str, shape: tuple[int, ...], spec: tf.TensorSpec, settings: ServerSettings
) -> None:
    """Refuse a shape before its values are read.

    Raises:
      RequestError: INVALID_ARGUMENT.
    """
    if len(shape) != spec.shape.rank:
        raise RequestError(
            "INVALID_ARGUMENT",
            f"{name} needs {spec.shape.rank} dimension(s), rows first, got shape {list(shape)}",
        )
    if not spec.shape[1:].is_compatible_with(shape[1:]):
        wanted = spec.shape[1:].as_list()
        raise RequestError(
            "INVALID_ARGUMENT", f"a row of {name} needs the shape {wanted}, got {list(shape[1:])}"
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


def _check_type(name: str, array: NDArray[Any], spec: tf.TensorSpec) -> None:
    expected = np.dtype(spec.dtype.as_numpy_dtype)
    if array.dtype != expected:
        got = "string" if array.dtype == object else str(array.dtype)
        raise RequestError(
            "INVALID_ARGUMENT", f"{name} needs values of type {spec.dtype.name}, got {got}"
        )


def _check_times(name: str, times: NDArray[Any]) -> None:
    if times.size and not (times.min() >= FIRST_S and times.max() < LAST_S):
        bad = times.min() if times.min() < FIRST_S else times.max()
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
