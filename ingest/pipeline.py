"""The order of ingest, on one screen: take a batch, interpret it, commit it, acknowledge it.

A lane is a queue, a writer and the thread between them. The emergency lane and the telemetry lane are two lanes that
share nothing but the device registry, so an event never waits behind telemetry.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

import psycopg

from core import logging
from core.clock import Clock
from core.errors import Unavailable
from devices.registry import Directory
from ingest.batch import Message, MessageQueue
from ingest.interpret import Interpreted, interpret, rejection
from ingest.metrics import LaneMetrics
from ingest.persist import Counts, Writer

log = logging.get(__name__)

RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 5.0


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

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what is not committed by then stays with the broker."""
        while not stop.is_set():
            messages = self._queue.take(size_max=self._size_max, linger_seconds=self._linger_seconds, wait_seconds=0.5)
            if messages:
                self.process(messages, stop)
        self._writer.close()

    def process(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Interpret, commit, acknowledge."""
        batch = self._interpret(messages)
        self._metrics.received(sum(one.items for one in batch), len(messages))
        counts = self._commit(batch, stop)
        if counts is None:
            return
        self._metrics.settled(counts, batch)
        self._acknowledge(messages)

    def _interpret(self, messages: Sequence[Message]) -> list[Interpreted]:
        directory = self._directory()
        batch = [interpret(message, directory) for message in messages]
        unknown = any(r.reason in {"unknown_device", "unknown_site"} for one in batch for r in one.rejections)
        if unknown and self._refresh_directory():
            # Perhaps it was registered a moment ago: look once more before turning it away.
            directory = self._directory()
            batch = [interpret(message, directory) for message in messages]
        return batch

    def _commit(self, batch: Sequence[Interpreted], stop: threading.Event) -> Counts | None:
        """Write, waiting out an absent database; None when told to stop before it came back."""
        delay = RETRY_SECONDS_MIN
        while True:
            try:
                with self._metrics.commit_seconds.time():
                    return self._write(batch)
            except Unavailable as error:
                self._metrics.database_away.inc()
                log.warning("database away, nothing is acknowledged", error=str(error), waiting=len(self._queue))
            if stop.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 -- jitter, not a secret
                self._metrics.abandoned(batch)
                return None
            delay = min(delay * 2, RETRY_SECONDS_MAX)

    def _write(self, batch: Sequence[Interpreted]) -> Counts:
        """Write a batch; one that the database refuses is halved until the message at fault stands alone."""
        try:
            return self._writer.write(batch)
        except psycopg.Error as error:
            log.error("a batch was refused", messages=len(batch), error=str(error).splitlines()[0])
            if len(batch) == 1:
                message = batch[0].message
                alone = Interpreted(message, institution_id=batch[0].institution_id)
                alone.rejections = [rejection(message, None, "not_storable", str(error).splitlines()[0])]
                return self._writer.write([alone])
        half = len(batch) // 2
        first, second = self._write(batch[:half]), self._write(batch[half:])
        return Counts(
            first.stored + second.stored, first.duplicate + second.duplicate, first.rejected + second.rejected
        )
