"""The emergency lane's second half: committed events enter, alerts leave; each in a transaction of its own.

An event is taken with a row lock that others skip, and marked as handled in the same transaction that opens its
alert: after a crash it is either still waiting or completely handled. Events that open nothing are marked in bulk,
after the others, so that a thousand door contacts never stand before a call for help.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from alerts import checks, metrics, service
from alerts.service import Occurrence
from core.clock import Clock
from core.errors import Unavailable
from core.logging import get
from core.vocabulary import EMERGENCY_EVENTS, NOTICED_EVENTS, Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)

OPENING = (*EMERGENCY_EVENTS, *NOTICED_EVENTS, "test", "restore")
LATE_SECONDS = 3600
_SKIP_SECONDS = 30.0


class EventHandler:
    """Handles waiting events; several may run at once."""

    def __init__(self, pool: Pool, clock: Clock, *, check_days: int = checks.INTERVAL_DAYS) -> None:
        self._pool = pool
        self._clock = clock
        self._check_days = check_days
        # Events that could not be handled for a reason of their own: tried again later, in nobody's way.
        self._skip: dict[str, float] = {}

    def handle_all(self) -> int:
        """Handle what waits; how many events. Raises Unavailable when the database is away."""
        count = 0
        while self.handle_one():
            count += 1
        with service_transaction(self._pool) as tx:
            return count + tx.run("alerts.events_handle_routine", types=list(OPENING), now=self._clock.now())

    def handle_one(self) -> bool:
        """Handle the oldest event that may concern a person; whether there was one."""
        now = self._clock.monotonic()
        self._skip = {key: until for key, until in self._skip.items() if until > now}
        event: dict[str, Any] | None = None
        alert: dict[str, Any] | None = None
        try:
            with service_transaction(self._pool) as tx:
                event = tx.first("alerts.events_take", types=list(OPENING), skip=list(self._skip))
                if event is not None:
                    alert = handle(tx, self._clock, event, check_days=self._check_days)
        except Unavailable:
            raise
        except Exception:  # this event's fault; the next person's must not wait for it
            if event is None:
                raise
            key = f"{event['device_key']}:{event['event_id']}"
            log.exception("event_failed", waiting=key, type=event["type"])
            self._skip[key] = now + _SKIP_SECONDS
            return True
        metrics.count_opened(alert)
        return event is not None


def handle(
    tx: Transaction, clock: Clock, event: dict[str, Any], *, check_days: int = checks.INTERVAL_DAYS
) -> dict[str, Any] | None:
    """Let one event have its effect and mark it as handled, in the caller's transaction; the alert it went to.

    check_days: the platform's interval of checks, which the event may be.
    """
    alert = None
    where = tx.one("alerts.subject_at", device_key=event["device_key"], at=event["time"])
    if event["type"] == "restore":
        _restore(tx, clock, event, where)
    elif event["type"] == "test":
        tried = _occurrence(event, where, Severity.LOW)
        service.record_test(tx, clock, tried)
        checks.tick(tx, clock, event, tried, how="test_event", days=check_days)
    elif event["type"] in NOTICED_EVENTS:
        alert = service.open_or_append(tx, clock, _noticed(event, where))
    else:
        call = _occurrence(event, where, EMERGENCY_EVENTS[event["type"]])
        alert = service.open_or_append(tx, clock, checks.as_drill(tx, clock, event, call, days=check_days))
    tx.run("alerts.events_handled", device_key=event["device_key"], event_id=event["event_id"], now=clock.now())
    return alert


def _occurrence(event: dict[str, Any], where: dict[str, Any], severity: Severity) -> Occurrence:
    late = (event["received"] - event["time"]).total_seconds()
    evidence = {
        "rule": "event",
        "version": "1",
        "event_id": event["event_id"],
        "device_id": where["device_id"],
        "received": event["received"].isoformat(),
        "data": event["data"],
    }
    note = ""
    if late > LATE_SECONDS:
        evidence["late_seconds"] = round(late)
        note = f"迟到 {late / 3600:.1f} 小时收到 / received {late / 3600:.1f} h late"
    return Occurrence(
        institution_id=where["institution_id"],
        type=event["type"],
        severity=severity,
        source="event",
        occurred_at=event["time"],
        resident_id=where["resident_id"],
        device_key=event["device_key"],
        place=place_of(where),
        evidence=evidence,
        note=note,
        test=event["type"] == "test" or event["data"].get("test") is True,
    )


def _noticed(event: dict[str, Any], where: dict[str, Any]) -> Occurrence:
    """What a device judged itself, under the name of the alert that a detector here would raise."""
    kind, severity = NOTICED_EVENTS[event["type"]]
    return replace(_occurrence(event, where, severity), type=kind)


def place_of(where: dict[str, Any]) -> str:
    """Where to go: the resident's place, else the device's room, else the device's name."""
    return str(where["resident_place"] or where["room"] or where["device_name"] or where["device_id"])


def _restore(tx: Transaction, clock: Clock, event: dict[str, Any], where: dict[str, Any]) -> None:
    """Say on the alerts that this means that the condition is over; a person still closes them."""
    named = event["data"].get("type") or event["data"].get("of")
    resident: UUID | None = where["resident_id"]
    subjects = [f"device:{event['device_key']}"] + ([f"resident:{resident}"] if resident else [])
    matching = tx.all(
        "alerts.open_of_subject",
        institution_id=where["institution_id"],
        type=named if isinstance(named, str) else None,
        subjects=subjects,
        device_key=event["device_key"],
    )
    for alert in matching:
        finding = Occurrence(
            institution_id=where["institution_id"],
            type=alert["type"],
            severity=Severity.LOW,
            source="event",
            occurred_at=event["time"],
            resident_id=alert["resident_id"],
            device_key=event["device_key"],
            evidence={"rule": "restore", "event_id": event["event_id"], "device_id": where["device_id"]},
            phase="cleared",
        )
        service.open_or_append(tx, clock, finding)
