"""Events of safety devices enter, ticks in their record of checks leave; what is overdue becomes an alert and ends it.

A drill takes the whole way of a real call, page and answer; it is marked from its first word on and counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alerts import service
from alerts.service import Occurrence
from core.clock import Clock
from core.ids import new_id
from core.vocabulary import CHECKED_KINDS, Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

OVERDUE_TYPE = "check_overdue"
TURN_MAX = 500
"""Devices asked for at once; further turns follow."""
INTERVAL_DAYS = 7
"""Unless the platform's setting or the institution says otherwise: once a week."""


def as_drill(
    tx: Transaction, clock: Clock, event: dict[str, Any], found: Occurrence, *, days: int = INTERVAL_DAYS
) -> Occurrence:
    """The occurrence, marked as a drill where one was announced for this device; that is then used up."""
    drill = tx.first(
        "checks.take_drill",
        device_key=event["device_key"],
        event_id=event["event_id"],
        received=event["received"],
        time=event["time"],
        now=clock.now(),
    )
    if drill is None:
        return found
    tick(tx, clock, event, found, how="drill", done_by=drill["announced_by"], days=days)
    note = "演练 / DRILL" + (f"；{found.note}" if found.note else "")
    return replace(found, test=True, note=note, evidence={**found.evidence, "drill": str(drill["id"])})


def tick(
    tx: Transaction,
    clock: Clock,
    event: dict[str, Any],
    found: Occurrence,
    *,
    how: str,
    done_by: object = None,
    days: int = INTERVAL_DAYS,
) -> None:
    """Write down that the device was tried and its call arrived; once for each event.

    days: the platform's interval of checks, for devices of institutions that set none.
    """
    due = tx.first(
        "checks.due", kinds=list(CHECKED_KINDS), key=event["device_key"], days=days, after=-1, due_before=None, limit=1
    )
    tx.run(
        "checks.record",
        id=new_id(clock),
        institution_id=found.institution_id,
        device_key=event["device_key"],
        due_at=due["due_at"] if due else None,
        done_at=event["received"],
        how=how,
        result="passed",
        done_by=done_by,
        event_id=event["event_id"],
        note="",
    )


def raise_overdue(pool: Pool, clock: Clock, days: int) -> int:
    """Open an alert for each device whose check is overdue and close those that were made up for; how many changed.

    Raises Unavailable when the database is away.
    """
    with service_transaction(pool) as tx:
        overdue = {row["key"]: row for row in _all_overdue(tx, clock, days)}
        told = {row["device_key"]: row["institution_id"] for row in tx.all("checks.open_overdue")}
    changes = [_overdue(row, clock) for key, row in overdue.items() if key not in told]
    changes += [_made_up(key, institution, clock) for key, institution in told.items() if key not in overdue]
    for found in changes:
        with service_transaction(pool) as tx:
            service.open_or_append(tx, clock, found)
    return len(changes)


def _all_overdue(tx: Transaction, clock: Clock, days: int) -> Iterator[dict[str, Any]]:
    """Rows of `checks.due`, a turn at a time in the order of their keys."""
    after = -1
    given = {"kinds": list(CHECKED_KINDS), "key": None, "days": days, "due_before": clock.now(), "limit": TURN_MAX}
    while rows := tx.all("checks.due", after=after, **given):
        yield from rows
        after = rows[-1]["key"]


def _overdue(row: dict[str, Any], clock: Clock) -> Occurrence:
    last = row["last_passed_at"]
    return Occurrence(
        institution_id=row["institution_id"],
        type=OVERDUE_TYPE,
        severity=Severity.LOW,
        source="detector",
        occurred_at=clock.now(),
        device_key=row["key"],
        place=str(row["resident_place"] or row["room"] or row["name"] or row["id"]),
        evidence={
            "rule": "check_overdue",
            "version": "1",
            "device_id": row["id"],
            "due_at": row["due_at"].isoformat(),
            "interval_days": row["days"],
            "last_passed_at": last.isoformat() if last else None,
        },
    )


def _made_up(key: int, institution: Any, clock: Clock) -> Occurrence:
    return Occurrence(
        institution_id=institution,
        type=OVERDUE_TYPE,
        severity=Severity.LOW,
        source="detector",
        occurred_at=clock.now(),
        device_key=key,
        evidence={"rule": "check_overdue", "version": "1"},
        phase="cleared",
    )
