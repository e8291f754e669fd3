"""The local server: TensorFlow Serving's REST and gRPC over one model folder."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from trecs.errors import UsageError
from trecs.serving.grpc_services import grpc_server
from trecs.serving.rest_app import rest_app
from trecs.serving.server_answers import Answers
from trecs.serving.server_batching import Batcher
from trecs.serving.server_metrics import ServerMetrics
from trecs.serving.server_settings import ServerSettings, url_host
from trecs.serving.server_versions import ModelVersions

_T = TypeVar("_T")


class Server:
    """Serves the newest version of a model folder, and newer ones as they appear.

    Args:
      directory: folder of the versions, such as saved_models/shop.
      name: what requests call the model; the folder's name where None.
      settings: addresses and limits.

    Raises:
      UsageError: no version can be served, or a port is taken.

    Example:
      >>> server = Server("saved_models/shop", settings=ServerSettings(rest_port=0, grpc_port=0))
      >>> server.start()
      >>> server.rest_port
      40123
      >>> server.stop()
    """

    def __init__(
        self, directory: str | Path, name: str | None = None, settings: ServerSettings | None = None
    ) -> None:
        self._settings = settings or ServerSettings()
        with ExitStack() as undo:
            self._open(Path(directory), name, undo)
            # All is open: nothing is to be undone.
            undo.pop_all()
        self._thread = threading.Thread(target=self._work, name="trecs-requests", daemon=True)

    def _open(self, folder: Path, name: str | None, undo: ExitStack) -> None:
        """Bind the ports and load the model; `undo` closes what is open by then."""
        metrics = ServerMetrics()
        host, self._sockets = self._settings.host, _listening(self._settings)
        undo.callback(self._sockets[0].close)
        self.rest_port: int = self._sockets[0].getsockname()[1]
        poll_s = self._settings.poll_s
        self.versions = ModelVersions(folder, name or folder.resolve().name, poll_s)
        undo.callback(self.versions.close)
        self._batcher = Batcher(self._settings, metrics.batch)
        undo.callback(self._batcher.close)
        parts = (self.versions, Answers(self._batcher), metrics, self._settings)
        self.app = rest_app(*parts)
        self._rest = uvicorn.Server(
            uvicorn.Config(
                self.app,
                host=host,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=int(self._settings.stop_s),
                # Sockets that nobody uses are closed after this.
                timeout_keep_alive=60,
            )
        )
        try:
            # Two that start at once have both bound; only one can listen.
            self._sockets[0].listen()
        except OSError as error:
            raise _taken(host, self.rest_port) from error
        # One loop for both: they take turns instead of taking the interpreter from each other.
        self._runner = asyncio.Runner(loop_factory=self._rest.config.get_loop_factory())
        undo.callback(self._runner.close)
        try:
            # In another thread, since the caller's may have a running loop, as a notebook's does.
            with ThreadPoolExecutor(1) as aside:
                bound = aside.submit(self._runner.run, _in_loop(grpc_server, *parts))
            self._grpc, self.grpc_port = bound.result()
        except RuntimeError as error:
            raise _taken(host, self._settings.grpc_port) from error

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; requests under way are answered before it returns."""
        asked_to_stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: asked_to_stop.set())
        self.start()
        while not asked_to_stop.wait(1.0):
            if not self._thread.is_alive():
                raise RuntimeError("the server's thread has ended; what it raised stands above")
        self.stop()

    def start(self) -> None:
        """Serve in threads of this process, until `stop`."""
        self._thread.start()
        while not self._rest.started and self._thread.is_alive():
            time.sleep(0.01)

    def stop(self) -> None:
        """Answer what is under way, then stop."""
        self.app.state.ready = False
        self._rest.should_exit = True
        self._thread.join()
        self._batcher.close()
        self.versions.close()

    def _work(self) -> None:
        with self._runner:
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        await self._grpc.start()
        await self._rest.serve(self._sockets)
        await self._grpc.stop(self._settings.stop_s)


async def _in_loop(function: Callable[..., _T], *arguments: Any) -> _T:
    """What a function gives that wants a running loop."""
    return function(*arguments)


def _listening(settings: ServerSettings) -> list[socket.socket]:
    """The bound socket, before the model is loaded, so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Naming the protocol lets asyncio send small answers at once: without it each waits some 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.rest_port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise _taken(settings.host, settings.rest_port) from error
    return [listener]


def _taken(host: str, port: int) -> UsageError:
    return UsageError(
        f"cannot listen at {url_host(host)}:{port}, it may be taken; give another port"
    )
