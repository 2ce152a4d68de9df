"""The SQL of `sql/*.sql`: each query follows a line `-- name: its_name`."""

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast


@cache
def queries(file: str) -> dict[str, LiteralString]:
    """Return the queries of `sql/<file>.sql` by name."""
    text = (resources.files(__package__) / "sql" / f"{file}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return {name: cast("LiteralString", body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
