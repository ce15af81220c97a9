"""What the replayed day needs: a district of people, and roles that can be killed between any two of their queries."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from core.clock import ManualClock
from db.pool import Pool

HOUSES = 10
RESIDENTS = 10_000
TICK_SECONDS = 1.0
"""How often each replica looks by its own clock; two of them look out of step, so one looks every half of it."""


class Killed(BaseException):
    """kill -9: nothing catches it, nothing is tidied up; the database rolls back what was not committed."""


@dataclass(slots=True)
class Fuse:
    """Burns with every query, commit and end of a transaction; at its end the role dies."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Killed


class _MortalConnection:
    def __init__(self, connection: Any, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    def execute(self, *given: Any, **named: Any) -> Any:
        self._fuse.burn()
        return self._connection.execute(*given, **named)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield
            self._fuse.burn()  # everything done, nothing committed
        self._fuse.burn()  # committed, and nobody knows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class MortalPool:
    """A pool whose every connection hangs on one fuse."""

    def __init__(self, pool: Pool, fuse: Fuse) -> None:
        self._pool = pool
        self._fuse = fuse

    @contextmanager
    def connection(self) -> Iterator[_MortalConnection]:
        with self._pool.connection() as connection:
            yield _MortalConnection(connection, self._fuse)


@dataclass(slots=True)
class Reaper:
    """Kills roles at moments of its own choice, and lets the other replica take the turn half a tick later."""

    clock: ManualClock
    rng: random.Random
    chance: float
    fuse: Fuse = field(default_factory=Fuse)
    kills: Counter[str] = field(default_factory=Counter)
    _moment: float = -1.0

    def turn(
        self, role: str, work: Callable[[], object], *, queries: int, reborn: Callable[[], None] | None = None
    ) -> None:
        """One turn of a role that makes up to so many queries; `reborn` makes the process anew."""
        self.fuse.left = self.rng.randint(1, queries) if self.rng.random() < self.chance else None
        try:
            work()
        except Killed:
            self.kills[role] += 1
            if reborn is not None:
                reborn()
            if self.clock.time() != self._moment:  # two who die in one moment are both missed at the next look
                self.clock.advance(TICK_SECONDS / 2)
                self._moment = self.clock.time()
            work()
        finally:
            self.fuse.left = None


@dataclass(slots=True)
class Pager:
    """Who receives pages: each key that arrived, and when by the clock of the day."""

    clock: ManualClock
    url: str = ""
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def serve(self, connection: socket.socket) -> None:
        """Answer 200 to every request of a connection that is kept alive."""
        with connection, connection.makefile("rb") as lines:
            while lines.readline():
                headers = {}
                while line := lines.readline().strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                lines.read(int(headers["content-length"]))
                self.keys.append(headers["idempotency-key"])
                self.times.append(self.clock.time())
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def pager(clock: ManualClock) -> Iterator[Pager]:
    """A receiver on a real socket, as small as can be: thousands of pages are a part of the day, not its subject."""
    one = Pager(clock)
    with socket.create_server(("127.0.0.1", 0)) as door:
        one.url = f"http://127.0.0.1:{door.getsockname()[1]}/page"

        def accept() -> None:
            with suppress(OSError):  # the door is shut at the end
                while True:
                    connection, _ = door.accept()
                    threading.Thread(target=one.serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield one
        door.shutdown(socket.SHUT_RDWR)
        thread.join()


def people(connection: psycopg.Connection, clock: ManualClock, url: str) -> list[UUID]:
    """Ten houses of a thousand residents with a pendant and a daughter each, three staff and a desk; their ids."""
    run, now = connection.execute, clock.now()
    run(
        "INSERT INTO institutions (id, code, name_zh, created_at)"
        " SELECT gen_random_uuid(), 'house-' || n, n || '号养老院', %s FROM generate_series(1, %s) n", (now, HOUSES),
    )  # fmt: skip
    run("INSERT INTO institution_streams (institution_id) SELECT id FROM institutions")
    run(
        "INSERT INTO users (id, institution_id, username, password_hash, role, name, on_duty, created_at)"
        " SELECT gen_random_uuid(), i.id, i.code || '-' || n, '', CASE n WHEN 3 THEN 'admin' ELSE 'caregiver' END,"
        " '护理员' || n, n < 3, %s FROM institutions i, generate_series(1, 3) n", (now,),
    )  # fmt: skip
    run(
        "INSERT INTO residents (id, institution_id, name, sex, birth_date, floor, room, created_at, updated_at)"
        " SELECT gen_random_uuid(), i.id, '老人' || n, 'female', '1940-01-01', '1', n::text, %s, %s"
        " FROM institutions i, generate_series(1, %s) n", (now, now, RESIDENTS // HOUSES),
    )  # fmt: skip
    run(
        "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
        " supervision_seconds, created_at, updated_at) SELECT r.institution_id, 'p' || r.key, 'pendant', '', '', %s,"
        " 86400, %s, %s FROM residents r", (now, now, now),
    )  # fmt: skip
    run(
        "INSERT INTO bindings (id, institution_id, device_key, resident_id, bound_from) SELECT gen_random_uuid(),"
        " r.institution_id, d.key, r.id, %s FROM residents r JOIN devices d ON d.id = 'p' || r.key", (now,),
    )  # fmt: skip
    run(
        "INSERT INTO contacts (id, institution_id, resident_id, position, name, relation, wants_updates, created_at)"
        " SELECT gen_random_uuid(), institution_id, id, 1, '女儿', 'daughter', key %% 4 = 0, %s FROM residents", (now,),
    )  # fmt: skip
    channel = "INSERT INTO notification_channels (id, institution_id, user_id, contact_id, kind, target, created_at)"
    run(f"{channel} SELECT gen_random_uuid(), institution_id, NULL, id, 'webhook', %s, %s FROM contacts", (url, now))
    run(f"{channel} SELECT gen_random_uuid(), id, NULL, NULL, 'webhook', %s, %s FROM institutions", (url, now))
    run(
        f"{channel} SELECT gen_random_uuid(), institution_id, id, NULL, 'webhook', %s, %s FROM users"
        " WHERE username LIKE '%%-1'", (url, now),
    )  # fmt: skip
    run("ANALYZE")
    return [row[0] for row in run("SELECT id FROM residents ORDER BY key").fetchall()]
