"""Routes of the price list: items and prices with their terms enter, what something costs somebody on a day leaves."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.keeping import Day, answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.providers.schemas import ServiceCode
from api.residents.routes import IdempotencyKey
from api.schemas import Input, Name
from api.services.engine import pricing
from api.services.engine.kind import Money
from api.state import State
from api.versions import IfMatch, check_version, etag
from core.days import local_day
from core.errors import BadInput, Conflict
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])
Priced = ServiceCode | Literal["institution"]
Quantity = Annotated[Decimal, Query(gt=0, le=1000, max_digits=6, decimal_places=2)]


class ItemIn(Input):
    """Something that has a price: a piece of a service, or a fee of the house (`institution`)."""

    service: Priced = Field(examples=["daily-living"])
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(examples=["BATH"])
    name: Name = Field(examples=["上门助浴"])
    unit: Literal["time", "hour", "day", "month"] = Field(examples=["time"])


class ItemChange(Input):
    """What may change of an item; its service and unit stay, so that old prices keep their meaning."""

    name: Name = Field(examples=["上门助浴"])
    active: bool = True


class Item(BaseModel):
    """An item of the price list."""

    id: UUID
    service: str = Field(examples=["daily-living"])
    code: str = Field(examples=["BATH"])
    name: str = Field(examples=["上门助浴"])
    unit: str = Field(examples=["time"])
    active: bool
    version: int
    created_at: datetime


class PriceIn(Input):
    """A price from a day on, perhaps of one provider alone; the one that begins last holds."""

    amount: Money
    provider_id: UUID | None = Field(default=None, description="left out: of everybody without a price of their own")
    valid_from: Day
    valid_until: Day | None = None

    @model_validator(mode="after")
    def _ordered(self) -> PriceIn:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class PriceEnd(Input):
    """The last day of a price."""

    valid_until: Day


class Price(BaseModel):
    """A price with its term."""

    id: UUID
    provider_id: UUID | None
    amount: Decimal = Field(examples=["80.00"])
    valid_from: date
    valid_until: date | None
    created_at: datetime


class PriceList(BaseModel):
    """Every price of an item, newest first."""

    items: list[Price]
    next: None = None


class Quote(BaseModel):
    """What something costs somebody; the month's ceilings can change the shares until settlement."""

    day: date
    price: Decimal = Field(examples=["80.00"])
    subsidy: Decimal = Field(examples=["48.00"])
    own_share: Decimal = Field(examples=["32.00"])


@router.get("/items", summary="收费项目 · Items of the price list", dependencies=[require(*STAFF)])
def list_items(
    tx: Tx,
    service: Annotated[Priced | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Item]:
    """By when they were entered."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("prices.items", id=None, service=service, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Item](items=[Item(**row) for row in shown], next=following)


@router.post(
    "/items",
    summary="登记收费项目 · Add an item",
    status_code=201,
    responses={200: {"model": Item, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def create_item(
    body: ItemIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Item:  # fmt: skip
    """A code is unique within its service."""
    item = row_id(state.clock, caller, "item", idempotency_key)
    made = tx.run("prices.add_item", id=item, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    if made:
        audit.record("create", "item", item)
    row = _item(tx, item)
    answer_created(response, row, body, made=bool(made))
    return Item(**row)


@router.put("/items/{item_id}", summary="修改收费项目 · Change an item", dependencies=[require(Role.ADMIN)])
def change_item(
    item_id: UUID, body: ItemChange, tx: Tx, state: State, audit: Audit, response: Response, if_match: IfMatch = None
) -> Item:
    """An item that is not active has no price for new work."""
    check_version(if_match, tx.one("prices.lock_item", id=item_id)["version"])
    tx.run("prices.change_item", id=item_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "item", item_id)
    row = _item(tx, item_id)
    response.headers["ETag"] = etag(row["version"])
    return Item(**row)


@router.get("/items/{item_id}/prices", summary="价格 · Prices of an item", dependencies=[require(*STAFF)])
def list_prices(item_id: UUID, tx: Tx) -> PriceList:
    """Newest first; what was once valid stays."""
    _item(tx, item_id)
    return PriceList(items=[Price(**row) for row in tx.all("prices.of_item", item=item_id)])


@router.post(
    "/items/{item_id}/prices",
    summary="定价 · Set a price",
    status_code=201,
    responses={200: {"model": Price, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def add_price(
    item_id: UUID, body: PriceIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Price:  # fmt: skip
    """From its first day on it holds for new work; what was agreed before keeps its price."""
    tx.one("prices.lock_item", id=item_id)
    if body.provider_id is not None:
        tx.one("providers.get", id=body.provider_id)
    price = row_id(state.clock, caller, f"price {item_id}", idempotency_key)
    made = tx.run(
        "prices.add_price", id=price, tenant=caller.tenant, item=item_id, now=state.clock.now(), by=caller.id,
        **body.model_dump(),
    )  # fmt: skip
    if made:
        audit.record("set_price", "item", item_id, amount=str(body.amount))
    row = next(row for row in tx.all("prices.of_item", item=item_id) if row["id"] == price)
    answer_created(response, row, body, made=bool(made))
    return Price(**row)


@router.post(
    "/items/{item_id}/prices/{price_id}/end", summary="终止价格 · End a price", dependencies=[require(Role.ADMIN)]
)
def end_price(item_id: UUID, price_id: UUID, body: PriceEnd, tx: Tx, audit: Audit) -> PriceList:
    """On its last day; it can be brought forward, never put off."""
    _item(tx, item_id)
    if not tx.run("prices.end_price", id=price_id, item=item_id, valid_until=body.valid_until):
        raise Conflict("there is no such price, or it ends earlier, or begins later")
    audit.record("end_price", "item", item_id)
    return PriceList(items=[Price(**row) for row in tx.all("prices.of_item", item=item_id)])


@router.get("/quote", summary="试算 · What it would cost", dependencies=[require(*STAFF)])
def get_quote(
    tx: Tx,
    state: State,
    audit: Audit,
    resident: Annotated[UUID, Query()],
    service: Annotated[ServiceCode, Query(examples=["daily-living"])],
    item: Annotated[UUID | None, Query()] = None,
    price: Annotated[Money | None, Query(description="where no item is named")] = None,
    quantity: Quantity = Decimal(1),
    provider: Annotated[UUID | None, Query()] = None,
    day: Annotated[Day | None, Query(description="left out: today")] = None,
) -> Quote:
    """Price and shares, as an order of that day would be settled now."""
    tx.one("residents.exists", resident=resident)
    if (item is None) == (price is None):
        raise BadInput("either an item of the price list or a price")
    what = pricing.Priced(service, item, day or local_day(state.clock.now()))
    total = price
    if item is not None:
        total = pricing.total(pricing.price_on(tx, item, service, provider, what.day), quantity)
    found = pricing.subsidised(tx, resident, what, total or Decimal(0))
    audit.record("quote", "resident", resident, service=service)
    return Quote(day=what.day, price=found.price, subsidy=found.subsidy, own_share=found.own)


def _item(tx: Tx, item: UUID) -> dict[str, Any]:
    return tx.one("prices.items", id=item, service=None, after=None, after_id=None, limit=1)
