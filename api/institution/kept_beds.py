"""Beds that wait for somebody: absences and reservations enter; warnings, and in time free beds, leave.

The jobs run it. Who lives here and is away goes on living here; whoever comes back is given a bed again (`transfer`).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import psycopg

from api.institution.stays import STAY
from api.services.engine import records
from api.services.engine.kind import Reason, Step, platform_account
from api.services.engine.machine import SAME
from core import logging
from core.clock import Clock
from core.days import local_day
from core.errors import AnhuError
from db.pool import Pool
from db.tenant import Transaction, service_transaction

BATCH: Final = 500
log = logging.get(__name__)


def free_kept_beds(pool: Pool, clock: Clock) -> int:
    """Warn of beds that will be given away, and give away those whose time is over; how many. Raises Unavailable."""
    done, today = 0, local_day(clock.now())
    with service_transaction(pool) as tx:
        for row in tx.all("house_rules.kept_beds", now=clock.now(), limit=BATCH):
            last, since = _last_day(row)
            if last is None:
                continue
            try:
                with tx.connection.transaction():
                    if today > last:
                        _free(tx, clock, row)
                        done += 1
                    elif today >= last - timedelta(days=row["warn_days"]) and not _was_warned(row, since):
                        _warn(tx, clock, row, last)
            except (AnhuError, psycopg.Error) as error:
                # One bed that cannot be freed does not hold up the others.
                log.warning("bed stays kept", record=str(row["id"]), error=str(error))
    return done


def _last_day(row: dict[str, Any]) -> tuple[date | None, date]:
    """The last day on which the bed is kept, and since when it waits."""
    if row["state"] == "reserved":
        reserved = date.fromisoformat(row["detail"].get("reserved_on", "2000-01-01"))
        return (local_day(row["due_at"]) if row["due_at"] else None), reserved
    since = local_day(row["away_since"])
    return (None if row["keep_bed_days"] is None else since + timedelta(days=row["keep_bed_days"])), since


def _was_warned(row: dict[str, Any], since: date) -> bool:
    warned = row["detail"].get("bed_warned_on")
    return warned is not None and date.fromisoformat(warned) >= since


def _warn(tx: Transaction, clock: Clock, row: dict[str, Any], last: date) -> None:
    tx.run(
        "records.notify", tenant=row["institution_id"], record=row["id"], now=clock.now(), by=None,
        groups=["family", "staff"], scope=None, resident=row["resident_id"], provider=None, worker=None, creator=None,
        zh=f"床位保留至 {last}，逾期将释放 {row['detail'].get('bed', '')}",
        en=f"the bed is kept until {last} and then given away",
    )  # fmt: skip
    tx.run("house_rules.warned", record=row["id"], today=local_day(clock.now()))


def _free(tx: Transaction, clock: Clock, row: dict[str, Any]) -> None:
    action = "lapse" if row["state"] == "reserved" else "free_bed"
    move, before = STAY.machine.move(action), row["state"]
    row["state"] = before if move.target == SAME else move.target
    body = Reason(reason="留床期已满 · the time for which it was kept is over")
    step = Step(tx, clock, platform_account(row["institution_id"]), STAY.service, action, row, body, was=before)
    records.carry_out(step, STAY)
