"""Every command says what it does and shows an example."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ingestion_pipeline.cli import ingest

NAMED = {"add", "db", "demo", "dev", "discover", "doctor", "export"} | {
    "failures",
    "remove",
    "retry",
    "run",
    "search",
    "serve",
    "tune",
}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_the_commands_are_those_that_are_documented() -> None:
    assert set(ingest.commands) == NAMED


@pytest.mark.parametrize("path", list(commands(ingest)), ids=" ".join)
def test_help_has_a_sentence_and_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(ingest, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Example: ingest {' '.join(path)}" in result.output
    command: click.Command = ingest
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("path", ["add", "discover", "doctor", "run", "search", "tune", "db status"])
def test_what_a_program_would_read_comes_as_json(path: str) -> None:
    result = CliRunner().invoke(ingest, [*path.split(), "--help"])
    assert "--json" in result.output
