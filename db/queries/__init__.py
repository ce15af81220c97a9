"""Named queries: `sql("residents.get")` enters, the text of that query in `residents.sql` leaves.

A file holds queries, each after a line `-- name: verb_thing`. Parameters are named: `%(resident)s`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString

_NAME = re.compile(r"^-- name: ([a-z0-9_]+)\s*$", re.MULTILINE)


@cache
def _load(domain: str) -> dict[str, str]:
    source = resources.files("db.queries").joinpath(f"{domain}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(source)
    names = parts[1::2]
    if len(names) != len(set(names)):
        raise ValueError(f"a query name stands twice in {domain}.sql")
    return {name: text.strip() for name, text in zip(names, parts[2::2], strict=True)}


def sql(name: str) -> LiteralString:
    """The text of the query `domain.name`. Raises KeyError for an unknown one."""
    domain, _, query = name.partition(".")
    # Literal in the sense that matters: it comes from a file of this package, never from input.
    return _load(domain)[query]
