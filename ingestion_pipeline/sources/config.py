"""Reads `sources.yaml`; every mistake in it is named with its line."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from ingestion_pipeline.errors import BadSettings
from ingestion_pipeline.languages import whisper_language

_REMEDY = "Correct it; sources.example.yaml shows what a source may hold."


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"{url} is not an http or https address")
    if parts.username is not None:
        raise ValueError("an address may not hold a user name and password")
    return url


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern} is not a regular expression: {error}") from error
    return pattern


def _spoken(tag: str) -> str:
    language = whisper_language(tag)
    if language is None:
        raise ValueError(f"{tag} is not a language that Whisper knows, such as en")
    return language


WebAddress = Annotated[str, AfterValidator(_web_address)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class Source:
    """One entry of `sources.yaml`: exactly one of `feed`, `url` and `folder`, and filters; durations in seconds."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    feed: WebAddress | None = None
    url: WebAddress | None = None
    folder: Annotated[Path, Field(strict=False)] | None = None
    title: Annotated[str, AfterValidator(_regular_expression)] | None = None
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    since: date | None = None
    shorts: bool = True
    live: bool = True
    newest: Annotated[int, Field(ge=1)] | None = None
    language: Annotated[str, AfterValidator(_spoken)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if [self.feed, self.url, self.folder].count(None) != 2:
            raise ValueError(f"source {self.name} needs exactly one of feed, url and folder")
        return self


def read_sources(file: Path) -> tuple[Source, ...]:
    """Return the sources in their order; raise `BadSettings` that names the line of the first mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise BadSettings(f"{file} cannot be read: {reason}.", "Copy sources.example.yaml to it.") from error
    try:
        loader = yaml.SafeLoader(text)
        sources = [_source(loader, node, file) for node in _entries(loader.get_single_node(), file)]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadSettings(f"{file.name} line {line}: {error.problem}.", _REMEDY) from error
    except yaml.reader.ReaderError as error:
        raise BadSettings(f"{file.name}: {error}.", _REMEDY) from error
    return tuple(sources)


def _entries(root: yaml.Node | None, file: Path) -> list[yaml.Node]:
    """Return the nodes under `sources`, each a mapping, no name twice."""
    fields = _fields(root, file)
    for key, (key_node, _) in fields.items():
        if key != "sources":
            raise _mistake(file, key_node, f"unknown key {key}, only sources is known here")
    _, listed = fields.get("sources", (root, None))
    if not isinstance(listed, yaml.SequenceNode):
        raise _mistake(file, listed or root, "sources must be a list")
    names = [(_fields(node, file).get("name", (node, node))[1], node) for node in listed.value]
    seen = Counter[str]()
    for name, _ in names:
        if isinstance(name, yaml.ScalarNode) and seen[name.value]:
            raise _mistake(file, name, f"name {name.value} is there twice")
        if isinstance(name, yaml.ScalarNode):
            seen[name.value] += 1
    return list(listed.value)


def _fields(node: yaml.Node | None, file: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return key and value nodes of a mapping by the key's text."""
    if not isinstance(node, yaml.MappingNode):
        raise _mistake(file, node, "keys with values are expected here, such as sources: or name:")
    fields: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if str(key.value) in fields:
            raise _mistake(file, key, f"key {key.value} is there twice")
        fields[str(key.value)] = (key, value)
    return fields


def _source(loader: yaml.SafeLoader, node: yaml.Node, file: Path) -> Source:
    fields = _fields(node, file)
    values = {key: _value(loader, value, file) for key, (_, value) in fields.items()}
    try:
        source = Source(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise _mistake(file, fields.get(name, (node, node))[0], _wording(name, first["type"], first["msg"])) from error
    return source if source.folder is None else replace(source, folder=_absolute(source.folder, file, node))


def _value(loader: yaml.SafeLoader, node: yaml.Node, file: Path) -> object:
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:
        raise _mistake(file, node, str(error)) from error


def _absolute(folder: Path, file: Path, node: yaml.Node) -> Path:
    try:
        return file.resolve().parent / folder.expanduser()
    except RuntimeError as error:
        raise _mistake(file, node, f"folder {folder}: {error}") from error


def _wording(name: str, kind: str, message: str) -> str:
    if kind == "unexpected_keyword_argument":
        return f"unknown key {name}"
    if kind.startswith("missing"):
        return f"{name} is missing"
    message = message.removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}" if name else message


def _mistake(file: Path, node: yaml.Node | None, what: str) -> BadSettings:
    line = node.start_mark.line + 1 if node is not None else 1
    return BadSettings(f"{file.name} line {line}: {what}.", _REMEDY)
