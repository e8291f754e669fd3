"""uvicorn's HTTP over httptools, with a bound on what httptools keeps."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 << 10
"""What a client may send without a body or the end of a message in it, as uvicorn's h11 has it."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads and trailers without end; a bound on bodies is the application's."""

    _got_on = False
    _num_waiting = 0

    def data_received(self, data: bytes) -> None:
        """Read a piece of what the client sends."""
        self._got_on = False
        super().data_received(data)
        self._num_waiting = 0 if self._got_on else self._num_waiting + len(data)
        if self._num_waiting > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers are longer than {MAX_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._got_on = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._got_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The message has ended."""
        self._got_on = True
        super().on_message_complete()
