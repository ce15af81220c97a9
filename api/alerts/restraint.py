"""Restraint seen by staff: what is held back and until when, and how much each caregiver is called."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.schemas import Instant
from api.state import State
from core.errors import BadInput, NotFound

router = APIRouter(prefix=API, tags=["alerts"])
LOAD_DAYS = 30


class Throttle(BaseModel):
    """A kind of alert that is held back for one resident, because it led to nothing again and again."""

    id: UUID
    resident_id: UUID
    resident_name: str = Field(examples=["王秀英"])
    type: str = Field(examples=["vitals_review"])
    reason: str
    begun_at: datetime
    expires_at: datetime
    ended_at: datetime | None = Field(description="when it ended; null while it holds")
    ended_by: str | None = Field(description="who ended it before its time")
    held: int = Field(description="how often a finding was held back", examples=[2])
    last_held_at: datetime | None
    last_severity: str | None
    pending: bool = Field(description="what was held back still holds, and opens an alert at the end")


class ThrottlePage(Page[Throttle]):
    """What is or was held back, newest first."""


class CaregiverDay(BaseModel):
    """How much one account was called on one local day."""

    user_id: UUID
    name: str = Field(examples=["张护士"])
    day: date
    alerts: int = Field(examples=[7])
    pages: int = Field(examples=[9])
    non_actionable: int = Field(description="alerts that were false or needed nothing", examples=[2])


class AlarmLoad(BaseModel):
    """Alarm load per caregiver and day, newest day first."""

    items: list[CaregiverDay]
    next: None = None


@router.get("/alerts/load", summary="报警负荷 · Alarm load per caregiver", dependencies=[require(*STAFF)])
def alarm_load(
    tx: Tx,
    state: State,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
) -> AlarmLoad:
    """Counted on the pages written in [from, to), by default the last 30 days."""
    end = to or state.clock.now() + timedelta(seconds=1)
    start = from_ or end - timedelta(days=LOAD_DAYS)
    if start >= end:
        raise BadInput("from must be before to")
    return AlarmLoad(items=[CaregiverDay(**row) for row in tx.all("restraint.load", **{"from": start, "to": end})])


@router.get("/alerts/throttles", summary="暂缓的报警 · What is held back", dependencies=[require(*STAFF)])
def list_throttles(tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> ThrottlePage:
    """With how often, until when, and whether it opens an alert at the end."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("restraint.list", before=before, before_id=before_id, limit=limit + 1)
    audit.record("read_throttles", "alert")
    items, following = page(rows, limit, lambda row: (row["begun_at"], row["id"]))
    return ThrottlePage(items=[Throttle(**row) for row in items], next=following)


@router.delete(
    "/alerts/throttles/{throttle_id}",
    summary="结束暂缓 · Hold back no longer",
    status_code=204,
    dependencies=[require(*STAFF)],
)
def end_throttle(throttle_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """It ends at once; what still holds opens its alert."""
    if not tx.run("restraint.expire_now", id=throttle_id, now=state.clock.now(), by=caller.id):
        raise NotFound("nothing is held back under this id")
    audit.record("end_throttle", "alert", throttle_id)
