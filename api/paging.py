"""Lists in pages: a limit and a cursor enter, `{"items", "next"}` leaves.

A cursor is the sort key of the last row, base64url of JSON. It grants nothing: every page is filtered by tenant anew.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from core.errors import BadInput
from core.limits import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT_MAX, description="条数上限 · at most this many items")]
Cursor = Annotated[
    str | None, Query(max_length=512, description="上一页的 next · the `next` of the page before", examples=[None])
]
LIMIT_DEFAULT = PAGE_LIMIT_DEFAULT


class Page(BaseModel, Generic[T]):
    """One page; `next` is the cursor of the following page, or null at the end."""

    items: list[T]
    next: str | None = Field(default=None, examples=["WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIl0"])


def encode_cursor(values: Sequence[Any]) -> str:
    """A cursor from the sort key of a row."""
    text = json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values], default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: Callable[[Any], Any]) -> list[Any]:
    """The sort key back, each part through its type; as many None where there is no cursor. Raises BadInput."""
    if cursor is None:
        return [None] * len(types)
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [make(value) for make, value in zip(types, list(values), strict=True)]
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, RecursionError) as error:
        raise BadInput("the cursor is not one that this list gave out") from error


def cursor_time(value: Any) -> datetime:
    """A time out of a cursor; without a zone it is not ours."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def cursor_number(value: Any) -> int:
    """A row number out of a cursor."""
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value < 2**62:
        raise ValueError
    return value


def cursor_id(value: Any) -> UUID:
    """An id out of a cursor."""
    return UUID(value)


def cursor_day(value: Any) -> date:
    """A day out of a cursor."""
    return date.fromisoformat(value)


def cursor_amount(value: Any) -> Decimal:
    """An amount of money out of a cursor."""
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,2})?", value):
        raise ValueError
    return Decimal(value)


def cursor_text(value: Any) -> str:
    """A word out of a cursor."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def page(rows: Sequence[Any], limit: int, key: Callable[[Any], Sequence[Any]]) -> tuple[list[Any], str | None]:
    """Split `limit + 1` fetched rows into the page and the cursor of the next one."""
    shown = list(rows[:limit])
    return shown, encode_cursor(key(shown[-1])) if len(rows) > limit and shown else None
