"""TensorFlow Serving's REST routes as a FastAPI application."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from trecs.serving.rest_json import read_predict, write_predict
from trecs.serving.server_answers import SMALL_ANSWER, SMALL_BODY, Answers, here_or_aside
from trecs.serving.server_metadata import metadata_json, status_json
from trecs.serving.server_metrics import ServerMetrics
from trecs.serving.server_settings import HTTP_STATUS, RequestError, ServerSettings
from trecs.serving.server_versions import ModelVersions

METRICS_PATH = "/monitoring/prometheus/metrics"
"""Where TensorFlow Serving has its own, so that one scrape setting serves both."""
_INT64_DIGITS = 19
# As proxies call it.
_CLIENT_GONE = 499


class _Rest:
    """The handlers' common ground."""

    def __init__(
        self,
        versions: ModelVersions,
        answers: Answers,
        metrics: ServerMetrics,
        settings: ServerSettings,
    ) -> None:
        self.versions, self.answers = versions, answers
        self.metrics, self.settings = metrics, settings

    async def predict(self, request: Request, name: str, number: int | None) -> Response:
        began, code = time.monotonic(), "OK"
        try:
            return await self._predict(request, name, number)
        except RequestError as error:
            code = error.code
            raise
        except ClientDisconnect:
            # Nobody reads this answer.
            code = "CANCELLED"
            return Response(status_code=_CLIENT_GONE)
        except Exception:
            code = "INTERNAL"
            raise
        finally:
            self.metrics.request("rest", code, time.monotonic() - began)

    async def _predict(self, request: Request, name: str, number: int | None) -> Response:
        version = self.versions.get(name, number)
        body = await _body(request, self.settings.max_body_bytes)
        small = len(body) <= SMALL_BODY
        asked = await here_or_aside(small, read_predict, body, version, self.settings)
        limit_s = self.settings.timeout_s
        outputs = await self.answers.ask(version, asked.signature, asked.inputs, limit_s)
        small = next(iter(outputs.values())).size <= SMALL_ANSWER
        written = await here_or_aside(small, write_predict, outputs, asked.by_row)
        return Response(written, media_type="application/json")


def rest_app(
    versions: ModelVersions, answers: Answers, metrics: ServerMetrics, settings: ServerSettings
) -> FastAPI:
    """The application: predict, metadata, status, metrics, `/healthz` and `/readyz`.

    Errors are `{"error": "..."}`, as TensorFlow Serving's.
    """
    app = FastAPI(openapi_url=None)
    rest = _Rest(versions, answers, metrics, settings)
    app.state.ready = True
    _add_predict(app, rest)
    _add_about(app, rest)
    _add_operations(app, rest)

    @app.exception_handler(RequestError)
    async def refused(_request: Request, error: RequestError) -> Response:
        return JSONResponse({"error": str(error)}, HTTP_STATUS[error.code])

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path[:120]}"
        text = f"{error.detail}: {what}; the routes start with /v1/models/{versions.name}"
        return JSONResponse({"error": text}, error.status_code)

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> Response:
        return JSONResponse({"error": f"internal error: {type(error).__name__}"}, 500)

    return app


def _add_predict(app: FastAPI, rest: _Rest) -> None:
    """Plain routes: these read the body themselves, so FastAPI has no parameters to check."""

    async def predict_version(request: Request) -> Response:
        number = _number(request.path_params["number"])
        return await rest.predict(request, request.path_params["name"], number)

    async def predict(request: Request) -> Response:
        return await rest.predict(request, request.path_params["name"], None)

    app.router.routes += [
        Route("/v1/models/{name}:predict", predict, methods=["POST"]),
        Route("/v1/models/{name}/versions/{number}:predict", predict_version, methods=["POST"]),
    ]


def _add_about(app: FastAPI, rest: _Rest) -> None:
    @app.get("/v1/models/{name}/versions/{number}/metadata")
    async def metadata_version(name: str, number: str) -> dict[str, Any]:
        return metadata_json(name, rest.versions.get(name, _number(number)))

    @app.get("/v1/models/{name}/metadata")
    async def metadata(name: str) -> dict[str, Any]:
        return metadata_json(name, rest.versions.get(name))

    @app.get("/v1/models/{name}/versions/{number}")
    async def status_version(name: str, number: str) -> dict[str, Any]:
        return status_json(rest.versions.status(name, _number(number)))

    @app.get("/v1/models/{name}")
    async def status(name: str) -> dict[str, Any]:
        return status_json(rest.versions.status(name))


def _add_operations(app: FastAPI, rest: _Rest) -> None:
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readiness() -> Response:
        ready = bool(app.state.ready)
        return JSONResponse({"status": "ready" if ready else "stopping"}, 200 if ready else 503)

    @app.get(METRICS_PATH)
    async def prometheus() -> Response:
        number = rest.versions.get(rest.versions.name).number
        return Response(rest.metrics.text(number), media_type="text/plain; version=0.0.4")


async def _body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RequestError(
            "INVALID_ARGUMENT", f"bodies are read as they are, got Content-Encoding {encoding[:40]}"
        )
    size, parts = 0, []
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise RequestError(
                "RESOURCE_EXHAUSTED", f"a body may have {limit} bytes, got more; ask for fewer rows"
            )
        parts.append(part)
    return b"".join(parts)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _INT64_DIGITS):
        raise RequestError("INVALID_ARGUMENT", f"a version is a whole number, got {text[:40]!r}")
    return int(text)
