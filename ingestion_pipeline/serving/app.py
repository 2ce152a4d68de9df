"""The API: OpenAI's transcriptions, embeddings and models; besides, health and metrics."""

import hmac
import os
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ingestion_pipeline.errors import IngestionError, NoAccessToModelServer

from .config import this_version
from .embeddings import embeddings
from .metrics import exposition
from .service import Service
from .transcriptions import transcriptions
from .wire import error_form, status_of

_Endpoint = Callable[[Request], Awaitable[Response]]


def app_of(service: Service) -> Starlette:
    """Return the ASGI application that serves a service."""
    app = Starlette(
        routes=[
            Route("/v1/audio/transcriptions", _guarded(transcriptions), methods=["POST"]),
            Route("/v1/embeddings", _guarded(embeddings), methods=["POST"]),
            Route("/v1/models", _guarded(_models)),
            Route("/metrics", _guarded(_metrics)),
            Route("/healthz", _health),
        ],
        exception_handlers={IngestionError: _refusal, HTTPException: _not_here, ClientDisconnect: _nobody},
    )
    app.state.service = service
    return app


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    """Ask for the API key before anything else is read."""

    async def guarded(request: Request) -> Response:
        key = request.app.state.service.limits.key
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key and not hmac.compare_digest(given.encode(), key.encode()):
            raise NoAccessToModelServer("The API key is missing or wrong.", "Set MODEL_SERVER_API_KEY to the server's.")
        return await endpoint(request)

    return guarded


async def _models(request: Request) -> Response:
    service: Service = request.app.state.service
    names = {service.config.whisper.model, *service.loads}
    models = [{"id": name, "object": "model", "created": 0, "owned_by": "ingestion-pipeline"} for name in sorted(names)]
    return JSONResponse({"object": "list", "data": models})


async def _metrics(request: Request) -> Response:
    return PlainTextResponse(exposition(request.app.state.service))


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": this_version(), "pid": os.getpid()})


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, IngestionError)
    return JSONResponse(error_form(error), status_of(error))


async def _not_here(request: Request, error: Exception) -> Response:
    """Answer in the API's form to a path or method that it does not have."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}."
    form = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": form}, error.status_code, error.headers)


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=400)
