"""The newest readings of batches enter, the table of latest values holds them afterwards; older never replaces newer.

A large batch leaves this to a connection of its own, which works beside the one that writes the series: two processes
of the database share the load, and a batch is acknowledged when both have committed. Should one die between the two,
the batch comes again: its readings are known, and its latest values are written then.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from core.clock import Clock
from core.errors import Unavailable
from db.pool import Connection, connect
from db.queries import sql
from db.tenant import Transaction
from ingest.rows import Rows, newest_of


def write_latest(tx: Transaction, newest: Rows, received: float) -> None:
    """Store rows of which no key stands twice. received: Unix seconds."""
    with tx.connection.cursor() as cursor, cursor.copy(sql("ingest.copy_latest")) as copy:
        copy.write(newest.latest_stream(received))
    if tx.run("ingest.update_latest") < len(newest):
        tx.run("ingest.upsert_latest")


class LatestWriter:
    """Writes in the role "ingest"; reconnects when the connection was lost."""

    def __init__(self, database_url: str, clock: Clock) -> None:
        self._url = database_url
        self._clock = clock
        self._connection: Connection | None = None

    def write(self, some: Sequence[Rows]) -> None:
        """Store the newest of several batches in one transaction. Raises Unavailable or psycopg.Error."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url, "ingest")
                self._connection.execute(sql("ingest.create_stage"))
            with self._connection.transaction():
                write_latest(Transaction(self._connection), newest_of(some), self._clock.time())
        except psycopg.OperationalError as error:
            self.close()
            raise Unavailable(f"the database cannot be reached: {error}") from error

    def close(self) -> None:
        """Close the connection; the next write opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
