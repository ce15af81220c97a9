"""Columns of flawless readings and interpreted messages enter, one committed transaction and its counts leave.

The writer owns one connection, since the staging tables live in it. When it returns, everything is committed and may
be acknowledged; when it raises, nothing is.

Readings go straight into the series by COPY. Only where one of them is stored already (a redelivery) the database
refuses; the batch then goes over a staging table that knows how to leave rows out, and so do the next few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

from core.clock import Clock, from_unix
from core.errors import Unavailable
from core.readings import Rejection
from db import feed
from db.pool import Connection, connect
from db.queries import sql
from db.tenant import Transaction
from devices import adapters, commands
from ingest.columns import NO_READINGS, CleanReadings
from ingest.interpret import Interpreted
from ingest.latest import write_latest
from ingest.persist_foreign import ForeignRows
from ingest.rows import Rows, sorted_rows
from ingest.seen import SeenBook

LEAVE_LATEST_ROWS = 500
"""Below it a transaction more costs more than it brings."""
STAGED_BATCHES = 20
"""So many batches go over the stage after a redelivery was met: more of the same is likely."""

NOT_STORABLE = (psycopg.Error, ValueError, TypeError, ArithmeticError, RecursionError)
"""The database's refusal of a value, and what is raised for one that cannot even be sent to it."""

Take = Callable[[Transaction], Sequence[Interpreted]]


@dataclass(slots=True)
class Counts:
    """What became of the items of a batch."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    newest: Rows | None = None
    """Latest values that were left to another connection; None where they are written."""


class Writer:
    """Writes batches in the role "ingest"; reconnects when the connection was lost."""

    def __init__(self, database_url: str, clock: Clock) -> None:
        self._url = database_url
        self._clock = clock
        self._connection: Connection | None = None
        self._seen = SeenBook()
        self._foreign = ForeignRows(clock)
        self._staged_batches = 0

    def write(
        self, batch: Sequence[Interpreted], clean: CleanReadings = NO_READINGS, *, leave_latest: bool = False
    ) -> Counts:
        """Store a batch in one transaction; where it is large, all but its latest values if those may be left.

        Raises Unavailable when the database is away; one of NOT_STORABLE when a value cannot be stored.
        """
        return self._write(lambda _: batch, clean, leave_latest=leave_latest)

    def write_taken(self, take: Take) -> Counts:
        """Store what `take` takes out of the database, in the same transaction. Raises as `write` does."""
        return self._write(take, NO_READINGS, leave_latest=False)

    def _write(self, take: Take, clean: CleanReadings, *, leave_latest: bool) -> Counts:
        try:
            if self._staged_batches == 0:
                try:
                    return self._attempt(take, clean, staged=False, leave_latest=leave_latest)
                except psycopg.errors.UniqueViolation:
                    self._staged_batches = STAGED_BATCHES
            counts = self._attempt(take, clean, staged=True, leave_latest=leave_latest)
        except psycopg.OperationalError as error:
            self.close()
            raise Unavailable(f"the database cannot be reached: {error}") from error
        self._staged_batches = STAGED_BATCHES if counts.duplicate else self._staged_batches - 1
        return counts

    def _attempt(self, take: Take, clean: CleanReadings, *, staged: bool, leave_latest: bool) -> Counts:
        connection = self._ensure_connection()
        counts = Counts()
        with connection.transaction():
            tx = Transaction(connection)
            rows, windows, noted = self._write_all(tx, take(tx), clean, counts, staged=staged)
            if leave_latest and len(rows) >= LEAVE_LATEST_ROWS:
                counts.newest = rows
            elif len(rows):
                write_latest(tx, rows.newest(), self._clock.time())
            # The feed comes last: its number is a lock that lasts until the commit.
            for columns in (windows, rows.columns):
                feed.append(tx, columns, self._clock.now())
        self._seen.remember(*noted)
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
            self._seen.clear()
        return self._connection

    def _write_all(
        self, tx: Transaction, batch: Sequence[Interpreted], clean: CleanReadings, counts: Counts, *, staged: bool
    ) -> tuple[Rows, feed.MotionColumns, tuple[list[int], float]]:
        """A batch but for latest values and feed.

        Its readings and motion windows; which devices were noted as heard, and when.
        """
        batch = self._without_redelivered(tx, batch, counts)
        for one in batch:
            self._write_singles(tx, one, counts)
        self._write_foreign(tx, batch, counts)
        _insert_rejections(tx, [(one, told) for one in batch for told in one.rejections], counts)
        rows = sorted_rows(clean, [reading for one in batch for reading in one.readings])
        if len(rows):
            self._write_readings(tx, rows, counts, staged=staged)
        windows = self._write_windows(tx, batch, counts)
        noted = self._mark_seen(tx, batch, clean)
        return rows, windows, noted

    def _without_redelivered(
        self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts
    ) -> Sequence[Interpreted]:
        """Leave out messages under a replaced time that were stored before."""
        if not any(one.clock_digest for one in batch):
            return batch
        kept = []
        for one in batch:
            known = one.clock_digest is not None and one.device is not None
            if known and not self._is_news(tx, one):
                counts.duplicate += one.items
                continue
            kept.append(one)
        return kept

    def _is_news(self, tx: Transaction, one: Interpreted) -> bool:
        assert one.device is not None  # noqa: S101 -- narrowing for the type checker
        if one.via is not None:
            return self._foreign.is_news(tx, one, one.device.key)
        received = from_unix(one.message.received)
        return bool(
            tx.run("ingest.claim_clock_fault", device_key=one.device.key, digest=one.clock_digest, received=received)
        )

    def _write_foreign(self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts) -> None:
        """Whom gateways told of, and which of their states are news."""
        if not any(one.foreign_path is not None or one.changes is not None for one in batch):
            return
        due = self._foreign.write_sightings(tx, batch)
        _insert_rejections(tx, due, Counts())  # told once an hour, counted every time
        for one in batch:
            counts.rejected += sum(sighting.rejection is not None for sighting in one.sightings)
            if one.changes is not None:
                _count(counts, stored=self._foreign.write_changes(tx, one, one.changes))

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
            received=from_unix(one.message.received),
            # A gateway's retained message is not the device speaking now.
            seen=None if one.via is not None and one.message.retain else from_unix(one.message.received),
        )
        if not status.online:
            # A bridge that ends takes along what it speaks for; a gateway that ends, everything behind it.
            word = (one.foreign_path or "").partition("/")[0]
            tx.run("adapters.silence_children", gateway=status.device_key, adapter=adapters.canonical(word))
        counts.stored += 1

    def _write_readings(self, tx: Transaction, rows: Rows, counts: Counts, *, staged: bool) -> None:
        received = self._clock.time()
        with tx.connection.cursor() as cursor:
            with cursor.copy(sql("ingest.copy_stage" if staged else "ingest.copy_readings")) as copy:
                copy.write(rows.stream(received))
            stored = cursor.execute(sql("ingest.insert_staged")).rowcount if staged else len(rows)
        counts.stored += stored
        counts.duplicate += len(rows) + rows.doubled - stored

    def _write_windows(self, tx: Transaction, batch: Sequence[Interpreted], counts: Counts) -> feed.MotionColumns:
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
        n = len(new)
        return feed.MotionColumns(
            np.fromiter((w.device_key for w in new), np.int32, n), np.fromiter((w.t0 for w in new), np.float64, n)
        )

    def _mark_seen(
        self, tx: Transaction, batch: Sequence[Interpreted], clean: CleanReadings
    ) -> tuple[list[int], float]:
        """Note when each device was last heard; at most every few seconds for one device."""
        now = self._clock.time()
        heard = [
            (one.device, _sample_time(one))
            for one in batch
            if one.device is not None and not one.message.retain and _is_sample(one)
        ]
        due = self._seen.due(clean, heard, now)
        if due:
            tx.run(
                "ingest.mark_seen",
                device_key=list(due),
                institution=[entry.institution_id for entry, _ in due.values()],
                sample=[sample for _, sample in due.values()],
                received=from_unix(now),
            )
        return list(due), now


def _is_sample(one: Interpreted) -> bool:
    """Whether the device itself was heard. A status alone is noted where it is written; a gateway speaks for others."""
    return bool(one.readings or one.sightings) or (one.status is None and one.items > 0)


def _sample_time(one: Interpreted) -> float:
    if one.readings:
        return max(reading.time for reading in one.readings)
    if one.window is not None:
        return one.window.t0
    return one.event.time if one.event is not None else one.message.received


def _count(counts: Counts, *, stored: bool) -> None:
    if stored:
        counts.stored += 1
    else:
        counts.duplicate += 1


def _insert_rejections(tx: Transaction, some: Sequence[tuple[Interpreted, Rejection]], counts: Counts) -> None:
    """All in one statement: a flood of them must not hold up the readings of the same batch."""
    if not some:
        return
    tx.run(
        "ingest.insert_rejections",
        institution=[one.institution_id for one, _ in some],
        site=[told.site for _, told in some],
        device=[told.device for _, told in some],
        topic=[told.topic for _, told in some],
        payload=[told.payload for _, told in some],
        payload_bytes=[len(one.message.payload) for one, _ in some],
        reason=[told.reason for _, told in some],
        detail=[told.detail for _, told in some],
        received=[from_unix(one.message.received) for one, _ in some],
    )
    counts.rejected += len(some)
