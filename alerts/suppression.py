"""What is held back, and why: an occurrence enters, a recorded suppression or nothing leaves.

Three things hold a finding back: a silence that somebody made, with an end; an open alert that explains it (a gateway
or a house that is down explains the silence of what is behind it, the platform's own deafness all of it); and, for what
detectors conclude from an empty home, that the resident is away or in hospital. An emergency passes through all of
them, always. Each suppression is a row and, where an alert caused or would have shown it, an entry on that alert's
timeline. A condition that still holds when its cause is over is raised then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from alerts import metrics, timeline
from alerts.family import away
from alerts.timeline import Kind
from core.clock import Clock
from core.errors import AnhuError
from core.logging import get
from core.vocabulary import ALERT_TYPES, EMERGENCY_TYPES, TECHNICAL_TYPES, Names
from db.tenant import Transaction

if TYPE_CHECKING:
    from alerts.service import Occurrence

log = get(__name__)

EXPLAINED: dict[str, frozenset[str]] = {
    "device_silent": frozenset({"gateway_down", "site_offline", "ingest_down"}),
    "sensor_silent": frozenset({"gateway_down", "site_offline", "ingest_down"}),
    "takeover_suspected": frozenset({"gateway_down", "site_offline", "ingest_down"}),
    "gateway_down": frozenset({"site_offline", "ingest_down"}),
    "site_offline": frozenset({"ingest_down"}),
}
"""What each type may be only a consequence of. Nothing that concerns a person stands here."""

SETTLE_SECONDS = 900.0
"""After a line is back its devices have so long, and their own interval, before their silence counts again."""


def hold(tx: Transaction, clock: Clock, found: Occurrence) -> bool:
    """Hold an occurrence back where there is a cause; whether it was. Its alerts' stream is locked by the caller."""
    explained = tx.first("silences.explaining", **_explained_by(found)) if found.type in EXPLAINED else None
    if explained is not None:
        names = ALERT_TYPES[explained["type"]]
        _record(tx, clock, found, "inhibition", f"{names.zh} / {names.en}", alert=explained)
        timeline.add(tx, clock, explained, Kind.SUPPRESSED, _note(found, names), data=_told(found))
        return True
    absence = away.pausing(tx, clock, found)
    if absence is not None:
        _record(tx, clock, found, "away", away.NAMES[absence["kind"]].zh, away_id=absence["id"])
        return True
    # Asked here too, not of the query alone: whatever a row says, nobody's call for help is held back.
    silence = None if found.type in EMERGENCY_TYPES else tx.first("silences.matching", **_matched_by(found, clock))
    if silence is None:
        return False
    _record(tx, clock, found, "silence", silence["reason"], silence=silence)
    current = tx.first(
        "alerts.lock_current", institution_id=found.institution_id, subject=found.subject, type=found.type
    )
    if current is not None:
        note = f"静默期间再次发生，未通知（{silence['reason']}） / Again while silenced, nobody paged"
        timeline.add(tx, clock, current, Kind.SUPPRESSED, note, data=_told(found) | {"silence": str(silence["id"])})
    return True


def clear(tx: Transaction, found: Occurrence) -> None:
    """The condition is over: what was held back of it need not be raised any more."""
    tx.run(
        "silences.clear",
        institution_id=found.institution_id,
        type=found.type,
        resident_id=found.resident_id,
        device_key=found.device_key,
        at=found.occurred_at,
    )


def release(tx: Transaction, clock: Clock, raise_again: Callable[[dict[str, Any]], object]) -> int:
    """Raise what still holds although its cause is over; how many. Each is handed to `raise_again` as its row."""
    rows = tx.all("silences.releasable", now=clock.now(), settle=SETTLE_SECONDS)
    released = 0
    for row in rows:
        try:
            with tx.connection.transaction():  # a savepoint: one row's fault must not hold up the others
                raise_again(row)
                tx.run("silences.released", id=row["id"], now=clock.now())
        except (AnhuError, psycopg.IntegrityError, psycopg.DataError):
            log.exception("release_failed", suppression=row["id"])
        else:
            released += 1
    return released


def _explained_by(found: Occurrence) -> dict[str, Any]:
    return {
        "institution_id": found.institution_id,
        "device_key": found.device_key,
        "types": sorted(EXPLAINED[found.type]),
    }


def _matched_by(found: Occurrence, clock: Clock) -> dict[str, Any]:
    return {
        "institution_id": found.institution_id,
        "resident_id": found.resident_id,
        "device_key": found.device_key,
        "type": found.type,
        "technical": found.type in TECHNICAL_TYPES,
        "now": clock.now(),
    }


def _record(
    tx: Transaction,
    clock: Clock,
    found: Occurrence,
    cause: str,
    reason: str,
    *,
    silence: dict[str, Any] | None = None,
    alert: dict[str, Any] | None = None,
    away_id: UUID | None = None,
) -> None:
    tx.run(
        "silences.record",
        institution_id=found.institution_id,
        now=clock.now(),
        cause=cause,
        silence_id=silence and silence["id"],
        by_alert_id=alert and alert["id"],
        away_id=away_id,
        reason=reason,
        type=found.type,
        severity=found.severity,
        source=found.source,
        resident_id=found.resident_id,
        device_key=found.device_key,
        place=found.place,
        score=found.score,
        evidence=found.evidence,
        occurred_at=found.occurred_at,
    )
    metrics.SUPPRESSED.labels(found.type, cause).inc()


def _note(found: Occurrence, by: Names) -> str:
    names = ALERT_TYPES[found.type]
    device = found.evidence.get("device_id") or found.place
    return f"{device}：{names.zh}，由“{by.zh}”说明，未另行报警 / {device}: {names.en}, explained by this alert"


def _told(found: Occurrence) -> dict[str, Any]:
    return {
        "type": found.type,
        "device_key": found.device_key,
        "device_id": found.evidence.get("device_id"),
        "occurred_at": timeline.stamp(found.occurred_at),
    }
