"""The command `ingest`."""

import sys

import click
import psycopg

from ingestion_pipeline.errors import IngestionError

from . import database, demo, dev, doctor, failures, ingestion, reading, removal, serve, tune
from .session import Session


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--env",
    "env_file",
    default=".env",
    show_default=True,
    type=click.Path(dir_okay=False),
    help="File with settings; the environment goes before it.",
)
@click.version_option(package_name="ingestion-pipeline")
@click.pass_context
def ingest(context: click.Context, env_file: str) -> None:
    """Turn video and podcast sources into searchable text.

    \b
    ingest demo                         see it work, without a download
    ingest run                          list the sources and take new videos through all steps
    ingest search "the lamp was dark"   find the spoken moment
    ingest dev                          the Dagster UI, with its daemon
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    context.obj = Session(env_file)


for group in (demo, dev, ingestion, failures, reading, removal, serve, tune, database, doctor):
    for command in group.COMMANDS:
        ingest.add_command(command)


def main() -> None:
    """Run `ingest`; what a person can mend ends with one line and status 1, an interruption with 130."""
    try:
        status = ingest.main(prog_name="ingest", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (IngestionError, psycopg.Error, OSError) as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        status = 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = 130
    sys.exit(status)
