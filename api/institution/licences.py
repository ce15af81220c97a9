"""Routes of the institution's licences and of everything that runs out: papers enter, what is in force leaves."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import Day, answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_day, cursor_id, decode_cursor, page
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Name, ShortText
from api.state import State
from core.days import local_day
from core.errors import NotFound
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])


class LicenceIn(Input):
    """A licence with its term; `care` and `medical` are the two of 两证齐全."""

    kind: Literal["care", "medical", "food", "fire", "business", "other"] = Field(examples=["care"])
    number: Name = Field(examples=["渝高新养备〔2024〕17号"])
    issued_by: ShortText = Field(default="", examples=["高新区民政局"])
    valid_from: Day
    valid_until: Day | None = Field(default=None, description="left out: without end")

    @model_validator(mode="after")
    def _ordered(self) -> LicenceIn:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class Licence(BaseModel):
    """A licence; `valid` says whether it holds today."""

    id: UUID
    kind: str = Field(examples=["care"])
    number: str
    issued_by: str
    valid_from: date
    valid_until: date | None
    revoked_at: datetime | None
    valid: bool


class LicenceList(BaseModel):
    """Every licence of the institution, newest of each kind first, and whether both (两证) hold."""

    items: list[Licence]
    both_licences: bool
    next: None = None


class Expiring(BaseModel):
    """Something that runs out."""

    kind: str = Field(examples=["certificate"])
    id: UUID
    title: str = Field(examples=["陈护工 养老护理员（四级）"])
    valid_until: date
    days_left: int = Field(description="below zero: it is over", examples=[12])


@router.get("/licences", summary="机构证照 · Licences", dependencies=[require(*STAFF)])
def list_licences(tx: Tx, state: State) -> LicenceList:
    """With what holds today; an institution with medical care needs both."""
    rows = tx.all("licences.list", today=local_day(state.clock.now()))
    items = [Licence(**row) for row in rows]
    held = {one.kind for one in items if one.valid}
    return LicenceList(items=items, both_licences={"care", "medical"} <= held)


@router.post(
    "/licences",
    summary="登记证照 · Add a licence",
    status_code=201,
    responses={200: {"model": Licence, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def add_licence(
    body: LicenceIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Licence:  # fmt: skip
    """A renewed licence is a new row; warnings are about the one that holds longest."""
    licence, now = row_id(state.clock, caller, "licence", idempotency_key), state.clock.now()
    made = tx.run("licences.add", id=licence, tenant=caller.tenant, now=now, **body.model_dump())
    if made:
        audit.record("create", "licence", licence, kind=body.kind)
    row = next(row for row in tx.all("licences.list", today=local_day(now)) if row["id"] == licence)
    answer_created(response, row, body, made=bool(made))
    return Licence(**row)


@router.post("/licences/{licence_id}/revoke", summary="注销证照 · Revoke", dependencies=[require(Role.ADMIN)])
def revoke_licence(licence_id: UUID, tx: Tx, state: State, audit: Audit) -> Licence:
    """It holds no longer; the row stays."""
    now = state.clock.now()
    if not tx.run("licences.revoke", id=licence_id, now=now):
        raise NotFound("there is no such licence")
    audit.record("revoke", "licence", licence_id)
    return next(
        Licence(**row) for row in tx.all("licences.list", today=local_day(now)) if row["id"] == licence_id
    )  # fmt: skip


@router.get("/expiring", summary="即将到期 · What runs out", dependencies=[require(*STAFF)])
def list_expiring(
    tx: Tx,
    state: State,
    within_days: Annotated[int, Query(ge=0, le=3660)] = 90,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Expiring]:
    """Licences, certificates, work licences, providers' licences, agreements of stays; what is over comes first."""
    after, after_id = decode_cursor(cursor, cursor_day, cursor_id)
    today = local_day(state.clock.now())
    rows = tx.all(
        "expiry.list", today=today, until=today + timedelta(days=within_days), after=after, after_id=after_id,
        limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["valid_until"].isoformat(), row["id"]))
    return Page[Expiring](items=[Expiring(**row) for row in shown], next=following)
