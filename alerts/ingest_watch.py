"""Whether the platform itself hears: signs of life of ingest enter, one alert for each institution leaves.

While no ingest process lives, or none has its broker, no device can be called silent: it may well be speaking. Then
every resident is unwatched, and each institution is told so once. Batches that arrive are a sign of life as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from alerts import metrics, service
from alerts.service import Occurrence
from core.clock import Clock
from core.vocabulary import Severity
from db.pool import Pool
from db.tenant import service_transaction

LIFE_SECONDS = 30.0
"""Six missed signs of life: ingest writes one every five seconds."""
TELL_SECONDS = 60.0
LOOK_SECONDS = 5.0
TYPE = "ingest_down"


class IngestWatch:
    """Looks every few seconds; `listening` is what was found."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._due = 0.0
        self._known = False
        self._told = True
        """Whether alerts may be open that were not cleared by this process: it looks once after its start."""
        self._last: datetime | None = None
        self.listening = True

    def data_arrived(self, received: datetime) -> None:
        """A batch was read; it proves that ingest lived when it was received."""
        self._last = received if self._last is None else max(self._last, received)

    def look(self) -> bool:
        """Whether the platform hears now; raises and clears the institutions' alerts. Raises Unavailable."""
        if self._clock.monotonic() < self._due:
            return self.listening
        self._due = self._clock.monotonic() + LOOK_SECONDS
        now = self._clock.now()
        with service_transaction(self._pool) as tx:
            row = tx.one("alerts.ingest_life")
        # Who was never there cannot be missed: a fresh system, or one whose readings come by another way.
        self._known = self._known or row["known"] or row["told"]
        signs = [at for at in (row["at"], self._last) if at is not None]
        last = max(signs, default=None)
        quiet = (now - last).total_seconds() if last is not None else LIFE_SECONDS + TELL_SECONDS
        self.listening = not self._known or quiet < LIFE_SECONDS
        metrics.LISTENING.set(self.listening)
        if not self.listening and quiet >= TELL_SECONDS:
            self._tell(last, quiet)
        elif self.listening and self._told:
            self._end()
        return self.listening

    def _tell(self, last: datetime | None, quiet: float) -> None:
        now = self._clock.now()
        evidence = {
            "value": round(quiet),
            "limit": TELL_SECONDS,
            "unit": "s",
            "since": last.isoformat() if last else None,
            "rule": f"no sign of life of ingest for {TELL_SECONDS:g} s",
        }
        with service_transaction(self._pool) as tx:
            for row in tx.all("alerts.institutions_without", type=TYPE):
                found = _occurrence(row, (last or now - timedelta(seconds=quiet)), evidence)
                metrics.count_opened(service.open_or_append(tx, self._clock, found))
        self._told = True

    def _end(self) -> None:
        with service_transaction(self._pool) as tx:
            for row in tx.all("alerts.institutions_with", type=TYPE):
                evidence = {"rule": "ingest shows life again"}
                service.open_or_append(tx, self._clock, _occurrence(row, self._clock.now(), evidence, over=True))
        self._told = False


def _occurrence(row: dict[str, Any], at: datetime, evidence: dict[str, Any], *, over: bool = False) -> Occurrence:
    return Occurrence(
        institution_id=row["institution_id"],
        type=TYPE,
        severity=Severity.HIGH,
        source="detector",
        occurred_at=at,
        place=row["name_zh"],
        evidence={"detector": "ingest_watch", "version": "1", **evidence},
        phase="cleared" if over else "raised",
    )
