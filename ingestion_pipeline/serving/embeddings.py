"""`POST /v1/embeddings`: OpenAI's form; `input_type`, query or document, is our addition."""

import asyncio
import base64
import json
import logging
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingestion_pipeline.errors import GpuFault, IngestionError, Permanent, Transient
from ingestion_pipeline.gpu import gpu_failed

from .embedders import Kind, Vectors
from .service import Service, end_at_once

_LOG = logging.getLogger(__name__)
MOST_TEXTS = 2048
"""In one request, as the API has it (https://platform.openai.com/docs/api-reference/embeddings)."""


async def embeddings(request: Request) -> Response:
    """Embed one text or several."""
    service: Service = request.app.state.service
    with service.serving():
        asked = await _json_of(request)
        model, texts, kind = _checked(asked)
        try:
            vectors = await asyncio.wrap_future(service.embedders.embed(model, texts, kind))
        except GpuFault as fault:
            end_at_once(str(fault))
        except IngestionError:
            raise
        except Exception as error:
            if gpu_failed(error):
                end_at_once(f"{model}: {error!r}")
            _LOG.exception("Model %s", model)
            raise Transient(
                f"{model} failed on {len(texts)} texts: {error!r}.", "See the model server's log."
            ) from error
    if asked.get("dimensions", vectors.shape[1]) not in (None, vectors.shape[1]):
        raise Permanent(f"{model} has {vectors.shape[1]} dimensions.", "Leave `dimensions` out.")
    as_text = asked.get("encoding_format") == "base64"
    return JSONResponse(
        {
            "object": "list",
            "model": model,
            "data": [_embedding(index, vector, as_text=as_text) for index, vector in enumerate(vectors)],
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        }
    )


async def _json_of(request: Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Permanent(f"The request is not JSON: {error}.") from error
    if not isinstance(asked, dict):
        raise Permanent("The request is not a JSON object.")
    return asked


def _checked(asked: dict[str, Any]) -> tuple[str, list[str], Kind]:
    given, model, kind = asked.get("input"), asked.get("model"), asked.get("input_type", "document")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Permanent("`input` is neither a text nor a list of texts.")
    if len(texts) > MOST_TEXTS:
        raise Permanent(f"{len(texts)} texts in one request.", f"Send at most {MOST_TEXTS} at a time.")
    if not isinstance(model, str) or not model:
        raise Permanent("`model` is missing.")
    if kind not in get_args(Kind):
        raise Permanent(f"input_type {kind} is neither query nor document.")
    return model, texts, kind


def _embedding(index: int, vector: Vectors, *, as_text: bool) -> dict[str, object]:
    numbers = vector.astype("<f4")
    value = base64.b64encode(numbers.tobytes()).decode() if as_text else numbers.tolist()
    return {"object": "embedding", "index": index, "embedding": value}
