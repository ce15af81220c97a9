"""Routes of subsidies: rules with their documents and groups of residents enter, what was paid for whom leaves.

Amounts, percentages and ceilings are the region's own, entered with the document they stand in; none is built in.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import Day, answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.providers.schemas import ServiceCode
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Name, Storable
from api.state import State
from api.versions import IfMatch, check_version, etag
from core.errors import BadInput, NotFound
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["institution"])
Group = Literal[
    "destitute", "low_income", "low_income_margin", "disabled", "bereaved", "veteran", "very_old", "other",
]  # fmt: skip
Source = Annotated[str, Field(min_length=1, max_length=200), Storable]
Paid = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=9, decimal_places=2)]


class RuleIn(Input):
    """Who gets how much of what; empty lists mean anybody, left out means anything."""

    name: Name = Field(examples=["失能老人助浴补贴"])
    source: Source = Field(description="the document that says so", examples=["渝高新民政〔2025〕8号"])
    service: ServiceCode | None = Field(default=None, examples=["daily-living"])
    item_id: UUID | None = None
    care_levels: list[Annotated[int, Field(ge=0, le=4)]] = Field(default=[], max_length=5, examples=[[2, 3, 4]])
    groups: list[Group] = Field(default=[], max_length=8, examples=[["low_income"]])
    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)] | None = Field(
        default=None, examples=["60.00"]
    )
    amount: Paid | None = Field(default=None, description="yuan an order; either this or percent")
    ceiling_month: Paid | None = Field(default=None, description="yuan a person and month", examples=["200.00"])
    priority: int = Field(default=100, ge=1, le=1000, description="smaller pays first")
    valid_from: Day
    valid_until: Day | None = None

    @model_validator(mode="after")
    def _whole(self) -> RuleIn:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("either percent or amount")
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class Rule(BaseModel):
    """A subsidy rule."""

    id: UUID
    name: str
    source: str
    service: str | None
    item_id: UUID | None
    care_levels: list[int]
    groups: list[str]
    percent: Decimal | None = Field(examples=["60.00"])
    amount: Decimal | None
    ceiling_month: Decimal | None = Field(examples=["200.00"])
    priority: int
    valid_from: date
    valid_until: date | None
    version: int
    created_at: datetime


class Use(BaseModel):
    """What a rule paid for a piece of work."""

    record_id: UUID
    rule_id: UUID
    rule_name: str
    resident_id: UUID
    month: date
    amount: Decimal = Field(examples=["48.00"])
    at: datetime


class GroupIn(Input):
    """Why somebody belongs to a group."""

    valid_from: Day
    valid_until: Day | None = None
    proof: Source = Field(examples=["低保证 渝-0231"])

    @model_validator(mode="after")
    def _ordered(self) -> GroupIn:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class GroupOf(BaseModel):
    """A group that somebody belongs to."""

    code: str = Field(examples=["low_income"])
    valid_from: date
    valid_until: date | None
    proof: str
    recorded_at: datetime


class GroupList(BaseModel):
    """The groups of a resident."""

    items: list[GroupOf]
    next: None = None


@router.get("/institution/subsidy-rules", summary="补贴规则 · Subsidy rules", dependencies=[require(*STAFF)])
def list_rules(tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page[Rule]:
    """By when they were entered."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("prices.rules", id=None, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Rule](items=[Rule(**row) for row in shown], next=following)


@router.post(
    "/institution/subsidy-rules",
    summary="登记补贴规则 · Add a rule",
    status_code=201,
    responses={200: {"model": Rule, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def create_rule(
    body: RuleIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Rule:  # fmt: skip
    """Counts for every order that is settled from now on, if the order's own day lies within its term."""
    _check_item(tx, body)
    rule = row_id(state.clock, caller, "subsidy rule", idempotency_key)
    made = tx.run("prices.add_rule", id=rule, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    if made:
        audit.record("create", "subsidy_rule", rule)
    row = _rule(tx, rule)
    answer_created(response, row, body, made=bool(made))
    return Rule(**row)


@router.put(
    "/institution/subsidy-rules/{rule_id}", summary="修改补贴规则 · Change a rule", dependencies=[require(Role.ADMIN)]
)
def change_rule(
    rule_id: UUID, body: RuleIn, tx: Tx, state: State, audit: Audit, response: Response, if_match: IfMatch = None
) -> Rule:
    """What it has paid stays paid."""
    check_version(if_match, tx.one("prices.lock_rule", id=rule_id)["version"])
    _check_item(tx, body)
    tx.run("prices.change_rule", id=rule_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "subsidy_rule", rule_id)
    row = _rule(tx, rule_id)
    response.headers["ETag"] = etag(row["version"])
    return Rule(**row)


@router.get("/institution/subsidies", summary="补贴明细 · What was paid", dependencies=[require(*STAFF)])
def list_subsidies(
    tx: Tx,
    audit: Audit,
    month: Annotated[Day | None, Query(description="any day of it", examples=["2026-03-01"])] = None,
    resident: Annotated[UUID | None, Query()] = None,
    record: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Use]:
    """Newest first; which rule paid tells of a household, so staff alone see it."""
    before, before_record, before_rule = decode_cursor(cursor, cursor_time, cursor_id, cursor_id)
    first = month.replace(day=1) if month else None
    rows = tx.all(
        "prices.uses", month=first, resident=resident, record=record, before=before, before_record=before_record,
        before_rule=before_rule, limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["at"], row["record_id"], row["rule_id"]))
    audit.record("list", "subsidy", "", residents=sorted({str(row["resident_id"]) for row in shown}))
    return Page[Use](items=[Use(**row) for row in shown], next=following)


@router.get("/residents/{resident_id}/groups", summary="困难类别 · Groups", dependencies=[require(*STAFF)])
def list_groups(resident_id: UUID, tx: Tx, audit: Audit) -> GroupList:
    """Sensitive: staff alone, and every look is written down."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_groups", "resident", resident_id)
    return GroupList(items=[GroupOf(**row) for row in tx.all("prices.groups", resident=resident_id)])


@router.put(
    "/residents/{resident_id}/groups/{group}",
    summary="认定类别 · Put into a group",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def set_group(
    resident_id: UUID, group: Group, body: GroupIn, caller: Caller, tx: Tx, state: State, audit: Audit
) -> None:
    """On a proof; again replaces it."""
    tx.one("residents.exists", resident=resident_id)
    tx.run(
        "prices.set_group", tenant=caller.tenant, resident=resident_id, code=group, by=caller.id,
        now=state.clock.now(), **body.model_dump(),
    )  # fmt: skip
    audit.record("set_group", "resident", resident_id, group=group)


@router.delete(
    "/residents/{resident_id}/groups/{group}",
    summary="取消类别 · Out of a group",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def remove_group(resident_id: UUID, group: Group, tx: Tx, audit: Audit) -> None:
    """What was paid stays paid."""
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("prices.remove_group", resident=resident_id, code=group):
        raise NotFound("this person is not in the group")
    audit.record("remove_group", "resident", resident_id, group=group)


def _rule(tx: Tx, rule: UUID) -> dict[str, Any]:
    return tx.one("prices.rules", id=rule, after=None, after_id=None, limit=1)


def _check_item(tx: Tx, body: RuleIn) -> None:
    if body.item_id is None:
        return
    item = tx.first("prices.items", id=body.item_id, service=None, after=None, after_id=None, limit=1)
    if item is None or body.service not in (None, item["service"]):
        raise BadInput("there is no such item of this service")
