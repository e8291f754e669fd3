"""Predict requests over TensorFlow Serving's REST."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any
from urllib.parse import SplitResult, quote

import numpy as np
from numpy.typing import NDArray

from trecs.serving.client_errors import ServingError

_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """Asks one server; each thread keeps a connection of its own open.

    Args:
      address: http or https, host, port.
      name: of the model.
      version: its number, or None for the one that is served.
    """

    def __init__(self, address: SplitResult, name: str, version: int | None) -> None:
        self._secure = address.scheme == "https"
        self._host, self._port = address.hostname or "", address.port
        part = "" if version is None else f"/versions/{version}"
        self._path = f"{address.path.rstrip('/')}/v1/models/{quote(name, safe='')}{part}:predict"
        self._local = threading.local()

    def predict(
        self, signature: str, inputs: dict[str, NDArray[Any]], timeout_s: float
    ) -> dict[str, NDArray[Any]]:
        """Outputs of a signature by name; strings as `str` in object arrays.

        Raises:
          ServingError: refused, too late, or no connection.
        """
        columns = {name: array.tolist() for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        try:
            status, answer = self._ask(body, timeout_s)
        except TimeoutError as error:
            self.close()
            raise ServingError("DEADLINE_EXCEEDED", f"no answer in {timeout_s:.1f} s") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            text = f"{self._host}:{self._port}: {type(error).__name__} {error}"
            raise ServingError("UNAVAILABLE", text) from error
        if status != 200:
            raise ServingError(_CODES.get(status, "INTERNAL"), _message(answer, status))
        try:
            outputs = json.loads(answer)["outputs"]
        except (ValueError, KeyError, TypeError) as error:
            text = f"expected TensorFlow Serving's JSON with outputs, got {answer[:200]!r}"
            raise ServingError("INTERNAL", text) from error
        named = outputs if isinstance(outputs, dict) else {"": outputs}
        return {name: _array(values) for name, values in named.items()}

    def close(self) -> None:
        """Close this thread's connection; the next request opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _ask(self, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            connection = self._local.connection = kind(self._host, self._port, timeout=timeout_s)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


def _array(values: Any) -> NDArray[Any]:
    array = np.array(values)
    return array.astype(object) if array.dtype.kind == "U" else array


def _message(answer: bytes, status: int) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}: {answer[:200]!r}"
