"""The board as a live stream: an institution enters, server-sent events of changed residents leave.

Nothing tells of every reading, so the board is looked at each few seconds: once for all listeners of an institution.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from api.board import service
from core.clock import Clock
from core.errors import Unavailable
from core.logging import get
from db.pool import Pool
from db.tenant import tenant_transaction

log = get(__name__)

LOOK_SECONDS: Final = 5.0
TREND_SECONDS: Final = 60.0
CHUNK: Final = 100
LISTENERS_MAX: Final = 500
RESIDENTS_MAX: Final = 20_000
PAGE: Final = 500
QUIET_LOOKS_MAX: Final = 3
"""So many looks without news, then a sign of life."""


@dataclass(slots=True, eq=False)
class _Picture:
    """The board of one institution as it was last seen: resident -> card as JSON."""

    cards: dict[UUID, str] = field(default_factory=dict)
    at: float = -LOOK_SECONDS
    trends: service.Trends = field(default_factory=dict)
    trends_at: float = -TREND_SECONDS
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    listeners: int = 0


class Pictures:
    """The pictures of one process."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._by_institution: dict[UUID, _Picture] = {}
        self._ends: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def join(self, institution: UUID) -> asyncio.Event:
        """Take a listener in, on its loop; the event is set when it must end. Raises Unavailable for too many."""
        if sum(one.listeners for one in self._by_institution.values()) >= LISTENERS_MAX:
            raise Unavailable("too many open boards")
        self._by_institution.setdefault(institution, _Picture()).listeners += 1
        end = asyncio.Event()
        self._ends[end] = asyncio.get_running_loop()
        if self._closed:
            end.set()
        return end

    def close(self) -> None:
        """End every stream, since the process will; clients come back to another. From any thread."""
        self._closed = True
        for end, loop in list(self._ends.items()):
            loop.call_soon_threadsafe(end.set)

    def leave(self, institution: UUID, end: asyncio.Event) -> None:
        """Let a listener go; the last one's picture is forgotten."""
        del self._ends[end]
        picture = self._by_institution[institution]
        picture.listeners -= 1
        if not picture.listeners:
            del self._by_institution[institution]

    async def look(self, institution: UUID) -> dict[UUID, str]:
        """The board now, at most LOOK_SECONDS old."""
        picture = self._by_institution[institution]
        async with picture.lock:
            if self._clock.monotonic() - picture.at >= LOOK_SECONDS * 0.8:
                picture.cards = await run_in_threadpool(self._read, institution, picture)
                picture.at = self._clock.monotonic()
        return picture.cards

    def _read(self, institution: UUID, picture: _Picture) -> dict[UUID, str]:
        now: datetime = self._clock.now()
        with_trends = self._clock.monotonic() - picture.trends_at >= TREND_SECONDS
        ways: service.Trends = {} if with_trends else picture.trends
        found: dict[UUID, str] = {}
        after: list[str] | None = None
        with tenant_transaction(self._pool, institution) as tx:
            while len(found) < RESIDENTS_MAX:
                rows = service.residents(tx, after=after, limit=PAGE)
                if with_trends:
                    ways.update(service.trends(tx, [row["id"] for row in rows], now))
                found.update((one.resident.id, one.model_dump_json()) for one in service.cards(tx, rows, now, ways))
                if len(rows) < PAGE:
                    break
                after = service.key(rows[-1])
        if with_trends:
            picture.trends, picture.trends_at = ways, self._clock.monotonic()
        return found


async def events(
    pictures: Pictures, institution: UUID, still_welcome: Callable[[], bool], *, pause_seconds: float = LOOK_SECONDS
) -> AsyncIterator[str]:
    """All residents first, then `complete`, then those that change and the ids of those that are gone."""
    end = pictures.join(institution)
    try:
        known: dict[UUID, str] = {}
        quiet = 0
        yield "retry: 2000\n\n"
        begun = False
        while not end.is_set():
            try:
                seen = await pictures.look(institution)
            except Unavailable as error:
                log.warning("the board waits for the database", error=str(error))
                seen = known
            changed = [text for one, text in seen.items() if known.get(one) != text]
            gone = [str(one) for one in known if one not in seen]
            for start in range(0, len(changed), CHUNK):
                yield f"event: cards\ndata: [{','.join(changed[start : start + CHUNK])}]\n\n"
            if gone:
                yield f"event: gone\ndata: {json.dumps(gone)}\n\n"
            if not begun and seen is not known:
                begun = True
                yield 'event: complete\ndata: {"residents": ' + str(len(seen)) + "}\n\n"
            known = seen
            quiet = 0 if changed or gone else quiet + 1
            if quiet >= QUIET_LOOKS_MAX:
                quiet = 0
                yield ": ♥\n\n"
            if not await run_in_threadpool(still_welcome):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), pause_seconds)
    finally:
        pictures.leave(institution, end)
