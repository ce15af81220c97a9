"""Upkeep: a pool and a clock enter; partitions ahead are made, rollups follow, the audit log is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from core.settings import Settings
from db import rollup
from db.pool import Pool
from db.tenant import Transaction, service_transaction

PARTITION_DAYS_BEHIND = 8
PARTITION_DAYS_AHEAD = 7
SEAL_ROWS_MAX = 5_000
SEAL_SETTLED = timedelta(hours=1)
"""No transaction is open for so long: below a number sealed then, nothing can still be committed."""

CHUNK_HOURS = (24, 12, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class ChunkLoad:
    """The largest chunk of readings that is still written to, and what should hold it.

    bytes: with its indexes, as it will be when it is full. room: a quarter of the server's memory, in bytes.
    """

    bytes: int
    room: int
    hours: int

    @property
    def fits(self) -> bool:
        return self.bytes <= self.room

    @property
    def hours_advised(self) -> int:
        """The longest chunk that would fit at this rate; 1 where none does."""
        return next((hours for hours in CHUNK_HOURS if self.bytes * hours <= self.room * self.hours), CHUNK_HOURS[-1])


def chunk_load(tx: Transaction, clock: Clock) -> ChunkLoad | None:
    """How the newest chunks lie in memory; None where there is too little to judge."""
    row = tx.one("maintenance.chunk_load", now=clock.now())
    return ChunkLoad(row["bytes"], row["room"], row["hours"]) if row["bytes"] is not None else None


def set_chunk_hours(pool: Pool, settings: Settings) -> bool:
    """Give chunks made from now on the length of the settings, on TimescaleDB; whether that was a change."""
    with service_transaction(pool) as tx:
        return bool(tx.one("maintenance.set_chunk_hours", hours=settings.chunk_hours)["changed"])


def make_partitions(pool: Pool, clock: Clock) -> int:
    """Make the daily partitions that the coming week needs; how many were missing."""
    today = clock.now().date()
    with service_transaction(pool) as tx:
        made: int = tx.one(
            "maintenance.ensure_partitions",
            first_day=today - timedelta(days=PARTITION_DAYS_BEHIND),
            last_day=today + timedelta(days=PARTITION_DAYS_AHEAD),
        )["made"]
    return made


def roll_up(pool: Pool, clock: Clock) -> int:
    """Bring the rollups up to the feed, where TimescaleDB does not do it; how many batches were taken in."""
    total = 0
    while True:
        with service_transaction(pool) as tx:
            if tx.one("maintenance.is_timescale")["yes"] or not _mine(tx, "rollup"):
                return total
            taken = rollup.follow(tx, clock)
        if not taken:
            return total
        total += taken


def seal_audit(pool: Pool, clock: Clock) -> int:
    """Seal the rows of the audit log that were committed since the last time; how many."""
    total = 0
    while True:
        with service_transaction(pool) as tx:
            rows: int = tx.one("audit.seal", now=clock.now(), rows_max=SEAL_ROWS_MAX, settled=SEAL_SETTLED)["rows"]
        total += rows
        if rows < SEAL_ROWS_MAX:
            return total


def _mine(tx: Transaction, job: str) -> bool:
    return bool(tx.one("maintenance.try_lock", job=job)["mine"])
