"""Routes of money: agreed fees, payments and the month's run of bills enter, accounts with balances leave."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from api.access import resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.bills import BILL, MONTH, Amount, BillIn, Method, next_month
from api.institution.keeping import Day, answer_created, row_id
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_amount, cursor_id, cursor_number, decode_cursor, page
from api.residents.routes import IdempotencyKey
from api.schemas import Input, ShortText
from api.services.engine import records
from api.services.engine.kind import Money
from api.state import State
from core.days import CHINA
from core.errors import AnhuError, BadInput, Conflict
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["institution"])
READERS: Final = (*STAFF, Role.FAMILY)
RUN_MAX: Final = 200
"""So many bills are drawn up by one request."""


class FeeIn(Input):
    """Something that somebody pays: an item of the house's price list, perhaps at an amount that was agreed."""

    item_id: UUID
    quantity: Annotated[Decimal, Field(gt=0, le=1000, max_digits=6, decimal_places=2, examples=["1.00"])] = Decimal(1)
    amount: Money | None = Field(default=None, description="left out: by the price list")
    valid_from: Day
    valid_until: Day | None = None

    @model_validator(mode="after")
    def _ordered(self) -> FeeIn:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class FeeEnd(Input):
    """The last day of a fee."""

    valid_until: Day


class Fee(BaseModel):
    """What somebody pays."""

    id: UUID
    item_id: UUID
    name: str = Field(examples=["护理型床位费"])
    unit: str = Field(examples=["month"])
    quantity: Decimal
    amount: Decimal | None
    valid_from: date
    valid_until: date | None
    created_at: datetime


class FeeList(BaseModel):
    """What somebody pays, by item."""

    items: list[Fee]
    next: None = None


class PaymentIn(Input):
    """Money beside a bill: a deposit, an advance, money given back."""

    cause: Literal["payment", "deposit", "refund"] = Field(examples=["deposit"])
    amount: Amount
    method: Method = Field(examples=["transfer"])
    reference: ShortText = Field(default="", description="the receipt; one is booked once", examples=["20260301-0003"])
    note: ShortText = ""


class Entry(BaseModel):
    """An entry; owed is above zero, paid below."""

    seq: int
    at: datetime
    cause: str = Field(examples=["payment"])
    amount: Decimal = Field(examples=["-3800.00"])
    record_id: UUID | None = Field(description="the bill")
    method: str
    reference: str
    note: str


class AccountPage(Page[Entry]):
    """The account, newest first."""

    balance: Decimal = Field(description="above zero: owed; below: to the person's credit", examples=["0.00"])
    deposits: Decimal = Field(description="paid as deposits, part of the balance", examples=["5000.00"])


class Balance(BaseModel):
    """Somebody with an open balance."""

    resident_id: UUID
    name: str
    balance: Decimal = Field(examples=["3800.00"])


class RunIn(Input):
    """For which month."""

    month: Annotated[str, Field(pattern=MONTH)] = Field(examples=["2026-03"])


class NotDrawn(BaseModel):
    """Whose bill could not be drawn up, and why."""

    resident_id: UUID
    reason: str


class Run(BaseModel):
    """What the run made; with `more`, ask again."""

    made: list[UUID]
    failed: list[NotDrawn]
    more: bool


@router.get("/residents/{resident_id}/fees", summary="收费约定 · Agreed fees", dependencies=[require(*STAFF)])
def list_fees(resident_id: UUID, tx: Tx, audit: Audit) -> FeeList:
    """Present, past and to come."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_fees", "resident", resident_id)
    return FeeList(items=[Fee(**row) for row in tx.all("bills.fees", resident=resident_id)])


@router.post(
    "/residents/{resident_id}/fees",
    summary="约定收费 · Agree on a fee",
    status_code=201,
    responses={200: {"model": Fee, "description": "made before, by the same Idempotency-Key"}},
    dependencies=[require(Role.ADMIN)],
)
def add_fee(
    resident_id: UUID, body: FeeIn, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Fee:  # fmt: skip
    """Charged for the days in the house; bills that are out stay as they are."""
    tx.one("residents.exists", resident=resident_id)
    item = tx.first("bills.fee_item", item=body.item_id)
    if item is None or item["unit"] == "hour":
        raise BadInput("there is no such fee of the house")
    fee = row_id(state.clock, caller, f"fee {resident_id}", idempotency_key)
    made = tx.run(
        "bills.add_fee", id=fee, tenant=caller.tenant, resident=resident_id, now=state.clock.now(), **body.model_dump()
    )
    if made:
        audit.record("add_fee", "resident", resident_id, fee=str(fee))
    row = next(row for row in tx.all("bills.fees", resident=resident_id) if row["id"] == fee)
    answer_created(response, row, body, made=bool(made))
    return Fee(**row)


@router.post(
    "/residents/{resident_id}/fees/{fee_id}/end", summary="终止收费 · End a fee", dependencies=[require(Role.ADMIN)]
)
def end_fee(resident_id: UUID, fee_id: UUID, body: FeeEnd, tx: Tx, audit: Audit) -> FeeList:
    """On its last day; it can be brought forward, never put off."""
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("bills.end_fee", id=fee_id, resident=resident_id, valid_until=body.valid_until):
        raise Conflict("there is no such fee, or it ends earlier, or begins later")
    audit.record("end_fee", "resident", resident_id, fee=str(fee_id))
    return FeeList(items=[Fee(**row) for row in tx.all("bills.fees", resident=resident_id)])


@router.get("/residents/{resident_id}/account", summary="费用账户 · Account", dependencies=[require(*READERS)])
def read_account(
    resident_id: UUID, caller: Caller, tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> AccountPage:
    """Bills and payments with the balance."""
    resident_scopes(tx, caller, resident_id)
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("bills.entries", resident=resident_id, before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["seq"],))
    audit.record("read_account", "resident", resident_id)
    return AccountPage(
        items=[Entry(**row) for row in shown], next=following, **tx.one("bills.balance", resident=resident_id)
    )


@router.post(
    "/residents/{resident_id}/account",
    summary="登记收付款 · Money beside a bill",
    status_code=201,
    dependencies=[require(*STAFF)],
)
def add_payment(
    resident_id: UUID, body: PaymentIn, caller: Caller, tx: Tx, state: State, audit: Audit,
    idempotency_key: IdempotencyKey = None,
) -> AccountPage:  # fmt: skip
    """A refund is at most what is to the person's credit; one Idempotency-Key books once."""
    tx.one("residents.lock", resident=resident_id)
    amount = body.amount if body.cause == "refund" else -body.amount
    key = row_id(state.clock, caller, f"payment {resident_id}", idempotency_key)
    known = tx.first("bills.entry_of_key", key=key)
    if known is None:
        credit = -tx.one("bills.balance", resident=resident_id)["balance"]
        if body.cause == "refund" and body.amount > credit:
            raise Conflict(f"{max(credit, Decimal('0.00'))} is to the person's credit")
        tx.run(
            "bills.add_entry", tenant=caller.tenant, resident=resident_id, now=state.clock.now(), cause=body.cause,
            amount=amount, record=None, method=body.method, reference=body.reference, note=body.note, user=caller.id,
            key=key,
        )  # fmt: skip
        audit.record(body.cause, "account", resident_id, amount=str(body.amount))
    elif (known["cause"], known["amount"]) != (body.cause, amount):
        raise Conflict(records.LATE_CREATE)
    rows = tx.all("bills.entries", resident=resident_id, before=None, limit=LIMIT_DEFAULT)
    return AccountPage(items=[Entry(**row) for row in rows], **tx.one("bills.balance", resident=resident_id))


@router.get("/institution/balances", summary="未结余额 · Open balances", dependencies=[require(*STAFF)])
def list_balances(tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page[Balance]:
    """Who owes most comes first; credits come last."""
    before, before_id = decode_cursor(cursor, cursor_amount, cursor_id)
    rows = tx.all("bills.balances", before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (str(row["balance"]), row["resident_id"]))
    audit.record("list", "account", "", residents=[str(row["resident_id"]) for row in shown])
    return Page[Balance](items=[Balance(**row) for row in shown], next=following)


@router.post("/institution/bills-run", summary="批量出账单 · Draw up a month", dependencies=[require(Role.ADMIN)])
def run_bills(body: RunIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Run:
    """A draft for everybody who had a bed in the month or left orders to the bill, and has no bill of it; again makes
    none twice.
    """
    first = date.fromisoformat(f"{body.month}-01")
    last = next_month(first)
    begins, ends = (datetime.combine(day, time.min, tzinfo=CHINA) for day in (first, last))
    rows = tx.all("bills.without", first=first, last=last, begins=begins, ends=ends, month=body.month, limit=RUN_MAX)
    made, failed = list[UUID](), list[NotDrawn]()
    for row in rows:
        wanted = BillIn(resident_id=row["id"], month=body.month)
        try:
            with tx.connection.transaction():
                record, _ = records.create(tx, state.clock, audit, caller, BILL, wanted, None)
            made.append(record["id"])
        except AnhuError as error:
            # One bill that cannot be drawn up does not hold up the others.
            failed.append(NotDrawn(resident_id=row["id"], reason=str(error)))
    return Run(made=made, failed=failed, more=len(rows) == RUN_MAX and bool(made))
