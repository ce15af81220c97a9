"""Routes of notices: who is signed in enters, what concerns them leaves, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, EVERYONE, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.schemas import Names
from api.state import State

router = APIRouter(prefix=f"{API}/notices", tags=["services"])


class Notice(BaseModel):
    """One thing to know; `record_id` leads to what it is about, below /services/{service}."""

    id: UUID
    at: datetime
    text: Names
    read_at: datetime | None
    record_id: UUID | None
    service: str | None = Field(examples=["goods"])
    kind: str | None = Field(examples=["order"])


@router.get("", summary="通知 · Notices", dependencies=[require(*EVERYONE)])
def list_notices(
    caller: Caller,
    tx: Tx,
    unread: Annotated[bool | None, Query(description="true: not read; false: read")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Notice]:
    """The caller's own, newest first."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("notices.list", user=caller.id, unread=unread, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["at"], row["id"]))
    return Page[Notice](items=[Notice(**row, text=Names(zh=row["zh"], en=row["en"])) for row in shown], next=following)


@router.post("/{notice_id}/read", summary="通知已读 · Read", status_code=204, dependencies=[require(*EVERYONE)])
def read_notice(notice_id: UUID, caller: Caller, tx: Tx, state: State) -> None:
    """Marks one of the caller's own notices as read; again changes nothing."""
    tx.one("notices.read", id=notice_id, user=caller.id, now=state.clock.now())
