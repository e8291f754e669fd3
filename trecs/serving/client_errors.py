"""A server's refusal or silence, as the client raises it."""

from __future__ import annotations

from trecs.errors import TrecsError


class ServingError(TrecsError, OSError):
    """A request without an answer.

    Args:
      code: gRPC status, such as INVALID_ARGUMENT; of an HTTP answer, the one it stands for.
      message: the server's own, or what was wrong with the connection.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered a little later."""
        return self.code == "UNAVAILABLE"
