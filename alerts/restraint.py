"""Restraint: findings and what people made of earlier ones enter, held-back findings and learned limits leave.

Two things keep alarms worth answering. A kind of alert that led to nothing for a person three times running is held
back for a day: each time counted, with an end, and what still holds then opens its alert. And detectors of the unusual
speak a little later for a person where they were wrong, sooner where they helped, within bounds; every change is a row.
Only what a detector raised as medium or low about a person is ever held back: no event, no emergency, nothing urgent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.types.json import Jsonb

from alerts import metrics
from core.clock import Clock
from core.errors import AnhuError
from core.ids import new_id
from core.logging import get
from core.vocabulary import ALERT_TYPES, EMERGENCY_TYPES, TECHNICAL_TYPES, Outcome, Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.service import Occurrence

log = get(__name__)

RUNNING: Final = 3
"""So many alerts of a kind in a row that led to nothing."""
LOOK_BACK: Final = timedelta(days=14)
HELD_FOR: Final = timedelta(hours=24)
LOAD_OVER: Final = timedelta(hours=24)
NON_ACTIONABLE: Final = frozenset({Outcome.FALSE_ALARM, Outcome.NO_ACTION})
LEARNING: Final = tuple(sorted(kind for kind in ALERT_TYPES if kind.endswith("_unusual")))
LEARNED_OVER: Final = timedelta(days=60)
STEP: Final = 1.1
FACTOR_MIN, FACTOR_MAX = 0.8, 1.5


def may_be_held(found: Occurrence) -> bool:
    """Whether a finding is of the kind that restraint is for."""
    return (
        found.source == "detector"
        and found.resident_id is not None
        and found.severity in (Severity.MEDIUM, Severity.LOW)
        and found.type not in EMERGENCY_TYPES | TECHNICAL_TYPES
    )


def hold(tx: Transaction, clock: Clock, found: Occurrence) -> bool:
    """Hold a finding back where its kind led to nothing again and again; whether it was."""
    if not may_be_held(found):
        return False
    whom = {"institution_id": found.institution_id, "resident_id": found.resident_id, "type": found.type}
    now = clock.now()
    current = tx.first("restraint.current", **whom, now=now)
    if current is None:
        rows = tx.all("restraint.outcomes", **whom, since=now - LOOK_BACK, count=RUNNING)
        if len(rows) < RUNNING or any(row["outcome"] not in NON_ACTIONABLE for row in rows):
            return False
        current = {"id": new_id(clock), "holds": True}
        reason = f"连续 {RUNNING} 次未需处理 / {RUNNING} in a row led to nothing"
        tx.run("restraint.begin", **whom, id=current["id"], reason=reason, now=now, expires=now + HELD_FOR)
    if not current["holds"]:
        return False
    pending = {
        "severity": found.severity, "occurred_at": found.occurred_at.isoformat(), "place": found.place,
        "score": found.score, "evidence": found.evidence, "device_key": found.device_key,
    }  # fmt: skip
    tx.run("restraint.count", id=current["id"], now=now, severity=found.severity, pending=Jsonb(pending))
    metrics.SUPPRESSED.labels(found.type, "throttle").inc()
    return True


def clear(tx: Transaction, found: Occurrence) -> None:
    """The condition is over: nothing of it is left to be raised later."""
    if found.resident_id is not None:
        tx.run("restraint.clear", resident_id=found.resident_id, type=found.type)


def release(tx: Transaction, clock: Clock, raise_again: Callable[[dict[str, Any]], object]) -> int:
    """End what has expired, and raise what still holds; how many were raised."""
    raised = 0
    for row in tx.all("restraint.expired", now=clock.now()):
        try:
            with tx.connection.transaction():  # a savepoint: one row's fault must not hold up the others
                tx.run("restraint.end", id=row["id"], now=clock.now(), by=row["ended_by"])
                if row["pending"] is not None:
                    whom = {name: row[name] for name in ("institution_id", "resident_id", "type")}
                    at = datetime.fromisoformat(row["pending"]["occurred_at"])
                    raise_again({**row["pending"], **whom, "source": "detector", "occurred_at": at})
                    raised += 1
        except (AnhuError, psycopg.IntegrityError, psycopg.DataError):
            log.exception("release_failed", throttle=str(row["id"]))
    return raised


def factor_of(false_alarms: int, useful: int) -> float:
    """How much later a detector of the unusual speaks: up a step by a false alarm, down two by one that helped."""
    return round(min(FACTOR_MAX, max(FACTOR_MIN, STEP ** (false_alarms - 2 * useful))), 4)


def learn(tx: Transaction, clock: Clock) -> int:
    """Bring the personal factors up to what people said of the alerts; how many changed, each with an audit row."""
    changed = 0
    for row in tx.all("restraint.judged", types=list(LEARNING), since=clock.now() - LEARNED_OVER):
        factor = factor_of(row["false_alarms"], row["useful"])
        if factor == row["factor"]:
            continue
        reason = f"{row['false_alarms']} false alarms, {row['useful']} useful in {LEARNED_OVER.days} days"
        whom = {name: row[name] for name in ("institution_id", "resident_id", "type")}
        tx.run("restraint.learned", **whom, now=clock.now(), factor=factor, reason=reason)
        detail = {"type": row["type"], "from": row["factor"], "to": factor, "reason": reason}
        tx.run(
            "audit.append",
            tenant=row["institution_id"],
            now=clock.now(),
            user=None,
            username="",
            role="alerts",
            action="learn_sensitivity",
            object_type="resident",
            object_id=str(row["resident_id"]),
            detail=detail,
            request_id="",
            address="",
            success=True,
            purpose="care",
        )
        changed += 1
    return changed


def show_load(pool: Pool, clock: Clock) -> None:
    """Show how much caregivers were called within the last day. Raises Unavailable when the database is away."""
    with service_transaction(pool) as tx:
        rows = tx.all("restraint.load_per_caregiver", since=clock.now() - LOAD_OVER)
    metrics.show_load(rows)
