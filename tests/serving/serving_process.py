"""A server in this process, over a copy of a shop's export, at free ports."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving_shop import Shop

from trecs.serving.server import Server
from trecs.serving.server_settings import ServerSettings

SETTINGS = ServerSettings(rest_port=0, grpc_port=0, poll_s=0.1)


@contextmanager
def serving(
    shop: Shop, folder: Path, settings: ServerSettings = SETTINGS, number: int = 1
) -> Iterator[Server]:
    copy_version(shop, folder, number)
    server = Server(folder, settings=settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def copy_version(shop: Shop, folder: Path, number: int) -> Path:
    """Put a version into the folder as an export does: beside, then renamed."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(shop.version, folder / f".partial-{number}")
    return (folder / f".partial-{number}").rename(folder / str(number))


def http(server: Server, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and answer: parsed where it is JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{server.rest_port}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as response:
            return response.status, _parsed(response)
    except urllib.error.HTTPError as error:
        return error.code, _parsed(error)


def _parsed(response: Any) -> Any:
    text = response.read()
    return json.loads(text) if "json" in response.headers["Content-Type"] else text.decode()
