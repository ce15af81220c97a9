"""The version that somebody read enters, a change goes on or is refused: of two who edit at once the second is told."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from api.errors import PreconditionFailed

IfMatch = Annotated[
    str | None,
    Header(max_length=200, description="ETag of the version that was read: its number in quotes", examples=['"3"']),
]


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def check_version(if_match: str | None, version: int) -> None:
    """Raises PreconditionFailed when somebody has changed it since it was read."""
    if if_match is not None and not any(tag.strip() in ("*", etag(version)) for tag in if_match.split(",")):
        raise PreconditionFailed
