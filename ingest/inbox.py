"""Messages that came by HTTP enter from the database; what they say leaves by the same way as what came by MQTT.

The api stored them after checking a signature. Taking them out, storing what they say and forgetting them is one
transaction, so that a kill at any moment neither loses nor doubles one; several replicas share the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from core import logging
from core.errors import Unavailable
from db.tenant import Transaction
from devices.registry import Directory
from ingest.batch import Message
from ingest.interpret import Interpreted
from ingest.metrics import LaneMetrics
from ingest.persist import NOT_STORABLE, Writer
from ingest.topics import PREFIX
from ingest.understand import set_aside, understand

log = logging.get(__name__)

BATCH_MAX: Final = 500
POLL_SECONDS: Final = 1.0


class Inbox:
    """Empties the inbox; the database's notification wakes it, polling guarantees."""

    def __init__(
        self,
        writer: Writer,
        *,
        directory: Callable[[], Directory],
        refresh_directory: Callable[[], bool],
        metrics: LaneMetrics,
    ) -> None:
        self._writer = writer
        self._directory = directory
        self._refresh_directory = refresh_directory
        self._metrics = metrics

    def run(self, due: threading.Event, stop: threading.Event) -> None:
        """Work until told to stop; what is not committed by then stays in the inbox."""
        while not stop.is_set():
            due.wait(POLL_SECONDS)
            due.clear()
            try:
                while not stop.is_set() and self.work() == BATCH_MAX:
                    pass
            except Unavailable as error:
                self._metrics.database_away.inc()
                log.warning("the inbox waits for the database", error=str(error))
        self._writer.close()

    def work(self) -> int:
        """Store one batch of messages; how many. Raises Unavailable."""
        return self._store(BATCH_MAX)

    def _store(self, limit: int) -> int:
        """The next messages; where the database refuses them, fewer, until the one at fault stands alone."""
        try:
            return self._write(limit, self._interpret)
        except NOT_STORABLE as error:
            log.error("messages of the inbox were refused", limit=limit, error=repr(error)[:300])
            if limit == 1:
                fault = error
                return self._write(
                    1, lambda some: [set_aside(one, self._directory(), "not_storable", fault) for one in some]
                )
        return self._store(max(1, limit // 8))

    def _write(self, limit: int, read: Callable[[Sequence[Message]], Sequence[Interpreted]]) -> int:
        taken: list[Interpreted] = []

        def take(tx: Transaction) -> Sequence[Interpreted]:
            rows = tx.all("ingest_door.take", limit=limit)
            taken[:] = read([_message(row) for row in sorted(rows, key=_order)])
            return taken

        counts = self._writer.write_taken(take)
        items = sum(one.items for one in taken)
        self._metrics.received(items, len(taken))
        self._metrics.settled(counts, items, taken)
        return len(taken)

    def _interpret(self, messages: Sequence[Message]) -> list[Interpreted]:
        directory = self._directory()
        batch = understand(messages, directory)
        unknown = any(r.reason in {"unknown_device", "unknown_site"} for one in batch for r in one.rejections)
        if unknown and self._refresh_directory():
            directory = self._directory()
            batch = understand(messages, directory)
        return batch


def _order(row: dict[str, Any]) -> tuple[bool, int]:
    return row["channel"] != "event", row["id"]


def _message(row: dict[str, Any]) -> Message:
    topic = f"{PREFIX}/{row['site']}/{row['device']}/{row['channel']}"
    # There is nothing to acknowledge: the row is gone when the transaction is committed.
    return Message(topic, bytes(row["payload"]), 0, 0, row["received"].timestamp(), 0)
