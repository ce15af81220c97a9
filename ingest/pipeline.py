"""The order of ingest, on one screen: take a batch, interpret it, commit it, acknowledge it.

A lane is a queue, a writer and the thread between them. The emergency lane and the telemetry lane are two lanes that
share nothing but the device registry, so an event never waits behind telemetry.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg

from core import logging
from core.clock import Clock
from core.errors import Unavailable
from core.readings import Flag
from devices.registry import Directory
from ingest.batch import Message, MessageQueue
from ingest.columns import CleanReadings, ColumnReader
from ingest.interpret import Interpreted
from ingest.latest import LatestWriter
from ingest.metrics import LaneMetrics
from ingest.persist import NOT_STORABLE, Counts, Writer
from ingest.rows import Rows
from ingest.understand import read_columns, set_aside, understand

log = logging.get(__name__)

_T = TypeVar("_T")

RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 5.0
REJECTIONS_TOLD_SECONDS = 1.0
"""A flood of rejections is counted in full, and told in the log once in a while."""
BATCH_BYTES_MAX = 1024 * 1024
"""A batch of packs holds many readings in few messages; so does its transaction end before it is too large."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one batch of messages came to."""

    id: str
    """Names it in the log."""
    messages: Sequence[Message]
    directory: Directory
    clean: CleanReadings
    singles: list[Interpreted]

    @property
    def items(self) -> int:
        """How many things are to be counted as stored, duplicate or rejected."""
        return len(self.clean) + sum(one.items for one in self.singles)


class Lane:
    """One way from the broker to the database."""

    def __init__(
        self,
        queue: MessageQueue,
        writer: Writer,
        *,
        directory: Callable[[], Directory],
        refresh_directory: Callable[[], bool],
        acknowledge: Callable[[Sequence[Message]], None],
        metrics: LaneMetrics,
        clock: Clock,
        size_max: int,
        linger_seconds: float,
        latest: LatestWriter | None = None,
    ) -> None:
        self._queue = queue
        self._writer = writer
        self._directory = directory
        self._refresh_directory = refresh_directory
        self._acknowledge = acknowledge
        self._metrics = metrics
        self._clock = clock
        self._size_max = size_max
        self._linger_seconds = linger_seconds
        self._latest = latest
        self._reader = ColumnReader()
        self._committing = False
        self._numbers = itertools.count(1)
        self._underway: deque[float] = deque()
        self._told_at = float("-inf")
        metrics.lag.set_function(self.lag_seconds)

    def lag_seconds(self) -> float:
        """Age of the oldest message that is here and not committed; 0 where there is none."""
        with contextlib.suppress(IndexError):
            return max(0.0, self._clock.time() - self._underway[0])
        oldest = self._queue.oldest()
        return 0.0 if oldest is None else max(0.0, self._clock.time() - oldest)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what is not committed by then stays with the broker."""
        while not stop.is_set():
            if messages := self._take():
                self.process(messages, stop)
        self._writer.close()

    def run_overlapped(self, stop: threading.Event) -> None:
        """As `run`, but the next batch is read while the database works on the one before; one order throughout.

        A batch is taken once the one before is being committed, not sooner: so it grows as long as there is no hurry.
        """
        ready: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        room = threading.Semaphore(1)
        committing = threading.Thread(target=self._finish_all, args=(ready, room, stop), name="commit", daemon=True)
        committing.start()
        while not stop.is_set():
            if not room.acquire(timeout=0.5):
                continue
            messages = self._take(hurry=self._committing)
            batch = self._prepare(messages, stop) if messages else None
            if batch is None:
                room.release()
            else:
                ready.put(batch)
        committing.join()
        self._writer.close()

    def _finish_all(self, ready: queue.SimpleQueue[Batch], room: threading.Semaphore, stop: threading.Event) -> None:
        """Commit one batch after another; one that left its latest values is settled beside the commit of the next."""
        committed: queue.SimpleQueue[tuple[Batch, Counts] | None] = queue.SimpleQueue()
        settling = threading.Thread(target=self._settle_all, args=(committed, stop), name="settle", daemon=True)
        settling.start()
        while not (stop.is_set() and ready.empty()):
            with contextlib.suppress(queue.Empty):
                batch = ready.get(timeout=0.2)
                self._committing = True
                room.release()
                counts = self._commit(batch, stop, leave_latest=self._latest is not None)
                if counts is None:
                    # Nothing after a batch that was given up may be acknowledged: brokers go by the order.
                    break
                committed.put((batch, counts))
                self._committing = False
        committed.put(None)
        settling.join()

    def _settle_all(self, committed: queue.SimpleQueue[tuple[Batch, Counts] | None], stop: threading.Event) -> None:
        """Acknowledge in the order of the commits, each once its latest values are written; until None comes."""
        ended = False
        while not ended:
            some = [committed.get()]
            while some[-1] is not None and not committed.empty():
                some.append(committed.get())
            ended = some[-1] is None
            done = [one for one in some if one is not None]
            if not self._write_latest([counts.newest for _, counts in done if counts.newest is not None], stop):
                return
            for batch, counts in done:
                self._settle(batch, counts)
        if self._latest is not None:
            self._latest.close()

    def _take(self, *, hurry: bool = False) -> list[Message]:
        """The next batch; in a hurry, what is there: messages have gathered while another batch was committed."""
        return self._queue.take(
            size_max=self._size_max,
            linger_seconds=0.0 if hurry else self._linger_seconds,
            wait_seconds=0.5,
            bytes_max=BATCH_BYTES_MAX,
        )

    def process(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Interpret, commit, acknowledge."""
        if (batch := self._prepare(messages, stop)) is not None:
            self.finish(batch, stop)

    def _prepare(self, messages: Sequence[Message], stop: threading.Event) -> Batch | None:
        """Interpret, waiting while nobody can say which devices there are; None when told to stop before."""
        self._underway.append(messages[0].received)
        while True:
            try:
                with self._metrics.read_seconds.time():
                    return self.prepare(messages)
            except Unavailable as error:
                log.warning("registry away, nothing is judged", error=str(error), waiting=len(self._queue))
            if stop.wait(RETRY_SECONDS_MIN * random.uniform(2.0, 6.0)):  # noqa: S311 -- jitter, not a secret
                return None

    def prepare(self, messages: Sequence[Message]) -> Batch:
        """Interpret: columns of the flawless, each other message by itself.

        Raises Unavailable where a device is not known and the registry cannot be asked whether it is new.
        """
        directory = self._directory()
        clean, rest = read_columns(self._reader, messages, directory)
        singles = understand(rest, directory)
        _flag_replayed(singles, self._reader.replayed)
        unknown = any(r.reason in {"unknown_device", "unknown_site"} for one in singles for r in one.rejections)
        if unknown and self._refresh_directory():
            # Perhaps it was registered a moment ago: look once more before turning it away.
            directory = self._directory()
            clean, rest = read_columns(self._reader, messages, directory)
            singles = understand(rest, directory)
            _flag_replayed(singles, self._reader.replayed)
        batch = Batch(f"{self._metrics.name}-{next(self._numbers)}", messages, directory, clean, singles)
        self._metrics.received(batch.items, len(messages))
        return batch

    def finish(self, batch: Batch, stop: threading.Event) -> bool:
        """Commit, acknowledge; False when told to stop before that was possible."""
        counts = self._commit(batch, stop)
        if counts is None:
            return False
        self._settle(batch, counts)
        return True

    def _settle(self, batch: Batch, counts: Counts) -> None:
        self._acknowledge(batch.messages)
        self._metrics.settled(counts, batch.items, batch.singles)
        self._underway.popleft()
        self._tell(batch, counts)

    def _tell(self, batch: Batch, counts: Counts) -> None:
        told = {
            "batch": batch.id, "messages": len(batch.messages), "stored": counts.stored,
            "duplicate": counts.duplicate, "rejected": counts.rejected,
        }  # fmt: skip
        if not counts.rejected:
            log.debug("committed", **told)
        elif (now := self._clock.monotonic()) - self._told_at >= REJECTIONS_TOLD_SECONDS:
            self._told_at = now
            reasons = sorted({one.reason for single in batch.singles for one in single.rejections})
            log.warning("messages were rejected", **told, reasons=reasons)

    def _commit(self, batch: Batch, stop: threading.Event, *, leave_latest: bool = False) -> Counts | None:
        """Write, waiting out an absent database; None when told to stop before it came back."""
        told = {"batch": batch.id, "messages": len(batch.messages)}
        counts = self._insist(lambda: self._write(batch, leave_latest=leave_latest), stop, told)
        if counts is None:
            self._metrics.abandoned(batch.items)
        return counts

    def _write_latest(self, some: Sequence[Rows], stop: threading.Event) -> bool:
        """Latest values of batches that are stored; False when told to stop before that was possible."""
        latest = self._latest
        if not some or latest is None:
            return True

        def write() -> bool:
            try:
                latest.write(some)
            except psycopg.Error as error:
                # The readings themselves are stored, and the next ones bring their latest values along.
                log.error("latest values were refused", error=repr(error)[:300])
            return True

        return self._insist(write, stop, {"batches": len(some)}) is not None

    def _insist(self, write: Callable[[], _T], stop: threading.Event, told: dict[str, Any]) -> _T | None:
        """Write, again and again while the database is away; None when told to stop before it came back."""
        delay = RETRY_SECONDS_MIN
        while True:
            try:
                with self._metrics.commit_seconds.time():
                    return write()
            except Unavailable as error:
                self._metrics.database_away.inc()
                log.warning(
                    "database away, nothing is acknowledged", **told, error=str(error), waiting=len(self._queue)
                )
            if stop.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 -- jitter, not a secret
                return None
            delay = min(delay * 2, RETRY_SECONDS_MAX)

    def _write(self, batch: Batch, *, leave_latest: bool) -> Counts:
        """Write a batch; one that cannot be stored is taken apart, message by message where need be."""
        try:
            return self._writer.write(batch.singles, batch.clean, leave_latest=leave_latest)
        except NOT_STORABLE as error:
            log.error("a batch was refused", batch=batch.id, messages=len(batch.messages), error=repr(error)[:300])
        return self._write_apart(understand(batch.messages, batch.directory), batch.directory)

    def _write_apart(self, singles: Sequence[Interpreted], directory: Directory) -> Counts:
        """Halve until the message at fault stands alone."""
        try:
            return self._writer.write(singles)
        except NOT_STORABLE as error:
            if len(singles) == 1:
                return self._writer.write([set_aside(singles[0].message, directory, "not_storable", error)])
        half = len(singles) // 2
        first, second = self._write_apart(singles[:half], directory), self._write_apart(singles[half:], directory)
        return Counts(
            first.stored + second.stored, first.duplicate + second.duplicate, first.rejected + second.rejected
        )


def _flag_replayed(singles: Sequence[Interpreted], replayed: set[int]) -> None:
    """Say of the readings of these messages that they are likely a cache's: stored, and not to be trusted."""
    if replayed:
        for one in singles:
            if id(one.message) in replayed:
                one.readings = [replace(reading, flags=reading.flags | Flag.REPLAYED) for reading in one.readings]
