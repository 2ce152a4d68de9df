"""`ingest serve`: the model server by hand, as a service or for other machines."""

import logging
import sys
from dataclasses import replace

import click

from ingestion_pipeline.models import model_server
from ingestion_pipeline.serving.startup import LocalServer

from .session import Session


@click.command(epilog="Example: ingest serve --host 0.0.0.0 --port 8008")
@click.option("--host", help="Address to listen on, for other machines.  [default: a Unix socket, for this machine]")
@click.option("--port", default=8008, show_default=True, type=click.IntRange(1, 65535), help="Port, with --host.")
@click.pass_obj
def serve(session: Session, host: str | None, port: int) -> None:
    """Serve the models, until Ctrl-C.

    Runs on this machine start a server by themselves; this is for a service that stays, or for other machines, whose
    MODEL_SERVER_URL then says http://HOST:PORT. The API is OpenAI's: /v1/audio/transcriptions, /v1/embeddings,
    /v1/models; besides /healthz and /metrics. Beyond loopback it wants MODEL_SERVER_API_KEY.
    """
    from ingestion_pipeline.serving.server import listening_at
    from ingestion_pipeline.serving.server import serve as serve_until_ended
    from ingestion_pipeline.serving.service import Limits, Service

    settings, wanted = session.settings, model_server(session.settings)
    local = LocalServer(wanted.config, wanted.folder)
    if host:
        listener, place = listening_at(host, port, settings.model_server_api_key), f"http://{host}:{port}"
    else:
        listener, place = local.listening(), local.address.url
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    limits = Limits(settings.model_server_api_key if host else None, settings.max_audio_mb * 1_000_000)
    service = Service(replace(wanted.config, idle_s=None), limits)
    serve_until_ended(service, listener, lambda: click.echo(f"Model server: {place}  (Ctrl-C stops it)"))


COMMANDS = (serve,)
