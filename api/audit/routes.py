"""Route of the audit log: who read or wrote what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, Audit, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_number, decode_cursor, page
from api.schemas import ShortText
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["audit"])


class AuditEntry(BaseModel):
    """One thing that somebody did."""

    id: int
    at: datetime
    user_id: UUID | None
    username: str
    role: str
    action: str = Field(examples=["read"])
    object_type: str = Field(examples=["resident"])
    object_id: str
    detail: dict[str, Any]
    request_id: str
    address: str
    success: bool


class AuditPage(Page[AuditEntry]):
    """What was done, newest first."""


@router.get("/audit", summary="审计日志 · Audit log", dependencies=[require(Role.ADMIN)])
def list_audit(
    tx: Tx,
    audit: Audit,
    object_type: Annotated[ShortText | None, Query(examples=["resident"])] = None,
    object_id: Annotated[ShortText | None, Query(description="for example a resident's id")] = None,
    user: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AuditPage:
    """Who read or wrote what in the institution; looking here is itself recorded."""
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("audit.list", before=before, object_type=object_type, object_id=object_id, user=user, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    audit.record("list", "audit_log")
    return AuditPage(items=[AuditEntry(**row) for row in shown], next=following)
