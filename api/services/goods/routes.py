"""Routes of products and stock: what is sold, at what price, how many there are."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import (
    LIMIT_DEFAULT,
    Cursor,
    Limit,
    Page,
    cursor_id,
    cursor_number,
    cursor_time,
    decode_cursor,
    page,
)
from api.schemas import Input, Name, ShortText
from api.services.engine.kind import Money
from api.state import State
from api.versions import IfMatch, check_version
from core.errors import BadInput, Conflict
from core.ids import new_id
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/services/goods/products", tags=["services"])
Category = Literal["food", "meal", "medical", "aid", "daily", "other"]
NEWEST = 2**62


class ProductIn(Input):
    """Something to buy."""

    code: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{1,64}$")] = Field(examples=["RICE-5KG"])
    name: Name = Field(examples=["东北大米 5 kg"])
    category: Category = Field(examples=["food"])
    unit: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(default="件", examples=["袋"])
    price: Money
    diets: list[ShortText] = Field(
        default=[], max_length=20, description="what it is suitable for", examples=[["低糖"]]
    )
    provider_id: UUID | None = None


class ProductChange(ProductIn):
    """Everything anew; an order that is under way keeps its price."""

    active: bool = True


class Product(BaseModel):
    """A product with what is left of it."""

    id: UUID
    provider_id: UUID | None
    code: str
    name: str
    category: str
    unit: str
    price: Decimal
    diets: list[str]
    stock: int
    active: bool
    version: int
    created_at: datetime


class StockChange(Input):
    """More by a delivery, or another number by counting."""

    quantity: int = Field(ge=-100_000, le=100_000, description="added; below 0: taken away", examples=[50])
    cause: Literal["delivery", "count"] = Field(examples=["delivery"])


class StockMove(BaseModel):
    """One change of the stock."""

    id: int
    at: datetime
    quantity: int
    cause: str
    record_id: UUID | None


@router.get("", summary="商品目录 · Products", dependencies=[require(*STAFF, Role.FAMILY, Role.PROVIDER)])
def list_products(
    tx: Tx,
    category: Annotated[Category | None, Query()] = None,
    active: Annotated[bool | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Product]:
    """What the institution sells."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("goods.list", category=category, active=active, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Product](items=[Product(**row) for row in shown], next=following)


@router.post("", summary="上架商品 · Add a product", status_code=201, dependencies=[require(Role.ADMIN)])
def create_product(body: ProductIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Product:
    """With nothing in stock yet."""
    product = new_id(state.clock)
    if body.provider_id is not None:
        tx.one("providers.get", id=body.provider_id)
    if not tx.run("goods.insert", id=product, tenant=caller.tenant, now=state.clock.now(), **body.model_dump()):
        raise Conflict("there is a product with this code")
    audit.record("create", "product", product)
    return Product(**tx.one("goods.get", id=product))


@router.put("/{product_id}", summary="修改商品 · Change a product", dependencies=[require(Role.ADMIN)])
def change_product(
    product_id: UUID, body: ProductChange, tx: Tx, state: State, audit: Audit, if_match: IfMatch = None
) -> Product:
    """The code stays. With If-Match, 412 where somebody was quicker."""
    known = tx.one("goods.lock", id=product_id)
    check_version(if_match, known["version"])
    if known["code"] != body.code:
        raise BadInput("the code of a product stays; make a new product")
    tx.run("goods.update", id=product_id, now=state.clock.now(), **body.model_dump(exclude={"code"}))
    audit.record("update", "product", product_id)
    return Product(**tx.one("goods.get", id=product_id))


@router.post("/{product_id}/stock", summary="出入库 · Change the stock", dependencies=[require(*STAFF)])
def change_stock(product_id: UUID, body: StockChange, caller: Caller, tx: Tx, state: State, audit: Audit) -> Product:
    """The stock is never below nothing."""
    if body.quantity == 0:
        raise BadInput("a change of nothing is none")
    tx.one("goods.get", id=product_id)
    if tx.first("goods.put", id=product_id, quantity=body.quantity) is None:
        raise Conflict("there are not so many")
    tx.run(
        "goods.add_move", tenant=caller.tenant, product=product_id, now=state.clock.now(), quantity=body.quantity,
        cause=body.cause, record=None, user=caller.id,
    )  # fmt: skip
    audit.record("stock", "product", product_id, quantity=body.quantity, cause=body.cause)
    return Product(**tx.one("goods.get", id=product_id))


@router.get("/{product_id}/stock", summary="库存流水 · Changes of the stock", dependencies=[require(*STAFF)])
def list_stock_moves(product_id: UUID, tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page[StockMove]:
    """Newest first; together they are the stock."""
    tx.one("goods.get", id=product_id)
    before = decode_cursor(cursor, cursor_number)[0] or NEWEST
    rows = tx.all("goods.moves", product=product_id, before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    return Page[StockMove](items=[StockMove(**row) for row in shown], next=following)
