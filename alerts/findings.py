"""From findings to alerts: what detectors have seen enters, alerts of the institution, person and place leave.

A finding names a key: of a resident or of a device. Here it gets its institution, the person served at that moment and
the place, and becomes an occurrence of the one lifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import psycopg

from alerts import metrics, restraint, service, suppression
from alerts.detector_set import PERSONAL
from alerts.detectors.base import Finding
from alerts.events import place_of
from alerts.service import Occurrence
from core.clock import Clock, from_unix
from core.errors import AnhuError
from core.logging import get
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)

ABOUT_THE_HOUSE = frozenset({"site_offline"})
ABOUT_THE_DEVICE = frozenset({"gateway_down", "takeover_suspected"})
"""Alerts of these types are about the device itself, whomever it serves."""


def store(tx: Transaction, clock: Clock, findings: Sequence[Finding]) -> list[dict[str, Any] | None]:
    """Let findings become alerts, and say which.

    Institution by institution, so that locks are always taken in the same order.
    """
    located = [(where, finding) for finding in findings if (where := _locate(tx, finding)) is not None]
    located.sort(key=lambda pair: str(pair[0]["institution_id"]))  # stable: a person's findings keep their order
    touched: list[dict[str, Any] | None] = []
    for where, finding in located:
        try:
            with tx.connection.transaction():  # a savepoint: one finding's fault must not hold up everybody's
                touched.append(service.open_or_append(tx, clock, _occurrence(where, finding)))
        except (AnhuError, psycopg.IntegrityError, psycopg.DataError):
            log.exception("finding_failed", type=finding.type, subject=finding.subject)
    return touched


def release(pool: Pool, clock: Clock) -> int:
    """Raise what was held back and still holds, now that its cause is over; how many. Raises Unavailable."""
    with service_transaction(pool) as tx:
        again = partial(_again, tx, clock)
        return suppression.release(tx, clock, again) + restraint.release(tx, clock, again)


def _again(tx: Transaction, clock: Clock, row: Mapping[str, Any]) -> None:
    names = ("institution_id", "type", "source", "occurred_at", "resident_id", "device_key", "place", "score")
    found = Occurrence(
        **{name: row[name] for name in names},
        severity=Severity(row["severity"]),
        evidence=row["evidence"],
        note="静默或上级故障结束后仍未恢复 / still so after what held it back was over",
    )
    metrics.count_opened(service.open_or_append(tx, clock, found))


def _locate(tx: Transaction, finding: Finding) -> dict[str, Any] | None:
    """Whom a finding concerns: personal detectors name the resident, the others a device at a time."""
    if finding.detector in PERSONAL:
        rows = tx.all("alerts.places", keys=[finding.subject])
        if not rows:
            return None
        row = rows[0]
        return {"institution_id": row["institution_id"], "resident_id": row["id"], "place": row["place"]}
    where = tx.first("alerts.subject_at", device_key=finding.subject, at=from_unix(finding.time))
    if where is None:
        return None
    where["place"] = place_of(where)
    if finding.type in ABOUT_THE_HOUSE:
        return {"institution_id": where["institution_id"], "resident_id": None, "place": where["institution_name"]}
    if finding.type in ABOUT_THE_DEVICE:
        where["resident_id"] = None
    if finding.phase == "cleared" and finding.type not in ABOUT_THE_DEVICE:
        query = {"institution_id": where["institution_id"], "type": finding.type, "device_key": finding.subject}
        raised = tx.first("alerts.open_raised_by", **query)
        if raised is not None:
            where["resident_id"] = raised["resident_id"]
    return where


def _occurrence(where: dict[str, Any], finding: Finding) -> Occurrence:
    evidence = {"detector": finding.detector, "version": finding.version, **finding.evidence}
    if "device_id" in where:
        evidence["device_id"] = where["device_id"]
    return Occurrence(
        institution_id=where["institution_id"],
        type=finding.type,
        severity=finding.severity,
        source="detector",
        occurred_at=from_unix(finding.time),
        resident_id=where["resident_id"],
        device_key=where.get("device_key"),
        place=where["place"],
        score=finding.score,
        evidence=evidence,
        phase=finding.phase,
    )
