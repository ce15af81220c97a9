"""The live stream: notifications of the database enter, server-sent events leave, numbered and resumable.

One thread of a process listens to the database and one reads what is new, once for all listeners of an institution:
one query for the entries, one for what the families among them may see, one text for each entry. Each event loop is
woken once and puts it into its listeners' queues. A listener that does not keep up is dropped; it comes back with the
number of the last event it had, and is given the rest from the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from alerts.service import type_names
from api.auth.accounts import Account
from core.errors import Unavailable
from core.limits import STREAM_LISTENERS_MAX
from core.logging import get
from core.vocabulary import Role
from db.listen import listen
from db.pool import Pool
from db.tenant import tenant_transaction

log = get(__name__)

QUEUE_MAX: Final = 256
PAGE: Final = 500
POLL_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 15.0

Row = dict[str, Any]
Shown = tuple[int, str]
"""The number of an entry and its text as it is sent."""
_END: Final[Shown] = (-1, "")
"""What wakes a stream to see that it is over; its number is behind everybody's."""


@dataclass(slots=True, eq=False)
class Listener:
    """One open stream: where its rows go, on its own event loop."""

    institution_id: UUID
    loop: asyncio.AbstractEventLoop
    family: UUID | None = None
    queue: asyncio.Queue[Shown] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    dropped: bool = False

    def put(self, shown: Shown) -> None:
        """Runs on the loop."""
        try:
            self.queue.put_nowait(shown)
        except asyncio.QueueFull:
            self.dropped = True

    def end(self) -> None:
        """Let the stream end now. Runs on the loop."""
        self.dropped = True
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(_END)


class Hub:
    """Listeners of one process; its threads run while there is at least one."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._listeners: dict[UUID, set[Listener]] = {}
        self._last: dict[UUID, int] = {}
        self._wake = threading.Event()
        self._stop: threading.Event | None = None
        self._closed = False

    def join(self, listener: Listener) -> int:
        """Take a listener in; the number after which it will be given everything. Raises Unavailable."""
        with self._lock:
            head = self._last.get(listener.institution_id)
        if head is None:
            head = self._head(listener.institution_id)
        with self._lock:
            if sum(map(len, self._listeners.values())) >= STREAM_LISTENERS_MAX:
                raise Unavailable("too many open streams")
            self._listeners.setdefault(listener.institution_id, set()).add(listener)
            listener.dropped = self._closed
            start = self._last.setdefault(listener.institution_id, head)
            if self._stop is None:
                self._begin()
        return start

    def leave(self, listener: Listener) -> None:
        """Let a listener go; the last one switches the threads off."""
        with self._lock:
            mine = self._listeners.get(listener.institution_id, set())
            mine.discard(listener)
            if not mine:
                self._listeners.pop(listener.institution_id, None)
                self._last.pop(listener.institution_id, None)
            if not self._listeners and self._stop is not None:
                self._stop.set()
                self._wake.set()
                self._stop = None

    def close(self) -> None:
        """End every stream, since the process will; clients come back to another. From any thread."""
        with self._lock:
            self._closed = True
            listeners = [one for mine in self._listeners.values() for one in mine]
        for one in listeners:
            one.loop.call_soon_threadsafe(one.end)

    def after(self, institution_id: UUID, seq: int) -> list[Row]:
        """One page of entries after a number."""
        with tenant_transaction(self._pool, institution_id) as tx:
            return tx.all("alert_routes.stream_after", seq=seq, limit=PAGE)

    def consented(self, institution_id: UUID, family: UUID) -> set[UUID]:
        """The residents whose alerts a family account may see now."""
        with tenant_transaction(self._pool, institution_id) as tx:
            return {row["resident_id"] for row in tx.all("alert_routes.consented", family=family)}

    def _head(self, institution_id: UUID) -> int:
        with tenant_transaction(self._pool, institution_id) as tx:
            row = tx.first("alert_routes.stream_head", institution_id=institution_id)
        return int(row["seq"]) if row else 0

    def _begin(self) -> None:
        stop = self._stop = threading.Event()
        threading.Thread(target=self._pump, args=(stop,), name="alert stream", daemon=True).start()
        arguments = (self._pool.conninfo, "api", ("anhu_alert",), lambda _channel, _payload: self._wake.set(), stop)
        threading.Thread(target=listen, args=arguments, name="alert listen", daemon=True).start()

    def _pump(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            with self._lock:
                known = list(self._last.items())
            for institution_id, seq in known:
                if stop.is_set():
                    return
                try:
                    self._read(institution_id, seq)
                except Unavailable as error:
                    log.warning("the stream waits for the database", error=str(error))

    def _read(self, institution_id: UUID, seq: int) -> None:
        while rows := self.after(institution_id, seq):
            seq = rows[-1]["seq"]
            with self._lock:
                families = {one.family for one in self._listeners.get(institution_id, ()) if one.family}
            allowed = self._allowed(institution_id, rows, families) if families else set()
            texts = [((row["seq"], render(row)), row["resident_id"]) for row in rows]
            with self._lock:
                if institution_id not in self._last:
                    return
                self._last[institution_id] = seq
                loops: dict[asyncio.AbstractEventLoop, list[Listener]] = {}
                for listener in self._listeners.get(institution_id, ()):
                    loops.setdefault(listener.loop, []).append(listener)
            for loop, listeners in loops.items():
                loop.call_soon_threadsafe(_deliver, listeners, texts, allowed)

    def _allowed(self, institution_id: UUID, rows: list[Row], families: set[UUID]) -> set[tuple[UUID, UUID]]:
        """Which of these family accounts may see which of these residents' alerts now."""
        residents = {row["resident_id"] for row in rows if row["resident_id"]}
        with tenant_transaction(self._pool, institution_id) as tx:
            found = tx.all("alert_routes.consenting", families=list(families), residents=list(residents))
        return {(row["user_id"], row["resident_id"]) for row in found}


def _deliver(
    listeners: list[Listener], texts: list[tuple[Shown, UUID | None]], allowed: set[tuple[UUID, UUID]]
) -> None:
    """Put entries into the queues of one loop's listeners, for family those consented alone. Runs on the loop."""
    for listener in listeners:
        for shown, resident in texts:
            if listener.family is None or (resident is not None and (listener.family, resident) in allowed):
                listener.put(shown)


async def events(hub: Hub, caller: Account, last_id: int | None, still_welcome: Any) -> AsyncIterator[str]:
    """The text of a stream, until the listener falls behind or is no longer welcome.

    last_id: the number of the last event that the client has; None for those from now on. `still_welcome` is asked at
    every pause whether the account is what it was.
    """
    institution_id = caller.tenant
    family = caller.id if caller.role is Role.FAMILY else None
    listener = Listener(institution_id, asyncio.get_running_loop(), family)
    start = await run_in_threadpool(hub.join, listener)
    try:
        seq = start if last_id is None else min(last_id, start)
        yield f"retry: 2000\nid: {seq}\n\n"
        while seq < start:
            rows = await run_in_threadpool(hub.after, institution_id, seq)
            if not rows:
                break
            for text in await _shown(hub, institution_id, family, rows):
                yield text
            seq = rows[-1]["seq"]
        while not listener.dropped:
            try:
                number, text = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                if not await run_in_threadpool(still_welcome):
                    return
                yield ": ♥\n\n"
                continue
            if number > seq:
                seq = number
                yield text
    finally:
        hub.leave(listener)


async def _shown(hub: Hub, institution_id: UUID, family: UUID | None, rows: list[Row]) -> list[str]:
    """What this listener may see of entries that it has missed; a consent counts as it stands now."""
    if family is not None:
        allowed = await run_in_threadpool(hub.consented, institution_id, family)
        rows = [row for row in rows if row["resident_id"] in allowed]
    return [render(row) for row in rows]


def render(row: Row) -> str:
    """One server-sent event."""
    names = type_names(row["type"])
    data = {
        "seq": row["seq"],
        "at": row["at"].isoformat().replace("+00:00", "Z"),
        "kind": row["kind"],
        "alert_id": str(row["alert_id"]),
        "type": row["type"],
        "type_name": {"zh": names.zh, "en": names.en},
        "severity": row["severity"],
        "state": row["state"],
        "resident_id": str(row["resident_id"]) if row["resident_id"] else None,
        "place": row["place"],
        "actor": row["actor"],
        "note": row["note"],
    }
    return f"id: {row['seq']}\nevent: alert\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
