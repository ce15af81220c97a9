"""What a house decides about its money and its beds: its rules enter, the rules in force leave.

Nothing here is a standard: every number is a default that a house changes as its agreements say.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.schemas import Input
from api.state import State
from api.versions import IfMatch, check_version, etag
from core.errors import BadInput
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])
Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2, examples=["50.00"])]


class HouseRulesIn(Input):
    """How long beds are kept, and what who is away pays less."""

    keep_bed_days: int | None = Field(
        default=14, ge=1, le=365, description="a bed that nobody comes to is given away after it; null: never"
    )
    warn_days: int = Field(default=3, ge=0, le=60, description="so long before, staff and family are told")
    absence_percent: Percent | None = Field(default=None, description="less for each day away; null: nothing less")
    absence_from_days: int = Field(
        default=0, ge=0, le=365, description="so many days of each absence stay at full price"
    )
    absence_items: list[UUID] = Field(
        default=[], max_length=100, description="items of the price list; none: every fee by the day or month"
    )


class HouseRules(BaseModel):
    """The rules in force; version 0: the defaults."""

    keep_bed_days: int | None = Field(examples=[14])
    warn_days: int = Field(examples=[3])
    absence_percent: Decimal | None = Field(examples=["50.00"])
    absence_from_days: int = Field(examples=[5])
    absence_items: list[UUID]
    version: int
    updated_at: datetime | None


def rules_of(tx: Transaction, tenant: UUID) -> HouseRules:
    """The rules of a house, its own or the defaults."""
    row = tx.first("house_rules.get", tenant=tenant)
    return HouseRules(**(row or {**HouseRulesIn().model_dump(), "version": 0, "updated_at": None}))


@router.get("/rules", summary="留床与减免规则 · Rules of the house", dependencies=[require(*STAFF)])
def get_rules(caller: Caller, tx: Tx, response: Response) -> HouseRules:
    """How long beds are kept, and what who is away pays less."""
    found = rules_of(tx, caller.tenant)
    response.headers["ETag"] = etag(found.version)
    return found


@router.put("/rules", summary="设定留床与减免规则 · Set the rules of the house", dependencies=[require(Role.ADMIN)])
def put_rules(
    body: HouseRulesIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response, if_match: IfMatch = None
) -> HouseRules:
    """For bills that are drawn up from now on; what is out stays as it is."""
    known = tx.first("house_rules.lock", tenant=caller.tenant)
    check_version(if_match, known["version"] if known else 0)
    for item in body.absence_items:
        if tx.first("bills.fee_item", item=item) is None:
            raise BadInput(f"there is no fee {item} of the house")
    tx.run("house_rules.put", tenant=caller.tenant, by=caller.id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "house_rules", caller.tenant)
    return get_rules(caller, tx, response)
