"""Orders and visits, the lifecycle that several services share: a request enters, a settled piece of work leaves.

request → assess → assign → accept → check in → begin → check out → confirm → settle → archive; beside the way: change
of time, cancel, abort. Meals, baths, housework, rehabilitation sessions, care visits at home follow it; what is
special to one of them stays in its own module as rules. The price comes from the price list or is named by hand; the
subsidy likewise comes from the rules or is named; settled is what both give, to the fen.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Storable
from api.services.engine import pricing
from api.services.engine.kind import Money, Note, Plan, Reason, Rule, Step
from api.services.engine.machine import FAMILY, PROVIDER, SAME, STAFF, Machine, machine, move
from core.days import local_day
from core.errors import BadInput, Conflict
from core.vocabulary import Role

DOERS: Final = STAFF | PROVIDER
ASKERS: Final = STAFF | FAMILY
READERS: Final = frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY, Role.PROVIDER})
Place = Annotated[str, Field(max_length=200), Storable]


class Assess(Input):
    """Whether and how it can be done, and what it costs."""

    findings: Annotated[str, Field(max_length=1000), Storable] = Field(default="", examples=["可自行进食，低盐"])
    item_id: UUID | None = Field(default=None, description="of the price list; the price follows from it")
    quantity: Annotated[Decimal, Field(gt=0, le=1000, max_digits=6, decimal_places=2, examples=["1.00"])] = Decimal(1)
    price: Money | None = Field(
        default=None, description="where there is no item of the price list", examples=["80.00"]
    )
    subsidy: Money | None = Field(
        default=None, description="left out: by the subsidy rules, for good at settlement; at most the price"
    )


class Assign(Input):
    """Who does it."""

    provider_id: UUID | None = Field(default=None, description="left out: the institution itself")
    worker_id: UUID | None = None


class CheckIn(Input):
    """The worker has come."""

    place: Place = Field(default="", examples=["A 栋 203 室"])
    photo_consented: bool = Field(default=False, description="the resident agreed to a photo as proof")


class CheckOut(Input):
    """The work is done."""

    done: Annotated[str, Field(min_length=1, max_length=1000), Storable] = Field(examples=["午餐已送达并用完"])


class Confirm(Input):
    """The resident or family confirms and rates the work."""

    stars: int = Field(ge=1, le=5, examples=[5])
    words: Annotated[str, Field(max_length=1000), Storable] = ""


class Settle(Input):
    """How it was paid, or that it goes onto the month's bill."""

    paid: Money | None = Field(
        default=None, description="the own share that was paid; must be price less subsidy", examples=["32.00"]
    )
    on_bill: bool = Field(default=False, description="the own share is left to the month's bill")
    receipt: Annotated[str, Field(max_length=100), Storable] = ""


class OrderDetail(BaseModel):
    """What orders of every service carry beside the columns."""

    note: str = ""
    findings: str = ""
    place: str = ""
    photo_consented: bool = False
    done: str = ""
    stars: int | None = None
    words: str = ""
    paid: Decimal | None = None
    on_bill: bool = False
    settled_on: date | None = None
    receipt: str = ""
    reason: str = ""
    item_id: UUID | None = None
    quantity: Decimal | None = None
    subsidy_by: Literal["hand", "rules"] = Field(
        default="hand", description="who says what the public side pays; by rules it is an estimate until settled"
    )
    certified: bool | None = Field(default=None, description="the worker held a valid certificate when assigned")
    times: dict[str, str] = Field(default_factory=dict, description="when the worker came, began and went")


def order_machine(names: str) -> Machine:
    """The lifecycle under a service's own name (`code 中文 English words`)."""
    return machine(
        names,
        "requested 已申请 Requested, assessed 已评估 Assessed, dispatched 已派单 Dispatched,"
        "accepted 已接单 Accepted, checked_in 已上门签到 Checked in, serving 服务中 Under way,"
        "checked_out 已签退 Checked out, rated 已评价 Rated, settled 已结算 Settled, archived 已归档 Archived,"
        "cancelled 已取消 Cancelled, aborted 异常中止 Aborted",
        move("assess 评估 Assess", "requested", "assessed", STAFF, Assess, "family"),
        move("assign 派单 Assign", "assessed dispatched accepted", "dispatched", STAFF, Assign, "provider worker"),
        move("accept 接单 Accept", "dispatched", "accepted", DOERS, Note, "family"),
        move("decline 拒单 Decline", "dispatched accepted", "assessed", DOERS, Reason, "staff"),
        move("reschedule 改期 Reschedule", "requested assessed dispatched accepted", SAME, ASKERS, Plan,
             "family provider worker staff"),
        move("check_in 上门签到 Check in", "accepted", "checked_in", DOERS, CheckIn),
        move("begin 开始服务 Begin", "checked_in", "serving", DOERS),
        move("check_out 签退 Check out", "serving", "checked_out", DOERS, CheckOut, "family"),
        move("confirm 验收评价 Confirm", "checked_out", "rated", ASKERS, Confirm, "provider"),
        move("settle 结算 Settle", "checked_out rated", "settled", STAFF, Settle, "family provider"),
        move("archive 归档 Archive", "settled", "archived", STAFF),
        move("cancel 取消 Cancel", "requested assessed dispatched accepted", "cancelled", ASKERS, Reason,
             "family provider worker staff"),
        move("abort 异常中止 Abort", "checked_in serving", "aborted", DOERS, Reason, "family staff"),
        due="requested assessed dispatched accepted",
    )  # fmt: skip


def check_subsidy(step: Step) -> None:
    """The public side pays at most everything."""
    if step.record["subsidy"] > step.record["price"]:
        raise BadInput("the subsidy is higher than the price")


def assess(step: Step) -> None:
    """The price by the list or as it is named, the subsidy as it is named or, as an estimate, by the rules."""
    body = step.body
    if (body.item_id is None) == (body.price is None):
        raise BadInput("either an item of the price list or a price")
    step.detail["subsidy_by"] = "rules" if body.subsidy is None else "hand"
    if body.item_id is None:
        # Said anew without an item: what an assessment before had named counts no longer.
        step.detail.pop("item_id", None)
    _set_price(step)


def _set_price(step: Step) -> None:
    """By the price list where an item is named; the estimate of the subsidy follows."""
    record, detail, what = step.record, step.detail, _what(step)
    if what.item is not None:
        unit_price = pricing.price_on(step.tx, what.item, what.service, record["provider_id"], what.day)
        record["price"] = pricing.total(unit_price, Decimal(detail["quantity"]))
    if detail.get("subsidy_by") == "rules":
        record["subsidy"] = pricing.subsidised(step.tx, record["resident_id"], what, record["price"]).subsidy
    check_subsidy(step)


def _what(step: Step) -> pricing.Priced:
    item = step.detail.get("item_id")
    day = local_day(step.record["starts_at"] or step.now)
    return pricing.Priced(step.service, UUID(item) if item else None, day)


def check_provider(step: Step) -> None:
    """Raises BadInput for a provider that does not offer this service now."""
    provider, today = step.record["provider_id"], local_day(step.now)
    if not step.tx.first("records.provider_open", provider=provider, service=step.service, today=today):
        raise BadInput("this provider does not offer the service, is blocked, or its licence has run out")


def assign(step: Step) -> None:
    """A provider that may work and a worker who is free and, it is noted, certified. Raises BadInput, Conflict."""
    record, body, today = step.record, step.body, local_day(step.now)
    record["provider_id"], record["worker_id"] = body.provider_id, body.worker_id
    if record["provider_id"] is not None:
        check_provider(step)
    if step.detail.get("item_id"):
        _set_price(step)
    if record["worker_id"] is not None:
        _check_worker(step, today)


def _check_worker(step: Step, today: date) -> None:
    record = step.record
    worker = step.tx.first(
        "records.worker_free", worker=record["worker_id"], provider=record["provider_id"], record=record["id"],
        starts_at=record["starts_at"], ends_at=record["ends_at"], today=today,
    )  # fmt: skip
    if worker is None:
        raise BadInput("this worker does not work there, or no longer")
    if worker["busy"]:
        raise Conflict("this worker has something else to do at that time")
    step.detail["certified"] = worker["certified"]


def stamp(step: Step) -> None:
    """The time of coming, beginning and going, as the platform saw it."""
    step.detail["times"] = {**step.detail.get("times", {}), step.action: step.now.isoformat()}


def settle(step: Step) -> None:
    """To the fen: what was paid is the price less the subsidy, which by rules is known for good only now.

    What is left to the bill is owed in full, and paid there.
    """
    if (step.body.paid is None) is not step.body.on_bill:
        raise BadInput("either the own share that was paid, or on_bill")
    record = step.record
    if step.detail.get("subsidy_by") == "rules":
        found = pricing.settled(
            step.tx, step.caller.tenant, record["id"], record["resident_id"], _what(step), record["price"], step.now
        )
        record["subsidy"] = found.subsidy
    owed = (record["price"] or Decimal(0)) - (record["subsidy"] or Decimal(0))
    if step.body.paid is not None and step.body.paid != owed:
        raise BadInput(f"the own share is {owed}, not {step.body.paid}")
    step.detail["settled_on"] = local_day(step.now).isoformat()


RULES: Final[dict[str, Rule]] = {
    "assess": assess,
    "assign": assign,
    "check_in": stamp,
    "begin": stamp,
    "check_out": stamp,
    "settle": settle,
}
"""Start from these in a kind: `rules={**orders.RULES, "create": ...}`."""
