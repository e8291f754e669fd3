"""What the local server may be told, and the error of a request that it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from trecs.errors import TrecsError

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 413,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""HTTP status of each gRPC status that the server answers with."""


class RequestError(TrecsError):
    """A request that cannot be answered.

    Args:
      code: a gRPC status, a key of HTTP_STATUS.
      message: what was expected, what came, the way out.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class ServerSettings:
    """Addresses and limits of the local server.

    Attributes:
      host: the address listened at; the loopback one, as nothing here knows who is calling.
      rest_port: as TensorFlow Serving's default; 0 takes a free one.
      grpc_port: likewise.
      max_body_bytes: of one request.
      max_rows: users (or items) in one request.
      max_events: length of any list within a row, such as a history.
      max_values: entries of an input, of all rows: memory grows with them.
      max_candidates: items that a row may ask `rank`, `rank_rated` and `explain` about.
      max_pairs: likewise of all rows of a request; memory grows with them times the history.
      max_queued: requests waiting; more are answered with UNAVAILABLE.
      batch_rows: rows that requests wait for each other to make up; one request of more is computed
        at once. A row costs no less in larger batches, and while one batch is computed the next is
        read.
      batch_window_s: how long the first request of a batch waits for others.
      timeout_s: a request that waited longer is answered with DEADLINE_EXCEEDED.
      stop_s: how long requests under way have to end when the server is stopped.
      poll_s: how often the folder is looked at for versions.
    """

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    max_body_bytes: int = 8 << 20
    max_rows: int = 1024
    max_events: int = 10_000
    max_values: int = 1 << 20
    max_candidates: int = 1000
    max_pairs: int = 16_384
    max_queued: int = 1024
    batch_rows: int = 16
    batch_window_s: float = 0.001
    timeout_s: float = 10.0
    stop_s: float = 15.0
    poll_s: float = 1.0


def url_host(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
