"""`ingest mcp`: search and transcripts for a language model."""

import click

from .session import Session


@click.command(epilog="Example: ingest mcp")
@click.pass_obj
def mcp(session: Session) -> None:
    """Serve search and transcripts to a language model.

    Speaks the Model Context Protocol over standard input and output: an assistant starts it, as the README shows. Its
    tools are search, get_transcript and list_videos; they read, and change nothing.
    """
    from ingestion_pipeline.mcp_server import mcp_server
    from ingestion_pipeline.models import embedder

    with session.database() as database:
        mcp_server(database, embedder(session.settings)).run()


COMMANDS = (mcp,)
