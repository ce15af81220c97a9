"""Upkeep: retention ages enter; partitions ahead are made, what is past its age is dropped, a report leaves."""

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
FEED_KEPT = timedelta(hours=1)
CLOCK_FAULTS_KEPT = timedelta(days=8)
TRANSITIONS_KEPT = timedelta(days=8)
HEARTBEATS_KEPT = timedelta(days=1)

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


def apply_retention(pool: Pool, clock: Clock, settings: Settings) -> list[str]:
    """Let go of what is past its age; what went, in words. Each class of data has its own transaction."""
    now = clock.now()
    report: list[str] = []
    ages = {
        "readings": settings.raw_retention_days,
        "motion_windows": settings.motion_retention_days,
        "rollup_5m": settings.rollup_5m_retention_days,
        "rollup_1h": settings.rollup_1h_retention_days,
        "rollup_1d": settings.rollup_1d_retention_days,
    }
    for series, days in ages.items():
        with service_transaction(pool) as tx:
            if _mine(tx, f"retention {series}"):
                dropped = tx.all(
                    "maintenance.drop_series_before", series=series, day=(now - timedelta(days=days)).date()
                )
                report += [row["dropped"] for row in dropped]
    singles = {
        "maintenance.drop_rejections": timedelta(days=settings.rejection_retention_days),
        "maintenance.drop_clock_faults": CLOCK_FAULTS_KEPT,
        "maintenance.drop_transitions": TRANSITIONS_KEPT,
        "maintenance.drop_refresh_tokens": timedelta(days=1),
        "maintenance.drop_audit": timedelta(days=settings.audit_retention_days),
        "maintenance.drop_heartbeats": HEARTBEATS_KEPT,
        "feed.drop_consumed": FEED_KEPT,
    }
    for query, age in singles.items():
        with service_transaction(pool) as tx:
            if gone := tx.run(query, before=now - age):
                report.append(f"{gone} by {query}")
    return report


def _mine(tx: Transaction, job: str) -> bool:
    return bool(tx.one("maintenance.try_lock", job=job)["mine"])
