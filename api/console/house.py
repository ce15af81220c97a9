"""What one institution's screens show: the API's streams enter once, every open page of the institution is told.

One reader for all browsers of an institution, with the token of somebody who is signed in for it; it ends a minute
after the last page is closed. Whoever opens a page also reads under the own name, so the audit trail knows each viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.console.client import Away, ConsoleError, Gateway, Refused, SignedOut
from api.console.sessions import Session
from core.logging import get

log = get(__name__)

LINGER_SECONDS: Final = 60.0
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 3.0, 5.0)
RELIST_SECONDS: Final = 300.0
UNRESOLVED: Final = ("open", "acknowledged", "on_site")
ALERTS_MAX: Final = 500
Thing = dict[str, Any]


@dataclass(slots=True, eq=False)
class Listener:
    """One open page; each function is called on the event loop and must not wait."""

    on_alerts: Callable[[list[Thing]], object] | None = None
    """All unresolved alerts, most urgent first."""
    on_cards: Callable[[list[Thing]], None] | None = None
    """The residents that have changed."""
    on_gone: Callable[[list[str]], None] | None = None
    """The ids of residents who are no longer there."""
    on_entry: Callable[[Thing], None] | None = None
    """One entry of an alert's timeline, as the stream tells it."""
    on_line: Callable[[], None] | None = None
    """The connection to the API was lost, or is back: look at `up` and `since`."""


class House:
    """The live picture of one institution."""

    def __init__(self, institution: str, gateway: Gateway) -> None:
        self.institution = institution
        self.up = False
        self.since: datetime = gateway.clock.now()
        self.alerts: list[Thing] = []
        self.cards: dict[str, Thing] = {}
        self.drawn: dict[tuple[str, str], tuple[Thing, dict[str, Any]]] = {}
        """What pages have made of the cards, by language and resident, beside what it was made of."""
        self._gateway = gateway
        self._listeners: set[Listener] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.TimerHandle | None = None
        self._last_id: str | None = None
        self._dirty = asyncio.Event()
        self._first = asyncio.Event()
        self._listed = asyncio.Event()

    def join(self, listener: Listener) -> None:
        """Tell this page from now on."""
        self._listeners.add(listener)
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self.wake()

    def wake(self) -> None:
        """Run the readers, if they do not."""
        if not self._tasks or all(task.done() for task in self._tasks):
            self._first.clear()
            self._tasks = [
                asyncio.create_task(self._keep(self._follow_alerts), name="console alerts"),
                asyncio.create_task(self._keep(self._follow_board), name="console board"),
                asyncio.create_task(self._relist_when_told(), name="console list"),
            ]

    def leave(self, listener: Listener) -> None:
        """The page is closed; the readers end a while after the last."""
        self._listeners.discard(listener)
        if not self._listeners and self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.close)

    def close(self) -> None:
        """Stop reading."""
        self._closing = None
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def first_picture(self, seconds: float) -> None:
        """Wait until alerts and residents have been read once, but not longer than this."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._first.wait(), seconds)

    async def first_alerts(self, seconds: float) -> None:
        """Wait until the alerts have been read once, but not longer than this."""
        self.wake()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listed.wait(), seconds)

    def stale(self) -> None:
        """Somebody has acted here: look at once instead of waiting for the stream."""
        self._dirty.set()

    def take_cards(self, items: list[Thing]) -> None:
        """Residents as the API shows them; pages hear of those that differ."""
        changed = [one for one in items if self.cards.get(one["resident"]["id"]) != one]
        for one in changed:
            self.cards[one["resident"]["id"]] = one
        if changed:
            self._tell("on_cards", changed)

    async def _keep(self, follow: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
        """Follow, and follow again after a pause, with whoever is signed in."""
        failures = 0
        while True:
            session = next(iter(self._gateway.sessions.of_institution(self.institution)), None)
            if session is not None:
                try:
                    await follow(session)
                    failures = 0
                except SignedOut:
                    continue
                except Away as error:
                    log.warning("the console has lost the API", error=str(error))
                except Refused as error:
                    log.error("the console may not read", problem=error.kind, status=error.status)
                self._set_line(up=False)
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _follow_alerts(self, session: Session) -> None:
        async with self._gateway.stream(session, "/alerts/stream", self._last_id) as lines:
            # The stream is open before the list is read: what happens in between is told by the stream.
            await self._relist(session)
            self._set_line(up=True)
            async for name, data, number in events(lines):
                self._last_id = number or self._last_id
                if name == "alert":
                    self._tell("on_entry", data)
                    self._dirty.set()

    async def _follow_board(self, session: Session) -> None:
        async with self._gateway.stream(session, "/board/stream", None) as lines:
            gone = set(self.cards)
            async for name, data, _ in events(lines):
                if name == "cards":
                    gone -= {one["resident"]["id"] for one in data}
                    self.take_cards(data)
                elif name == "gone":
                    self._forget(data)
                elif name == "complete":
                    self._forget(sorted(gone))
                    self._first.set()

    def _forget(self, ids: list[str]) -> None:
        left = [one for one in ids if self.cards.pop(one, None) is not None]
        self.drawn = {key: value for key, value in self.drawn.items() if key[1] not in left}
        if left:
            self._tell("on_gone", left)

    async def _relist_when_told(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), RELIST_SECONDS)
            self._dirty.clear()
            session = next(iter(self._gateway.sessions.of_institution(self.institution)), None)
            if session is not None and self.up:
                with contextlib.suppress(ConsoleError):
                    await self._relist(session)

    async def _relist(self, session: Session) -> None:
        self._dirty.clear()
        found = await self._gateway.pages(session, "/alerts", most=ALERTS_MAX, state=UNRESOLVED, limit=ALERTS_MAX)
        found.sort(key=urgency)
        self._listed.set()
        if found != self.alerts:
            self.alerts = found
            self._tell("on_alerts", found)

    def _set_line(self, *, up: bool) -> None:
        if up != self.up:
            self.up, self.since = up, self._gateway.clock.now()
            self._tell("on_line")

    def _tell(self, what: str, *content: Any) -> None:
        for listener in list(self._listeners):
            heard = getattr(listener, what)
            if heard is None:
                continue
            try:
                heard(*content)
            except Exception:  # one page that fails must not silence the others
                log.exception("a page could not be told", what=what)


class Houses:
    """The houses that have open pages."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._houses: dict[str, House] = {}

    def of(self, session: Session) -> House | None:
        """The house of an account; None for accounts of the region."""
        if session.institution is None:
            return None
        if session.institution not in self._houses:
            self._houses[session.institution] = House(session.institution, self._gateway)
        return self._houses[session.institution]

    def close(self) -> None:
        for house in self._houses.values():
            house.close()


_RANK: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_STATE_RANK: Final = {"open": 0, "acknowledged": 1, "on_site": 2}


def urgency(alert: Thing) -> tuple[int, int, str]:
    """How the desk orders alerts: unanswered before answered within a severity, older before newer; drills last."""
    rank = _RANK[alert["severity"]] + (4 if alert["test"] else 0)
    return rank, _STATE_RANK.get(alert["state"], 3), alert["opened_at"]


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any, str]]:
    """Server-sent events as (event, data, id); an event without data has None."""
    name, data, number = "", [], ""
    async for line in lines:
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif line.startswith("id:"):
            number = line[3:].strip()
        elif not line and (name or data or number):
            yield name or "message", json.loads("\n".join(data)) if data else None, number
            name, data, number = "", [], ""
