"""Two clients with one device id: how connections come and go enters, `takeover_suspected` raised and cleared leave.

A broker lets one client of an id live: the newcomer pushes the other out, whose last will says "offline" and who comes
back a second or few later. No broker tells that by MQTT; the status topic with its last will shows it on all of them.
What gives it away is a connection that ends within seconds of its beginning, again and again: one that starves of a
weak signal lives at least one and a half keep-alives.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alerts import metrics, service
from alerts.detectors.parameters import TAKEOVER_ONLINE, TAKEOVER_OVER, TAKEOVER_TIMES, TAKEOVER_WINDOW
from alerts.service import Occurrence
from core.clock import Clock
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

LOOK_SECONDS = 5.0
TYPE = "takeover_suspected"


class TakeoverWatch:
    """Looks every few seconds."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._due = 0.0

    def look(self) -> int:
        """Raise what is new, clear what is over; how many of both. Raises Unavailable."""
        if self._clock.monotonic() < self._due:
            return 0
        self._due = self._clock.monotonic() + LOOK_SECONDS
        now = self._clock.now()
        with service_transaction(self._pool) as tx:
            fighting = tx.all(
                "alerts.takeovers",
                since=now - timedelta(seconds=TAKEOVER_WINDOW.value),
                online=TAKEOVER_ONLINE.value,
                times=int(TAKEOVER_TIMES.value),
            )
            known = tx.all("alerts.takeovers_open", since=now - timedelta(seconds=TAKEOVER_OVER.value))
            told = {row["device_key"] for row in known}
            fresh = [row for row in fighting if row["device_key"] not in told]
            over = [row for row in known if not row["going_on"]]
            both = [(row, True) for row in fresh] + [(row, False) for row in over]
            for row, raised in sorted(both, key=lambda pair: str(pair[0]["institution_id"])):
                self._tell(tx, row, raised=raised)
        return len(both)

    def _tell(self, tx: Transaction, row: dict[str, Any], *, raised: bool) -> None:
        evidence: dict[str, Any] = {"detector": "takeover", "version": "1", "device_id": row["device_id"]}
        if raised:
            evidence |= {
                "value": row["times"],
                "limit": TAKEOVER_TIMES.value,
                "unit": "1",
                "since": row["first"].isoformat(),
                "seqs": row["seqs"][-10:],
                "rule": f"{row['times']} connections ended within {TAKEOVER_ONLINE.value:g} s of their beginning",
            }
        else:
            evidence["rule"] = f"no connection was lost for {TAKEOVER_OVER.value:g} s"
        found = Occurrence(
            institution_id=row["institution_id"],
            type=TYPE,
            severity=Severity.MEDIUM,
            source="detector",
            occurred_at=row["last"] if raised else self._clock.now(),
            device_key=row["device_key"],
            place=row["device_name"] or row["device_id"],
            evidence=evidence,
            phase="raised" if raised else "cleared",
        )
        metrics.count_opened(service.open_or_append(tx, self._clock, found))
