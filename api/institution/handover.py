"""The hand-over of a shift: its time enters, what the next shift must know leaves, and is signed for by both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Tx, require
from api.institution.notes import NursingNote
from api.institution.tasks import Task, day_tasks
from api.schemas import Input, Instant, Storable
from api.services.engine.kind import HOUSE, Note, RecordKind, Step
from api.services.engine.machine import SAME, machine, move
from api.services.engine.machine import STAFF as STAFF_ROLES
from api.state import State
from core.days import local_day
from core.errors import BadInput, Forbidden
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])
SHIFT_HOURS_MAX: Final = 36
NOTES_MAX: Final = 500


class ShiftAlert(BaseModel):
    """An alert of the shift."""

    id: UUID
    resident_id: UUID | None
    resident_name: str | None
    type: str = Field(examples=["fall"])
    severity: str
    state: str
    outcome: str | None
    opened_at: datetime
    resolved_at: datetime | None


class ShiftRecord(BaseModel):
    """Something that happened to a stay or an incident."""

    id: UUID
    kind: str = Field(examples=["stay"])
    resident_id: UUID | None
    resident_name: str | None
    title: str
    action: str = Field(examples=["admit"])
    state: str
    at: datetime


class ShiftAway(BaseModel):
    """Somebody who is not here."""

    resident_id: UUID
    resident_name: str
    kind: str = Field(examples=["hospital"])
    until: datetime


class Shift(BaseModel):
    """What the next shift must know."""

    begins: datetime
    ends: datetime
    notes: list[NursingNote] = Field(description="important ones, newest first")
    alerts: list[ShiftAlert] = Field(description="opened in the shift, or still open")
    tasks: list[Task] = Field(description="of the shift: missed, refused or not possible")
    records: list[ShiftRecord] = Field(description="who came, moved or left; incidents")
    away: list[ShiftAway]


@router.get("/shift", summary="交接清单 · What a shift hands on", dependencies=[require(*STAFF)])
def read_shift(
    tx: Tx,
    state: State,
    audit: Audit,
    begins: Annotated[Instant, Query(examples=["2026-03-01T00:00:00Z"])],
    ends: Annotated[Instant, Query(examples=["2026-03-01T08:00:00Z"])],
) -> Shift:
    """Important notes, alerts, tasks that were not done, comings and goings, who is away."""
    shift = shift_of(tx, begins, ends, state.clock.now())
    audit.record("read_shift", "institution", "", notes=len(shift.notes), alerts=len(shift.alerts))
    return shift


def shift_of(tx: Transaction, begins: datetime, ends: datetime, now: datetime) -> Shift:
    """Raises BadInput for a shift that ends before it begins, or is longer than a day and a half."""
    if not timedelta(0) < ends - begins <= timedelta(hours=SHIFT_HOURS_MAX):
        raise BadInput(f"a shift ends after it begins, and lasts at most {SHIFT_HOURS_MAX} hours")
    first, last = local_day(begins), local_day(ends)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    span: dict[str, Any] = {"begins": begins, "ends": ends}
    notes = tx.all(
        "care.notes", resident=None, kind=None, important=True, before=None, before_id=None, limit=NOTES_MAX, **span
    )
    return Shift(
        begins=begins,
        ends=ends,
        notes=[NursingNote(**row) for row in notes],
        alerts=[ShiftAlert(**row) for row in tx.all("care.shift_alerts", **span)],
        tasks=[
            task for day in days for task in day_tasks(tx, day, now, states=["missed", "refused", "not_possible"])
            if begins <= task.due_at < ends
        ],
        records=[ShiftRecord(**row) for row in tx.all("care.shift_records", **span)],
        away=[ShiftAway(**row) for row in tx.all("care.shift_away", ends=ends)],
    )  # fmt: skip


class HandoverIn(Input):
    """A shift, given on."""

    title: Annotated[str, Field(min_length=1, max_length=200), Storable] = Field(examples=["3 月 1 日夜班"])
    starts_at: Instant
    ends_at: Instant
    words: Annotated[str, Field(max_length=4000), Storable] = Field(default="", examples=["208 室注意观察"])


class Add(Input):
    """Something that was forgotten."""

    words: Annotated[str, Field(min_length=1, max_length=4000), Storable]


class HandoverDetail(BaseModel):
    """A hand-over with what the list held when it was given: the ids, frozen."""

    words: str = ""
    given_by: UUID | None = None
    taken_by: UUID | None = None
    notes: list[UUID] = []
    alerts: list[UUID] = []
    tasks: int = 0
    away: list[UUID] = []


def give(step: Step) -> None:
    """The list of the shift as it is now."""
    shift = shift_of(step.tx, step.body.starts_at, step.body.ends_at, step.now)
    found: dict[str, Any] = {
        "given_by": str(step.caller.id),
        "notes": [str(note.id) for note in shift.notes],
        "alerts": [str(alert.id) for alert in shift.alerts],
        "tasks": len(shift.tasks),
        "away": [str(one.resident_id) for one in shift.away],
    }
    step.detail.update(found)


def take(step: Step) -> None:
    """By somebody else than who gave it."""
    if step.detail["given_by"] == str(step.caller.id):
        raise Forbidden("who gives the shift does not take it")
    step.detail["taken_by"] = str(step.caller.id)


HANDOVER: Final = RecordKind(
    service=HOUSE,
    machine=machine(
        "handover 交接班 Hand-over",
        "given 已交班 Given, taken 已接班 Taken",
        move("add 补充 Add", "given", SAME, STAFF_ROLES, Add, "staff"),
        move("take 接班 Take", "given", "taken", STAFF_ROLES, Note, "creator"),
    ),
    path="handovers",
    create=HandoverIn,
    creators=STAFF_ROLES,
    readers=STAFF_ROLES,
    detail=HandoverDetail,
    rules={"create": give, "take": take},
)
