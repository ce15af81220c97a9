"""What keeping master data has in common: repeated creates and read versions enter, ids and refusals leave."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel

from api.auth.accounts import Account
from api.versions import etag
from core.clock import Clock
from core.errors import Conflict
from core.ids import new_id


def _in_era(day: date) -> date:
    if not 2000 <= day.year < 2200:
        raise ValueError("must lie between the years 2000 and 2199")
    return day


Day = Annotated[date, AfterValidator(_in_era)]


def row_id(clock: Clock, caller: Account, what: str, key: str | None) -> UUID:
    """An id for a new row; one Idempotency-Key gives one id: a repeated create finds what the first one made."""
    return uuid.uuid5(caller.tenant, f"{what} {key}") if key else new_id(clock)


def answer_created(response: Response, row: Mapping[str, Any], body: BaseModel, *, made: bool) -> None:
    """201 for a new row, 200 for one that an earlier request with the same key made.

    Raises Conflict when the key was used for something else.
    """
    given = body.model_dump()
    if not made and any(row[name] != value for name, value in given.items() if name in row):
        raise Conflict("this Idempotency-Key was used for something else")
    response.status_code = 201 if made else 200
    if "version" in row:
        response.headers["ETag"] = etag(row["version"])
