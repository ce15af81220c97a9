"""Routes of people to be visited, the list of visits due, and the accounts of the time bank."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import (
    LIMIT_DEFAULT,
    Cursor,
    Limit,
    Page,
    cursor_id,
    cursor_number,
    cursor_text,
    cursor_time,
    decode_cursor,
    page,
)
from api.schemas import Input, Name
from api.state import State
from core.days import local_day
from core.errors import BadInput, NotFound
from core.ids import new_id
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/services/companionship", tags=["services"])
Group = Literal["alone", "empty_nest", "left_behind", "impaired", "disabled", "bereaved"]
NEWEST = 2**62


class TargetIn(Input):
    """Why somebody is visited, and how often."""

    groups: list[Group] = Field(
        min_length=1, max_length=6, description="独居、空巢、留守、失能、重残、计划生育特殊家庭", examples=[["alone"]]
    )
    every_days: int = Field(default=30, ge=1, le=366, description="at least monthly, as the state asks")
    since: date
    until: date | None = None


class VisitDue(BaseModel):
    """Somebody to be visited, and when."""

    resident_id: UUID
    name: str
    place: str
    groups: list[str]
    every_days: int
    last_visit: datetime | None
    due_on: date
    overdue: bool
    planned_id: UUID | None = Field(description="the visit that is planned already, or was missed")
    planned_at: datetime | None


class AccountIn(Input):
    """A new account of a person or a group."""

    kind: Literal["person", "group"] = Field(examples=["person"])
    name: Name = Field(examples=["志愿者 小李"])
    user_id: UUID | None = None
    resident_id: UUID | None = None


class HourAccount(BaseModel):
    """An account with its balance."""

    id: UUID
    kind: str
    name: str
    user_id: UUID | None
    resident_id: UUID | None
    minutes: int
    created_at: datetime


class HourEntry(BaseModel):
    """Minutes that moved."""

    seq: int
    at: datetime
    from_account: UUID
    to_account: UUID
    minutes: int
    cause: str
    record_id: UUID | None


@router.get("/due", summary="应访名单 · Visits due", dependencies=[require(*STAFF)])
def list_due(
    tx: Tx,
    state: State,
    audit: Audit,
    before: Annotated[date | None, Query(description="due by this day")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[VisitDue]:
    """Everybody to be visited, those longest overdue first."""
    after_due, after_id = decode_cursor(cursor, cursor_text, cursor_id)
    day = _day(after_due)
    rows = tx.all(
        "companionship.due", today=local_day(state.clock.now()), before=before, after_due=day, after_id=after_id,
        limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["due_on"].isoformat(), row["resident_id"]))
    audit.record("list", "visit_target", "", ids=[str(row["resident_id"]) for row in shown])
    return Page[VisitDue](items=[VisitDue(**row) for row in shown], next=following)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput("the cursor is not one that this list gave out") from error


@router.put(
    "/targets/{resident_id}", summary="纳入探访 · Visit somebody", status_code=204, dependencies=[require(*STAFF)]
)
def set_target(resident_id: UUID, body: TargetIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """From now on the person is on the list."""
    tx.one("residents.exists", resident=resident_id)
    if body.until is not None and body.until < body.since:
        raise BadInput("until lies before since")
    tx.run(
        "companionship.set_target", tenant=caller.tenant, resident=resident_id, now=state.clock.now(),
        **body.model_dump(),
    )  # fmt: skip
    audit.record("set", "visit_target", resident_id, groups=list(body.groups))


@router.delete(
    "/targets/{resident_id}", summary="移出探访 · No longer", status_code=204, dependencies=[require(Role.ADMIN)]
)
def remove_target(resident_id: UUID, tx: Tx, audit: Audit) -> None:
    """What was planned stays planned."""
    if not tx.run("companionship.remove_target", resident=resident_id):
        raise NotFound("this person is not on the list")
    audit.record("remove", "visit_target", resident_id)


@router.get("/accounts", summary="时间账户 · Time accounts", dependencies=[require(*STAFF)])
def list_accounts(tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page[HourAccount]:
    """With balances; all together are zero."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("companionship.accounts", after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[HourAccount](items=[HourAccount(**row) for row in shown], next=following)


@router.post("/accounts", summary="开立时间账户 · Open an account", status_code=201, dependencies=[require(*STAFF)])
def open_account(body: AccountIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> HourAccount:
    """Empty at first."""
    if body.resident_id is not None:
        tx.one("residents.exists", resident=body.resident_id)
    if body.user_id is not None:
        tx.one("users.get", id=body.user_id)
    account = new_id(state.clock)
    tx.run("companionship.add_account", id=account, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    audit.record("create", "hour_account", account)
    return HourAccount(**tx.one("companionship.account", id=account))


@router.get("/accounts/{account_id}/entries", summary="时间流水 · Entries", dependencies=[require(*STAFF)])
def list_entries(account_id: UUID, tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page[HourEntry]:
    """Newest first."""
    tx.one("companionship.account", id=account_id)
    before = decode_cursor(cursor, cursor_number)[0] or NEWEST
    rows = tx.all("companionship.entries", account=account_id, before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["seq"],))
    return Page[HourEntry](items=[HourEntry(**row) for row in shown], next=following)
