"""Away and hospital: a detector's finding about somebody enters, the absence that holds it until they are back leaves.

Only what detectors conclude from somebody not being where they live is held: a silent bracelet, an empty room, a
crossed fence. A press, a fall, smoke, a measured value never is. Nothing is dropped: what still holds at the end of the
absence becomes an alert then (`alerts.suppression`), and what was held is listed with the absence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.clock import Clock
from core.vocabulary import PAUSED_WHILE_AWAY, Names
from db.pool import Pool
from db.tenant import Transaction, service_transaction

if TYPE_CHECKING:
    from alerts.service import Occurrence

NAMES = {"away": Names("外出", "Away"), "hospital": Names("住院", "In hospital")}


def pausing(tx: Transaction, clock: Clock, found: Occurrence) -> dict[str, Any] | None:
    """The absence that holds a finding now, or None: it is not of that kind, or the resident is here."""
    if found.source != "detector" or found.resident_id is None or found.type not in PAUSED_WHILE_AWAY:
        return None
    return tx.first("away.current", resident=found.resident_id, now=clock.now())


def end_due(pool: Pool, clock: Clock) -> int:
    """End the absences whose time has come, on the record too; how many. Raises Unavailable."""
    now = clock.now()
    with service_transaction(pool) as tx:
        rows = tx.all("away.due", now=now)
        for row in rows:
            tx.run("away.end", resident=row["resident_id"], now=now, by="")
            tx.run("away.status", resident=row["resident_id"], status="active", now=now)
        return len(rows)
