"""What the platform does to records by itself: the time enters; overdue records and followed emergencies leave changed.

The jobs run it. A record past due goes the way that its kind declares (a visit is missed, a contract expires, an unpaid
basket goes back into stock). An emergency of a resident gets its incident, which then follows the alert.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from pydantic import BaseModel

from api.services.engine import records
from api.services.engine.kind import COLUMNS, Note, Reason, RecordKind, Step, platform_account
from api.services.engine.machine import Move
from api.services.registry import KINDS
from api.services.rescue.kinds import ENDS, FOLLOWS, INCIDENT
from core import logging
from core.clock import Clock
from core.errors import AnhuError
from core.ids import new_id
from db.pool import Pool
from db.tenant import Transaction, service_transaction

BATCH: Final = 200
RETRY: Final = timedelta(hours=1)
INCIDENT_DAYS: Final = 7
"""Older emergencies without an incident are left alone: a new installation does not rewrite history."""
LEAVING: Final[dict[tuple[str, str], str]] = {
    ("health", "plan"): "end",
    ("health", "reminder"): "cancel",
    ("goods", "order"): "cancel",
    ("daily-living", "order"): "cancel",
    ("rehabilitation", "plan"): "close",
    ("rehabilitation", "session"): "cancel",
    ("companionship", "visit"): "decline",
    ("medical", "contract"): "end",
    ("assessment", "assessment"): "cancel",
    ("home-care", "bed"): "remove",
    ("home-care", "respite"): "cancel",
}
"""What becomes of what is not begun or goes on without end, when its resident has left for good."""
_GONE: Final = "老人已离院 · the resident has left for good"
_WORDS: Final = "到期自动处理 · by the platform, past due"
_FOLLOWED: Final = "随报警更新 · follows its alert"

log = logging.get(__name__)


def act_on_past_due(pool: Pool, clock: Clock) -> int:
    """Records whose time is over, at most `BATCH`; how many were changed. Raises Unavailable."""
    stands = [f"{kind.service}/{kind.code}/{state}" for kind in KINDS.values() for state in kind.timeouts]
    waited_for = [f"{kind.service}/{kind.code}/{state}" for kind in KINDS.values() for state in kind.machine.due]
    done = 0
    with service_transaction(pool) as tx:
        tx.run("records.let_go", now=clock.now(), stands=waited_for, limit=BATCH)
        for row in tx.all("records.past_due", now=clock.now(), stands=stands, limit=BATCH):
            kind = KINDS[row["service"], row["kind"]]
            try:
                with tx.connection.transaction():
                    _act(tx, clock, kind, row, kind.timeouts[row["state"]], _WORDS)
                done += 1
            except (AnhuError, psycopg.Error) as error:
                # One record that cannot go on does not hold up the others.
                log.warning("record stays past due", record=str(row["id"]), error=str(error))
                tx.run("records.put_off", id=row["id"], due_at=clock.now() + RETRY)
    return done


def end_with_residents(pool: Pool, clock: Clock) -> int:
    """End what still runs for people who have moved out or died, at most `BATCH`; how many. Raises Unavailable."""
    stands = [
        f"{service}/{code}/{state}"
        for (service, code), action in LEAVING.items()
        for state in KINDS[service, code].machine.move(action).sources
    ]
    done = 0
    with service_transaction(pool) as tx:
        for row in tx.all("stays.unfinished_of_gone", stands=stands, limit=BATCH):
            kind = KINDS[row["service"], row["kind"]]
            try:
                with tx.connection.transaction():
                    _act(tx, clock, kind, row, LEAVING[kind.service, kind.code], _GONE)
                done += 1
            except (AnhuError, psycopg.Error) as error:
                log.warning("record of somebody who has left stays", record=str(row["id"]), error=str(error))
    return done


def follow_alerts(pool: Pool, clock: Clock) -> int:
    """Open an incident for each new emergency, and let incidents follow their alerts. Raises Unavailable."""
    with service_transaction(pool) as tx:
        since = clock.now() - timedelta(days=INCIDENT_DAYS)
        opened = [open_incident(tx, clock, row) for row in tx.all("rescue.without_incident", since=since, limit=BATCH)]
        behind = tx.all("rescue.behind_alert", limit=BATCH)
        for one in behind:
            row = tx.one("records.for_platform", id=one["id"])
            if one["alert_state"] == "resolved":
                row["detail"]["outcome"] = one["outcome"]
                action = ENDS.get(one["outcome"], "clear")
                if action == "note":
                    action = "send_to_hospital"
            else:
                action = FOLLOWS[one["alert_state"]]
            _act(tx, clock, INCIDENT, row, action, _FOLLOWED)
    return len(opened) + len(behind)


def open_incident(tx: Transaction, clock: Clock, alert: dict[str, Any]) -> UUID:
    """The incident of an emergency: a row with `id`, `institution_id`, `resident_id`, `type`, `severity`, `occurred_at`
    and `place`. Raises Conflict where there is one.
    """
    detail = {
        "alert_id": str(alert["id"]),
        "alert_type": alert["type"],
        "severity": alert["severity"],
        "occurred_at": alert["occurred_at"].isoformat(),
    }
    row: dict[str, Any] = {**dict.fromkeys(COLUMNS), "id": new_id(clock), "detail": detail}
    row["state"] = INCIDENT.machine.initial
    row |= {"resident_id": alert["resident_id"], "title": alert["place"][:200]}
    caller = platform_account(alert["institution_id"])
    records.write_new(Step(tx, clock, caller, INCIDENT.service, "create", row, Note(note=_FOLLOWED)), INCIDENT)
    incident: UUID = row["id"]
    return incident


def _act(tx: Transaction, clock: Clock, kind: RecordKind, row: dict[str, Any], action: str, words: str) -> None:
    move, before = kind.machine.move(action), row["state"]
    row["state"] = move.target
    step = Step(
        tx, clock, platform_account(row["institution_id"]), kind.service, action, row, _body(move, words), was=before
    )
    records.carry_out(step, kind)


def _body(move: Move, words: str) -> BaseModel:
    return Reason(reason=words) if move.body is Reason else Note(note=words)
