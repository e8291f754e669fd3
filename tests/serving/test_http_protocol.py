"""What clients may send over a real socket before and after a body."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from trecs.serving.http_protocol import MAX_HEAD_BYTES, BoundedHttp

HEAD = b"POST / HTTP/1.1\r\nHost: shop\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 4096
MANY = 100 * MAX_HEAD_BYTES // len(PIECE)


async def count_bytes(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that answers with the number of bytes of the body."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = str(size).encode()
    head = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(count_bytes, port=0, http=BoundedHttp, loop="uvloop", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def sent_until_refused(port: int, begin: bytes, piece: bytes) -> tuple[int, bytes]:
    """Bytes of pieces that went out before the server closed, and its answer."""
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(begin)
        try:
            for _ in range(MANY):
                client.sendall(piece)
                sent += len(piece)
                # Slow enough that the pieces arrive one by one.
                time.sleep(0.002)
        except (BrokenPipeError, ConnectionResetError):
            return sent, answer
        answer = client.recv(1 << 16)
    return sent, answer


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"POST /", PIECE),
        (HEAD, b"a: " + PIECE + b"\r\n"),
        (HEAD + b"a: ", PIECE),
        (HEAD + b"a", PIECE),
        (CHUNKED + b"1;a=", PIECE),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"a: " + PIECE + b"\r\n"),
        (CHUNKED + b"1\r\nx\r\n0\r\na: ", PIECE),
    ],
    ids=["address", "headers", "header", "name", "chunk extension", "trailers", "trailer"],
)
def test_what_never_ends_is_cut_off(port: int, begin: bytes, piece: bytes):
    sent, _ = sent_until_refused(port, begin, piece)
    # And what the system's buffers of the two sockets took.
    assert sent < MANY * len(piece) // 4


def answers(port: int, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(0.01)
        client.shutdown(socket.SHUT_WR)
        found = b""
        while more := client.recv(1 << 16):
            found += more
    return found


def test_the_refusal_says_what_is_too_long(port: int):
    found = answers(port, HEAD + b"a: ", b"x" * (MAX_HEAD_BYTES + 1))
    assert found.startswith(b"HTTP/1.1 400")
    assert str(MAX_HEAD_BYTES).encode() in found


def test_long_bodies_and_many_requests_pass(port: int):
    size = 40 * MAX_HEAD_BYTES
    body = b"x" * size
    one = HEAD + b"Content-Length: %d\r\n\r\n" % size + body
    # Whole, in pieces, and with chunks of which each is a piece of its own.
    pieces = [one[n : n + 7919] for n in range(0, len(one), 7919)]
    chunks = [b"%x\r\n" % 1000 + b"x" * 1000 + b"\r\n" for _ in range(200)]
    found = answers(port, one, *pieces, CHUNKED, *chunks, b"0\r\n\r\n")
    assert found.count(b"HTTP/1.1 200") == 3
    assert found.count(str(size).encode()) == 2
    assert b"200000" in found


def test_what_is_no_http_is_refused(port: int):
    assert answers(port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
