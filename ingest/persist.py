"""Interpreted messages enter, one committed transaction and its counts leave.

The writer owns one connection, since the staging table lives in it. When it returns, everything is committed and may
be acknowledged; when it raises, nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from core.clock import Clock, from_unix
from core.errors import Unavailable
from core.readings import Reading
from db import feed
from db.copy import readings_stream
from db.pool import Connection, connect
from db.queries import sql
from db.tenant import Transaction
from devices import commands
from ingest.interpret import Interpreted

SEEN_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class Counts:
    """What became of the items of a batch."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0


class Writer:
    """Writes batches in the role "ingest"; reconnects when the connection was lost."""

    def __init__(self, database_url: str, clock: Clock) -> None:
        self._url = database_url
        self._clock = clock
        self._connection: Connection | None = None
        self._seen_at: dict[int, float] = {}

    def write(self, batch: Sequence[Interpreted]) -> Counts:
        """Store a batch in one transaction.

        Raises Unavailable when the database is away; psycopg.Error when a value cannot be stored.
        """
        connection = self._ensure_connection()
        counts = Counts()
        try:
            with connection.transaction():
                tx = Transaction(connection)
                self._write_all(tx, batch, counts)
        except psycopg.OperationalError as error:
            self.close()
            raise Unavailable(f"the database cannot be reached: {error}") from error
        return counts

    def close(self) -> None:
        """Close the connection; the next write opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ensure_connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "ingest")
            self._connection.execute(sql("ingest.create_stage"))
            self._seen_at.clear()
        return self._connection

    def _write_all(self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts) -> None:
        batch = self._without_redelivered(tx, batch, counts)
        now = self._clock.now()
        readings = [reading for one in batch for reading in one.readings]
        for one in batch:
            self._write_singles(tx, one, counts)
        columns = self._write_readings(tx, readings, counts) if readings else None
        windows = self._write_windows(tx, batch, counts)
        self._mark_seen(tx, batch)
        # The feed comes last: its number is a lock that lasts until the commit.
        if windows is not None:
            feed.append(tx, windows, now)
        if columns is not None:
            feed.append(tx, columns, now)

    def _without_redelivered(
        self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts
    ) -> Sequence[Interpreted]:
        """Leave out messages under a replaced time that were stored before."""
        if not any(one.clock_digest for one in batch):
            return batch
        kept = []
        for one in batch:
            if one.clock_digest is not None and one.device is not None:
                claimed = tx.run(
                    "ingest.claim_clock_fault",
                    device_key=one.device.key,
                    digest=one.clock_digest,
                    received=from_unix(one.message.received),
                )
                if not claimed:
                    counts.duplicate += one.items
                    continue
            kept.append(one)
        return kept

    def _write_singles(self, tx: Transaction, one: Interpreted, counts: Counts) -> None:
        received = from_unix(one.message.received)
        if one.event is not None and one.device is not None:
            new = tx.first(
                "ingest.insert_event",
                device_key=one.event.device_key,
                event_id=one.event.event_id,
                institution=one.device.institution_id,
                time=from_unix(one.event.time),
                received=received,
                type=one.event.type,
                data=one.event.data,
                flags=one.event.flags,
            )
            _count(counts, stored=new is not None)
        if one.status is not None and one.device is not None:
            self._write_status(tx, one, counts)
        if one.answer is not None and one.device is not None:
            answered = commands.answer(
                tx,
                self._clock,
                device_key=one.device.key,
                command_id=one.answer.id,
                ok=one.answer.ok,
                result=one.answer.result,
            )
            _count(counts, stored=answered)
        for rejection in one.rejections:
            tx.run(
                "ingest.insert_rejection",
                institution=one.institution_id,
                site=rejection.site,
                device=rejection.device,
                topic=rejection.topic,
                payload=rejection.payload,
                reason=rejection.reason,
                detail=rejection.detail,
                received=received,
            )
            counts.rejected += 1

    def _write_status(self, tx: Transaction, one: Interpreted, counts: Counts) -> None:
        status, device = one.status, one.device
        assert status is not None and device is not None  # noqa: S101, PT018 -- narrowing for the type checker
        tx.run(
            "ingest.upsert_status",
            device_key=status.device_key,
            institution=device.institution_id,
            online=status.online,
            time=from_unix(status.time),
            seq=status.seq,
            battery=status.battery,
            rssi=status.rssi,
            firmware=status.firmware,
            seen=from_unix(one.message.received),
        )
        counts.stored += 1

    def _write_readings(self, tx: Transaction, readings: list[Reading], counts: Counts) -> feed.ReadingColumns:
        n = len(readings)
        device = np.fromiter((r.device_key for r in readings), np.int32, n)
        metric = np.fromiter((r.metric for r in readings), np.int16, n)
        time = np.fromiter((r.time for r in readings), np.float64, n)
        value = np.fromiter((r.value for r in readings), np.float64, n)
        flags = np.fromiter((r.flags for r in readings), np.int16, n)
        received = self._clock.time()
        with tx.connection.cursor() as cursor:
            with cursor.copy(sql("ingest.copy_stage")) as copy:
                copy.write(readings_stream(device, metric, time, value, flags, received))
            stored = cursor.execute(sql("ingest.insert_staged")).rowcount
        counts.stored += stored
        counts.duplicate += n - stored
        newest = _newest(device, metric, time)
        tx.run(
            "ingest.upsert_latest",
            device_key=device[newest].tolist(),
            metric=metric[newest].tolist(),
            time=time[newest].tolist(),
            value=value[newest].tolist(),
            flags=flags[newest].tolist(),
            received=from_unix(received),
        )
        return feed.ReadingColumns(device, metric, time, value)

    def _write_windows(
        self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts
    ) -> feed.MotionColumns | None:
        new = []
        for one in batch:
            window = one.window
            if window is None:
                continue
            stored = tx.run(
                "ingest.insert_motion",
                device_key=window.device_key,
                time=from_unix(window.t0),
                hz=window.hz,
                scale=window.scale,
                counts=window.counts,
                flags=window.flags,
                received=from_unix(one.message.received),
            )
            _count(counts, stored=bool(stored))
            if stored:
                new.append(window)
        if not new:
            return None
        n = len(new)
        return feed.MotionColumns(
            np.fromiter((w.device_key for w in new), np.int32, n), np.fromiter((w.t0 for w in new), np.float64, n)
        )

    def _mark_seen(self, tx: Transaction, batch: Sequence[Interpreted]) -> None:
        """Note when each device was last heard; at most every few seconds for one device."""
        now = self._clock.time()
        seen: dict[int, tuple[Any, float]] = {}
        for one in batch:
            if one.device is None or one.status is not None or not one.items or one.message.retain:
                continue
            sample = _sample_time(one)
            old = seen.get(one.device.key)
            seen[one.device.key] = (one.device.institution_id, max(sample, old[1]) if old else sample)
        due = {k: v for k, v in sorted(seen.items()) if now - self._seen_at.get(k, 0.0) >= SEEN_EVERY_SECONDS}
        if due:
            tx.run(
                "ingest.mark_seen",
                device_key=list(due),
                institution=[institution for institution, _ in due.values()],
                sample=[sample for _, sample in due.values()],
                received=from_unix(now),
            )
            self._seen_at.update(dict.fromkeys(due, now))


def _sample_time(one: Interpreted) -> float:
    if one.readings:
        return max(reading.time for reading in one.readings)
    if one.window is not None:
        return one.window.t0
    return one.event.time if one.event is not None else one.message.received


def _newest(device: Any, metric: Any, time: Any) -> Any:
    """Indices of the newest reading of each (device, metric), sorted by that key."""
    order = np.lexsort((time, metric, device))
    last = np.ones(len(order), bool)
    last[:-1] = (device[order][1:] != device[order][:-1]) | (metric[order][1:] != metric[order][:-1])
    return order[last]


def _count(counts: Counts, *, stored: bool) -> None:
    if stored:
        counts.stored += 1
    else:
        counts.duplicate += 1
