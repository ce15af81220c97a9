"""The account of a resident: what is owed and what was paid enters as entries that nobody changes, a balance leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import psycopg

from api.services.engine.kind import Step
from core.errors import Conflict

Cause = Literal["bill", "void", "payment", "deposit", "refund", "credit"]


def post(step: Step, cause: Cause, amount: Decimal, *, method: str = "", reference: str = "") -> None:
    """An entry of a record's resident; nothing for nothing. Raises Conflict for a receipt that is booked already."""
    if not amount:
        return
    try:
        with step.tx.connection.transaction():
            step.tx.run(
                "bills.add_entry", tenant=step.caller.tenant, resident=step.record["resident_id"], now=step.now,
                cause=cause, amount=amount, record=step.record["id"], method=method, reference=reference, note="",
                user=step.by, key=None,
            )  # fmt: skip
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"the receipt {reference} is booked already") from error
