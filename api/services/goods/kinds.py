"""Orders of goods: a basket enters, stock is taken at once and given back when the order ends otherwise.

Prices and names are frozen into the order when it is made. All goods of one order come from one provider.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.institution import ledger
from api.schemas import Input, Storable
from api.services.engine import orders
from api.services.engine.kind import Money, Note, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import FAMILY, PROVIDER, STAFF, machine, move
from core.errors import BadInput, Conflict, Forbidden

ASKERS: Final = STAFF | FAMILY
DOERS: Final = STAFF | PROVIDER
PAY_MINUTES: Final = 30
RETURN_DAYS: Final = 7
"""Within how long goods can be given back, as the consumer law has it for things bought at a distance."""


class Line(Input):
    """So many of one product."""

    product_id: UUID
    quantity: int = Field(ge=1, le=1000)


class OrderIn(RecordIn, Note):
    """A basket, and where it goes."""

    lines: list[Line] = Field(min_length=1, max_length=50)
    address: Annotated[str, Field(max_length=200), Storable] = Field(default="", examples=["A 栋 203 室"])
    diet_override: bool = Field(default=False, description="although it does not fit the resident's diet")
    diets: list[Annotated[str, Field(max_length=50), Storable]] = Field(
        default=[], max_length=20, description="what food must be suitable for", examples=[["低糖"]]
    )


class Pay(Input):
    """How it was paid."""

    method: Literal["cash", "card", "wechat", "alipay", "account"] = Field(examples=["wechat"])
    paid: Money
    reference: Annotated[str, Field(max_length=100), Storable] = ""


class Refund(Input):
    """What is paid back."""

    refunded: Money
    reference: Annotated[str, Field(max_length=100), Storable] = ""


class Receive(Input):
    """Signed for."""

    received_by: Annotated[str, Field(min_length=1, max_length=100), Storable] = Field(examples=["王秀英"])


class OrderDetail(BaseModel):
    """An order with its goods as they were when it was made."""

    lines: list[dict[str, Any]]
    address: str = ""
    diets: list[str] = []
    diet_override: bool = False
    method: str = ""
    paid: Decimal | None = None
    refunded: Decimal | None = None
    reference: str = ""
    received_by: str = ""
    received_at: datetime | None = None
    stars: int | None = None
    words: str = ""
    note: str = ""
    reason: str = ""


def buy(step: Step) -> None:
    """Take every line from the stock, or none. Raises Conflict naming what is short, BadInput for mixed providers."""
    wanted: dict[UUID, int] = {}
    for line in step.body.lines:
        wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
    goods, providers, total = [], set(), Decimal(0)
    # In the order of ids, so that two baskets with the same goods never wait for each other in a circle.
    for product, quantity in sorted(wanted.items()):
        row = step.tx.first("goods.take", id=product, quantity=quantity)
        if row is None:
            known = step.tx.first("goods.get", id=product)
            if known is None:
                raise BadInput(f"there is no product {product}")
            raise Conflict(f"{known['name']}: {known['stock']} left" if known["active"] else f"{known['name']} is gone")
        _check_diet(step, row)
        step.tx.run(
            "goods.add_move", tenant=step.caller.tenant, product=product, now=step.now, quantity=-quantity,
            cause="order", record=step.record["id"], user=step.by,
        )  # fmt: skip
        providers.add(row["provider_id"])
        total += row["price"] * quantity
        goods.append(
            {"product_id": str(product), "code": row["code"], "name": row["name"], "unit": row["unit"],
             "quantity": quantity, "price": str(row["price"])}
        )  # fmt: skip
    if len(providers) > 1:
        raise BadInput("the goods of one order come from one provider; make one order for each")
    step.detail["lines"] = goods
    step.record["price"], step.record["subsidy"] = total, Decimal(0)
    step.record["provider_id"] = providers.pop()
    step.record["due_at"] = step.now + timedelta(minutes=PAY_MINUTES)


def _check_diet(step: Step, product: dict[str, Any]) -> None:
    unfit = sorted(set(step.body.diets) - set(product["diets"]))
    if unfit and not step.body.diet_override:
        raise Conflict(
            f"{product['name']} is not marked as {', '.join(unfit)}; order with diet_override if it is wanted"
        )


def pay(step: Step) -> None:
    """To the fen; from the account means that it is owed there."""
    owed = step.record["price"] - step.record["subsidy"]
    if step.body.paid != owed:
        raise BadInput(f"{owed} is owed, not {step.body.paid}")
    if step.body.method == "account":
        ledger.post(step, "bill", owed)
    step.record["due_at"] = step.record["ends_at"]


def _give_back(step: Step, cause: str) -> None:
    for line in step.detail["lines"]:
        product, quantity = UUID(line["product_id"]), line["quantity"]
        step.tx.first("goods.put", id=product, quantity=quantity)
        step.tx.run(
            "goods.add_move", tenant=step.caller.tenant, product=product, now=step.now, quantity=quantity, cause=cause,
            record=step.record["id"], user=step.by,
        )  # fmt: skip


def release(step: Step) -> None:
    """Into the stock again; family does not cancel what is packed."""
    _give_back(step, "release")


def receive(step: Step) -> None:
    """The days for giving back begin."""
    step.detail["received_at"] = step.now.isoformat()


def send_back(step: Step) -> None:
    """Within the days for it."""
    if step.now - datetime.fromisoformat(step.detail["received_at"]) > timedelta(days=RETURN_DAYS):
        raise Conflict(f"goods are given back within {RETURN_DAYS} days")
    _give_back(step, "return")


def refund(step: Step) -> None:
    """All that was paid."""
    if not step.detail.get("paid"):
        raise Conflict("nothing was paid")
    if Decimal(str(step.detail["paid"])) != step.body.refunded:
        raise BadInput(f"{step.detail['paid']} was paid")
    if step.detail.get("method") == "account":
        ledger.post(step, "credit", -step.body.refunded)


def cancel(step: Step) -> None:
    """Until it is packed; after that only who packs it."""
    if step.caller.role in FAMILY and step.was == "packing":
        raise Forbidden("it is being packed already; ask the staff")
    release(step)


ORDER: Final = RecordKind(
    service="goods",
    machine=machine(
        "order 订单 Order",
        "unpaid 待支付 Unpaid, placed 已下单 Placed, accepted 已接单 Accepted, packing 备货中 Packing,"
        "delivering 配送中 On the way, received 已签收 Received, rated 已评价 Rated, cancelled 已取消 Cancelled,"
        "refused 已拒收 Refused, returned 已退货 Returned, refunded 已退款 Refunded",
        move("pay 支付 Pay", "unpaid", "placed", ASKERS, Pay, "provider"),
        move("accept 接单 Accept", "placed", "accepted", DOERS, Note, "family"),
        move("pack 备货 Pack", "accepted", "packing", DOERS, Note),
        move("deliver 配送 Deliver", "packing", "delivering", DOERS, Note, "family"),
        move("receive 签收 Receive", "delivering", "received", STAFF | FAMILY | PROVIDER, Receive, "family provider"),
        move("rate 评价 Rate", "received", "rated", ASKERS, orders.Confirm, "provider"),
        move("cancel 取消 Cancel", "unpaid placed accepted packing", "cancelled", ASKERS, Reason,
             "family provider staff"),
        move("refuse 拒收 Refuse", "delivering", "refused", STAFF | FAMILY | PROVIDER, Reason, "provider staff"),
        move("give_back 退货 Give back", "received rated", "returned", ASKERS, Reason, "provider staff"),
        move("refund 退款 Refund", "cancelled refused returned", "refunded", STAFF, Refund, "family"),
        due="unpaid placed accepted packing delivering",
    ),
    path="orders",
    create=OrderIn,
    creators=ASKERS,
    readers=orders.READERS,
    detail=OrderDetail,
    timeouts={"unpaid": "cancel"},
    rules={
        "create": buy, "pay": pay, "cancel": cancel, "refuse": release, "receive": receive, "give_back": send_back,
        "refund": refund,
    },
)  # fmt: skip
KINDS: Final = (ORDER,)
