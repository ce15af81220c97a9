"""Prices and subsidies of a record: an item, a resident and a day enter, the price and its split leave.

An order carries its price since the assessment. The subsidy is an estimate until settlement, when it is worked out anew
under a lock on the resident, so that a month's ceiling is never passed by two orders that are settled at once.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from api.services.engine.split import NOTHING, Grant, Split, rounded, split
from core.errors import BadInput
from db.tenant import Transaction


class Priced(NamedTuple):
    """What is paid for: which item of which service, when (in China)."""

    service: str
    item: UUID | None
    day: date


def price_on(tx: Transaction, item: UUID, service: str, provider: UUID | None, day: date) -> Decimal:
    """The price of an item on a day; a provider's own goes before the house's. Raises BadInput where there is none."""
    row = tx.first("prices.on_day", item=item, service=service, provider=provider, day=day)
    if row is None:
        raise BadInput(f"there is no such item of this service, or it has no price on {day}")
    amount: Decimal = row["amount"]
    return amount


def total(unit_price: Decimal, quantity: Decimal) -> Decimal:
    """Rounded half up to the fen."""
    return rounded(unit_price * quantity)


def subsidised(tx: Transaction, resident: UUID, what: Priced, price: Decimal) -> Split:
    """The split of a price by the rules that hold on that day for this resident, less what the month has used up."""
    rows = tx.all(
        "prices.rules_for", resident=resident, service=what.service, item=what.item, day=what.day,
        month=what.day.replace(day=1),
    )  # fmt: skip
    return split(price, [_grant(row) for row in rows])


def _grant(row: dict[str, Any]) -> Grant:
    ceiling = row["ceiling_month"]
    room = None if ceiling is None else max(NOTHING, ceiling - row["used"])
    return Grant(row["id"], row["percent"], row["amount"], room)


def settled(tx: Transaction, tenant: UUID, record: UUID, resident: UUID, what: Priced, price: Decimal,
            now: datetime) -> Split:  # fmt: skip
    """The split for good, written down against the month's ceilings."""
    tx.one("residents.lock", resident=resident)
    found = subsidised(tx, resident, what, price)
    for rule, amount in found.parts:
        tx.run(
            "prices.use_rule", tenant=tenant, record=record, rule=rule, resident=resident,
            month=what.day.replace(day=1), amount=amount, now=now,
        )  # fmt: skip
    return found
