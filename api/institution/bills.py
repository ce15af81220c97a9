"""Bills of the month: agreed fees, days in the house and settled orders enter, the kind of record leaves.

Its money is the ledger's. An order is on one bill at most; what is out is never changed, only credited or void.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.institution import ledger
from api.institution.billing import Fee, Line, Price, Span, bill_lines, total_of
from api.institution.keeping import Day
from api.institution.rules import HouseRules, rules_of
from api.schemas import Input, Storable
from api.services.engine.kind import HOUSE, Note, Reason, RecordIn, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, FAMILY, SAME, STAFF, machine, move
from core.days import end_of_day, local_day
from core.errors import BadInput, Conflict
from db.tenant import Transaction

Method = Literal["cash", "card", "transfer", "wechat", "alipay"]
Amount = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=9, decimal_places=2, examples=["3800.00"])]
MONTH: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class BillIn(RecordIn):
    """Whose bill for which month."""

    month: Annotated[str, Field(pattern=MONTH)] = Field(examples=["2026-03"])


class Issue(Input):
    """The bill goes out."""

    due_on: Day = Field(description="until when it is to be paid")


class Pay(Input):
    """Money that came."""

    paid: Amount
    method: Method = Field(examples=["transfer"])
    reference: Annotated[str, Field(max_length=100), Storable] = Field(
        default="", description="the receipt; one is booked once", examples=["20260405-0017"]
    )


class Credit(Input):
    """Less is owed than the bill says."""

    credited: Amount
    reason: Text = Field(examples=["助浴未做满，退 20 元"])


class BillLine(BaseModel):
    """A line of a bill; below zero: less for days away."""

    title: str = Field(examples=["护理型床位费"])
    unit: str = Field(examples=["month"])
    unit_price: Decimal = Field(examples=["3800.00"])
    quantity: Decimal = Field(examples=["1.00"])
    begin: date
    until: date
    days: int
    amount: Decimal = Field(examples=["3800.00"])
    record_id: UUID | None = Field(default=None, description="the order that was left to the bill")
    subsidy: Decimal | None = Field(default=None, description="of the order: what the public side pays")


class BillDetail(BaseModel):
    """A bill; the price of the record is its total, the sum of the lines."""

    month: str
    lines: list[BillLine] = []
    issued_at: datetime | None = None
    due_on: date | None = None
    paid_so_far: Decimal = Decimal("0.00")
    credited_so_far: Decimal = Decimal("0.00")
    reason: str = ""


def draw_up(step: Step) -> None:
    """Lines of the month as it is known now; before it is over it may still change."""
    resident, month = step.record["resident_id"], date.fromisoformat(f"{step.detail['month']}-01")
    if month > local_day(step.now):
        raise BadInput("the month has not begun")
    step.tx.one("residents.lock", resident=resident)
    if step.tx.first("bills.of_month", resident=resident, month=step.detail["month"], record=step.record["id"]):
        raise Conflict("there is a bill of this month already; void it first")
    step.tx.run("bills.let_go_of_orders", bill=step.record["id"])
    lines = month_lines(step.tx, step.caller.tenant, resident, month)
    if not total_of(lines):
        raise BadInput("there is nothing to pay for: no agreed fees, not a day in the house, no order left to the bill")
    step.detail["lines"] = [_shown(line) for line in lines]
    step.record["price"], step.record["subsidy"] = total_of(lines), Decimal(0)
    step.record["title"] = step.record["title"] or f"{step.detail['month']} 账单"


def keep_orders(step: Step) -> None:
    """The orders of the lines are this bill's; the row of the bill is there by now."""
    for line in step.detail["lines"]:
        if line["record_id"]:
            step.tx.run(
                "bills.take_order", tenant=step.caller.tenant, record=UUID(line["record_id"]), bill=step.record["id"]
            )


def month_lines(tx: Transaction, tenant: UUID, resident: UUID, month: date) -> list[Line]:
    """What a month costs somebody. Raises BadInput where a fee has no price."""
    rules = rules_of(tx, tenant)
    spans = [Span(local_day(row["used_from"]), local_day(row["used_to"]) if row["used_to"] else None)
             for row in tx.all("bills.spans", resident=resident)]  # fmt: skip
    fees = [_fee(tx, row, rules) for row in tx.all("bills.fees", resident=resident)]
    full_price = timedelta(days=rules.absence_from_days)
    away = [Span(local_day(row["begins_at"]) + full_price, local_day(row["ended_at"]) if row["ended_at"] else None)
            for row in tx.all("bills.absences", resident=resident)]  # fmt: skip
    try:
        return bill_lines(month, spans, fees, away) + _order_lines(tx, resident, month)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _order_lines(tx: Transaction, resident: UUID, month: date) -> list[Line]:
    """Settled orders of the month, and of months before that were late: the own share, once."""
    rows = tx.all("bills.orders", resident=resident, before=next_month(month))
    return [
        Line(row["title"], "time", row["price"], Decimal(1), row["day"], row["day"], 1, row["price"] - row["subsidy"],
             row["id"], row["subsidy"])
        for row in rows
    ]  # fmt: skip


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _fee(tx: Transaction, row: dict[str, Any], rules: HouseRules) -> Fee:
    if row["amount"] is not None:
        prices: tuple[Price, ...] = (Price(row["amount"], date.min, None),)
    else:
        listed = tx.all("prices.of_item", item=row["item_id"])
        prices = tuple(
            Price(one["amount"], one["valid_from"], one["valid_until"])
            for one in listed
            if one["provider_id"] is None
        )  # fmt: skip
    less = not rules.absence_items or row["item_id"] in rules.absence_items
    percent = rules.absence_percent if less and rules.absence_percent is not None else Decimal(0)
    return Fee(row["name"], row["unit"], row["quantity"], row["valid_from"], row["valid_until"], prices, percent)


def _shown(line: Line) -> dict[str, Any]:
    return {
        "title": line.title, "unit": line.unit, "unit_price": str(line.unit_price), "quantity": str(line.quantity),
        "begin": line.begin.isoformat(), "until": line.until.isoformat(), "days": line.days,
        "amount": str(line.amount), "record_id": str(line.record) if line.record else None,
        "subsidy": None if line.subsidy is None else str(line.subsidy),
    }  # fmt: skip


def issue(step: Step) -> None:
    """A month that is over; from now on it is owed."""
    first = date.fromisoformat(f"{step.detail['month']}-01")
    today = local_day(step.now)
    if (today.year, today.month) <= (first.year, first.month) and not step.tx.first(
        "bills.has_left", resident=step.record["resident_id"]
    ):
        raise Conflict("the month is not over, and the person has not left")
    if step.body.due_on < today:
        raise BadInput("due_on lies in the past")
    step.detail["issued_at"] = step.now.isoformat()
    step.record["due_at"] = end_of_day(step.body.due_on)
    ledger.post(step, "bill", step.record["price"])


def pay_part(step: Step) -> None:
    """Less than what is owed."""
    if step.body.paid >= _owed(step):
        raise BadInput(f"{_owed(step)} is owed; use pay for all of it")
    _book(step)


def pay(step: Step) -> None:
    """What is still owed, to the fen."""
    if step.body.paid != _owed(step):
        raise BadInput(f"{_owed(step)} is owed, not {step.body.paid}")
    _book(step)


def _owed(step: Step) -> Decimal:
    owed: Decimal = step.record["price"] - _so_far(step, "paid_so_far") - _so_far(step, "credited_so_far")
    return owed


def _so_far(step: Step, word: str) -> Decimal:
    return Decimal(step.detail.get(word, "0.00"))


def _book(step: Step) -> None:
    ledger.post(step, "payment", -step.body.paid, method=step.body.method, reference=step.body.reference)
    step.detail["paid_so_far"] = str(_so_far(step, "paid_so_far") + step.body.paid)
    for word in ("paid", "method", "reference"):
        # Of each payment in its own event and in the ledger, not of the last one on the bill.
        step.detail.pop(word, None)


def credit(step: Step) -> None:
    """Less is owed; of a paid bill it is to the person's credit."""
    step.detail.pop("credited")
    room = _owed(step) if step.was == "issued" else step.record["price"] - _so_far(step, "credited_so_far")
    if step.body.credited > room or (step.was == "issued" and step.body.credited == room):
        raise BadInput(f"less than {room} can be credited; write_off ends a bill of which nothing more is to be paid")
    _credit(step, step.body.credited)


def write_off(step: Step) -> None:
    """What is still owed is credited."""
    _credit(step, _owed(step))


def _credit(step: Step, amount: Decimal) -> None:
    ledger.post(step, "credit", -amount)
    step.detail["credited_so_far"] = str(_so_far(step, "credited_so_far") + amount)


def void(step: Step) -> None:
    """What was owed is owed no longer; what was paid stays to the person's credit; its orders wait for another bill."""
    if step.was == "issued":
        ledger.post(step, "void", _so_far(step, "credited_so_far") - step.record["price"])
    step.tx.run("bills.let_go_of_orders", bill=step.record["id"])


BILL: Final = RecordKind(
    service=HOUSE,
    machine=machine(
        "bill 账单 Bill",
        "draft 草稿 Draft, issued 已出账 Issued, paid 已付清 Paid, void 已作废 Void",
        move("draw_up 重新计算 Draw up again", "draft", SAME, ADMIN, Note),
        move("issue 出账 Issue", "draft", "issued", ADMIN, Issue, "family"),
        move("pay_part 部分付款 Pay a part", "issued", SAME, STAFF, Pay, "family"),
        move("pay 付清 Pay", "issued", "paid", STAFF, Pay, "family"),
        move("credit 冲减 Credit", "issued paid", SAME, ADMIN, Credit, "family"),
        move("write_off 余额核销 Write off the rest", "issued", "paid", ADMIN, Reason, "family"),
        move("void 作废 Void", "draft issued", "void", ADMIN, Reason, "family"),
        due="issued",
    ),
    path="bills",
    create=BillIn,
    creators=ADMIN,
    readers=STAFF | FAMILY,
    detail=BillDetail,
    rules={
        "create": draw_up, "draw_up": draw_up, "issue": issue, "pay_part": pay_part, "pay": pay, "credit": credit,
        "write_off": write_off, "void": void,
    },
    after={"create": keep_orders, "draw_up": keep_orders},
)  # fmt: skip
