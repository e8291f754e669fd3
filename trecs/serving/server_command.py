"""The command `trecs serve`."""

from __future__ import annotations

import argparse
import sys

from trecs.errors import UsageError
from trecs.serving.server_settings import ServerSettings, url_host

_THREADS = 1
"""A small request takes half the time, and half the processor time, that it takes with two."""


def add_options(serve: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    default = ServerSettings()
    serve.add_argument("model", metavar="DIR", help="folder of versions, such as saved_models/NAME")
    serve.add_argument("--name", help="what requests call the model; default: the folder's name")
    serve.add_argument(
        "--host",
        default=default.host,
        help=f"address to listen at ({default.host}); there is no log-in, so put a proxy before it",
    )
    for option, port in (("--rest-port", default.rest_port), ("--grpc-port", default.grpc_port)):
        serve.add_argument(option, type=int, default=port, metavar="PORT", help=f"({port})")
    serve.add_argument(
        "--threads",
        type=int,
        default=_THREADS,
        metavar="N",
        help="that TensorFlow spreads one operation over; more pay for large catalogues only"
        f" ({_THREADS})",
    )


def run(options: argparse.Namespace) -> None:
    """Serve until stopped by SIGINT or SIGTERM.

    Raises:
      UsageError: the extra `serve` is not installed, the folder cannot be served, or no thread is
        left.
    """
    if options.threads < 1:
        raise UsageError(f"--threads must be 1 or more, got {options.threads}")
    try:
        import tensorflow as tf

        from trecs.serving.server import Server
    except ImportError as error:
        raise UsageError(
            f"`trecs serve` needs the extra `serve` ({error});"
            " pip install -e '.[serve]' in the clone"
        ) from error
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    settings = ServerSettings(
        host=options.host, rest_port=options.rest_port, grpc_port=options.grpc_port
    )
    server = Server(options.model, options.name, settings)
    name, host = server.versions.name, url_host(settings.host)
    sys.stderr.write(
        f"serving {name}, version {server.versions.get(name).number}:"
        f" http://{host}:{server.rest_port}/v1/models/{name},"
        f" gRPC {host}:{server.grpc_port}\n"
    )
    server.run()
