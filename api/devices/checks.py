"""Routes of the record of checks: what is due, what was done, a person's own check, an announced drill, intervals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.devices.schemas import DeviceKind
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.schemas import DevicePath, Input, ShortText, Storable
from api.state import State
from core.errors import Conflict, NotFound
from core.vocabulary import Role
from db.tenant import Transaction
from devices import checks

router = APIRouter(prefix=API, tags=["devices"])

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), Storable]
Remark = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), Storable]


class DueCheck(BaseModel):
    """A safety device that serves somebody, and when it has to be tried next."""

    device: str = Field(examples=["wb-0001"])
    kind: str = Field(examples=["wristband"])
    model: str = Field(examples=["W1"])
    name: str = Field(examples=["王秀英的手环"])
    resident_id: UUID | None
    room: str
    interval_days: int = Field(examples=[7])
    due_at: datetime
    overdue: bool
    last_passed_at: datetime | None
    last_done_at: datetime | None
    last_result: str | None = Field(examples=["passed"])
    last_how: str | None = Field(examples=["drill"])


class DueCheckPage(Page[DueCheck]):
    """In the order of the devices' registration."""


class Check(BaseModel):
    """One check that was made."""

    id: UUID
    due_at: datetime | None
    done_at: datetime
    how: str = Field(examples=["test_event"], description="test_event, drill or manual")
    result: str = Field(examples=["passed"])
    note: str
    done_by: str | None = Field(examples=["李护士"], description="who made it, or announced the drill")


class CheckPage(Page[Check]):
    """Newest first."""


class CheckIn(Input):
    """A check that a person made."""

    result: Literal["passed", "failed"] = Field(examples=["passed"])
    note: Note = Field(examples=["按下按钮，值班台收到呼叫"])


class DrillIn(Input):
    """An announced drill."""

    minutes: int = Field(ge=1, le=checks.DRILL_MINUTES_MAX, examples=[15])
    note: Remark = Field(default="", examples=["二层每周演练"])


class Drill(BaseModel):
    """The device's next emergency event until then is a drill; the one after it is real."""

    id: UUID
    device: str
    closes_at: datetime


class IntervalIn(Input):
    """How often devices of a kind, or of one model of it, are to be tried."""

    kind: DeviceKind = Field(examples=["smoke"])
    model: ShortText = Field(default="", description="every model of the kind if left empty")
    days: int = Field(ge=1, le=366, examples=[30])


@router.get("/devices/checks", summary="设备检查计划 · Checks due", dependencies=[require(*STAFF)])
def list_checks(
    tx: Tx,
    state: State,
    wanted: Annotated[
        Literal["all", "overdue"], Query(alias="state", description="only what is overdue, or all")
    ] = "all",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> DueCheckPage:
    """Wristbands, call buttons and detectors that serve somebody, with when each has to be tried next."""
    (after,) = decode_cursor(cursor, cursor_number)
    now = state.clock.now()
    rows = checks.list_due(
        tx,
        days=state.settings.check_interval_days,
        due_before=now if wanted == "overdue" else None,
        after=-1 if after is None else after,
        limit=limit + 1,
    )
    shown, following = page(rows, limit, lambda row: (row["key"],))
    return DueCheckPage(items=[_due(row, now) for row in shown], next=following)


@router.put(
    "/devices/checks/intervals",
    summary="检查周期 · Set an interval",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def set_interval(body: IntervalIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """A model's own interval goes before its kind's, and that before the platform's."""
    kind = body.kind.value
    checks.set_interval(tx, state.clock, institution_id=caller.tenant, kind=kind, model=body.model, days=body.days)
    audit.record("set_check_interval", "device_kind", kind, model=body.model, days=body.days)


@router.get("/devices/{device_id}/checks", summary="检查记录 · Checks made", dependencies=[require(*STAFF)])
def list_history(device_id: DevicePath, tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> CheckPage:
    """How and when the device was tried."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    key = _device(tx, device_id)["key"]
    rows = tx.all("checks.history", key=key, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["done_at"], row["id"]))
    return CheckPage(items=[Check(**row) for row in shown], next=following)


@router.post(
    "/devices/{device_id}/checks", summary="登记检查 · Record a check", status_code=204, dependencies=[require(*STAFF)]
)
def record_check(device_id: DevicePath, body: CheckIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """For devices that cannot send a test themselves. One that failed stays due."""
    checks.record(
        tx,
        state.clock,
        institution_id=caller.tenant,
        device=_active(tx, device_id),
        days=state.settings.check_interval_days,
        result=body.result,
        note=body.note,
        done_by=caller.id,
    )
    audit.record("check", "device", device_id, result=body.result)


@router.post(
    "/devices/{device_id}/drill", summary="预告演练 · Announce a drill", status_code=201, dependencies=[require(*STAFF)]
)
def announce_drill(device_id: DevicePath, body: DrillIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Drill:
    """The device's next emergency event pages as always, says 演练 DRILL first, and is counted apart."""
    drill, closes = checks.announce_drill(
        tx,
        state.clock,
        institution_id=caller.tenant,
        device=_active(tx, device_id),
        minutes=body.minutes,
        note=body.note,
        by=caller.id,
    )
    audit.record("announce_drill", "device", device_id, drill=str(drill), minutes=body.minutes)
    return Drill(id=drill, device=device_id, closes_at=closes)


def _device(tx: Transaction, device: str) -> dict[str, Any]:
    row = tx.first("devices.get", id=device)
    if row is None:
        raise NotFound("there is no such device")
    return row


def _active(tx: Transaction, device: str) -> dict[str, Any]:
    row = _device(tx, device)
    if row["retired_at"] is not None:
        raise Conflict("the device is retired")
    return row


def _due(row: dict[str, Any], now: datetime) -> DueCheck:
    fields = {name: row[name] for name in ("kind", "model", "name", "resident_id", "due_at", "last_passed_at",
                                           "last_done_at", "last_result", "last_how")}  # fmt: skip
    return DueCheck(
        device=row["id"], room=row["room"] or "", interval_days=row["days"], overdue=row["due_at"] < now, **fields
    )
