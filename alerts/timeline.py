"""The timeline of alerts: what happened enters, one numbered entry leaves, told to listeners at commit.

Entries of an institution are numbered under one row lock. Whoever writes about alerts takes that lock first
(`enter`), before any alert, step or page: so no two writers ever wait for each other in a circle.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.errors import Misconfigured
from db.tenant import Transaction


class Kind(StrEnum):
    """What an entry tells."""

    OPENED = "opened"
    OCCURRED = "occurred"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    COMMENTED = "commented"
    PAGED = "paged"
    NOBODY = "nobody"
    SKIPPED = "skipped"
    SUPPRESSED = "suppressed"
    DEFERRED = "deferred"
    CANCELLED = "cancelled"
    DELIVERED = "delivered"
    FAILED = "failed"
    SEEN = "seen"
    UNSEEN = "unseen"
    OVERDUE = "overdue"
    STUCK = "stuck"


def enter(tx: Transaction, institution_id: UUID) -> None:
    """Take the institution's lock. Raises Misconfigured when the institution was made without a stream."""
    if tx.first("alerts.lock_stream", institution_id=institution_id) is None:
        raise Misconfigured(f"institution {institution_id} has no row in institution_streams")


def add(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    kind: Kind,
    note: str = "",
    *,
    actor_id: UUID | None = None,
    actor: str = "",
    data: dict[str, Any] | None = None,
) -> int:
    """Write one entry of an alert; its number."""
    row = tx.one(
        "alerts.add_entry",
        institution_id=alert["institution_id"],
        alert_id=alert["id"],
        at=clock.now(),
        kind=kind,
        actor_id=actor_id,
        actor=actor,
        note=note,
        data=data or {},
    )
    return int(row["seq"])


def stamp(moment: datetime) -> str:
    """A time as the entries' data hold it: UTC with microseconds, the same text that the database would print."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
