"""What the tests of alerts share: events as ingest writes them, channels, and a receiver on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.notify.outbox import Outbox, RetryPolicy
from core.clock import ManualClock
from core.ids import new_id
from db.pool import Pool
from tests.fixtures.world import WorldInstitution


@dataclass(slots=True)
class Database:
    """The test's database, seen by its owner."""

    url: str
    clock: ManualClock

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def event(
        self,
        home: WorldInstitution,
        kind: str,
        event_id: str,
        *,
        device: int = 0,
        at: datetime | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """A committed event, as ingest leaves it."""
        self.rows(
            "INSERT INTO events (device_key, event_id, institution_id, time, received, type, data)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            home.devices[device].key,
            event_id,
            home.institution_id,
            at or self.clock.now(),
            self.clock.now(),
            kind,
            Jsonb(data or {}),
        )

    def channel(
        self,
        home: WorldInstitution,
        target: str,
        *,
        user: UUID | None = None,
        contact: UUID | None = None,
        kind: str = "webhook",
        position: int = 1,
        secret: str = "s3cret",  # noqa: S107 -- a test's
        is_public: bool = False,
        is_voice: bool = False,
        purpose: str = "page",
    ) -> UUID:
        """Where somebody is paged; without an owner, the duty desk."""
        channel = new_id(self.clock)
        self.rows(
            "INSERT INTO notification_channels (id, institution_id, user_id, contact_id, kind, position, target,"
            " secret, is_public, is_voice, purpose, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            channel,
            home.institution_id,
            user,
            contact,
            kind,
            position,
            target,
            secret,
            is_public,
            is_voice,
            purpose,
            self.clock.now(),
        )
        return channel

    def contact(self, home: WorldInstitution, *, user: UUID | None = None, **given: Any) -> UUID:
        """A contact of the first resident; `given` are further columns."""
        contact = new_id(self.clock)
        known = self.rows("SELECT id FROM contacts WHERE resident_id = %s", home.residents[0])
        columns = {
            "id": contact,
            "institution_id": home.institution_id,
            "resident_id": home.residents[0],
            "position": len(known) + 1,
            "name": "王丽",
            "user_id": user,
            "created_at": self.clock.now(),
            **given,
        }
        marks = ", ".join(["%s"] * len(columns))
        self.rows(f"INSERT INTO contacts ({', '.join(columns)}) VALUES ({marks})", *columns.values())
        return contact

    def notes(self, kind: str) -> list[str]:
        """What the entries of a kind say, in order."""
        rows = self.rows("SELECT note FROM alert_entries WHERE kind = %s ORDER BY seq", kind)
        return [row["note"] for row in rows]

    def plan(self, home: WorldInstitution, steps: list[dict[str, Any]]) -> None:
        """The institution's general plan."""
        self.rows(
            "INSERT INTO escalation_plans (id, institution_id, steps, updated_at) VALUES (%s, %s, %s, %s)",
            new_id(self.clock),
            home.institution_id,
            Jsonb(steps),
            self.clock.now(),
        )

    def timeline(self, alert: UUID) -> list[str]:
        rows = self.rows("SELECT kind FROM alert_entries WHERE alert_id = %s ORDER BY seq", alert)
        return [row["kind"] for row in rows]

    def alert(self) -> dict[str, Any]:
        """The only alert there is."""
        (row,) = self.rows("SELECT * FROM alerts")
        return row


@dataclass(slots=True)
class Receiver:
    """A webhook receiver: `answer` decides what it does with the nth request (from 1)."""

    url: str = ""
    answer: Callable[[int], int | None] = lambda _n: 200
    says: bytes = b""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    def keys(self) -> list[str]:
        return [headers["idempotency-key"] for headers, _ in self.requests]


@contextmanager
def receiver(answer: Callable[[int], int | None] = lambda _n: 200) -> Iterator[Receiver]:
    """A real HTTP server on loopback; None as an answer means hanging until the test is over."""
    told = Receiver(answer=answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                told.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = told.answer(len(told.requests))
            if status is None:
                told.hold.wait(10)
                return
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", told.url)
            self.send_header("Content-Length", str(len(told.says)))
            self.end_headers()
            self.wfile.write(told.says)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}/page"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def make_outbox(pool: Pool, clock: ManualClock, *, timeout_seconds: float = 5.0, **given: Any) -> Outbox:
    """An outbox that may page loopback, with pauses that do not depend on chance."""
    given.setdefault("retry", RetryPolicy())
    return Outbox(pool, clock, timeout_seconds=timeout_seconds, allow_private=True, chance=lambda: 0.5, **given)


def drain(outbox: Outbox) -> int:
    """Send what is due; how many attempts."""
    outbox.send_console()
    attempts = 0
    while outbox.send_one():
        attempts += 1
    return attempts
