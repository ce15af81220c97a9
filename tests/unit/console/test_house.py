"""The order of the desk, and server-sent events as the console reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from api.console.house import events, urgency


def alert(severity: str, state: str, opened: str, *, test: bool = False) -> dict[str, Any]:
    return {"severity": severity, "state": state, "opened_at": opened, "test": test}


def test_unanswered_emergencies_come_first_the_oldest_of_them_on_top_and_drills_last() -> None:
    drill = alert("critical", "open", "2026-01-01T00:00:00Z", test=True)
    ordered = [
        alert("critical", "open", "2026-01-01T10:00:00Z"),
        alert("critical", "open", "2026-01-01T10:05:00Z"),
        alert("critical", "on_site", "2026-01-01T09:00:00Z"),
        alert("high", "open", "2026-01-01T08:00:00Z"),
        alert("low", "open", "2026-01-01T07:00:00Z"),
        drill,
    ]
    mixed = [ordered[index] for index in (5, 2, 0, 4, 3, 1)]
    assert sorted(mixed, key=urgency) == ordered


async def lines(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


def read(text: str) -> list[tuple[str, Any, str]]:
    async def go() -> list[tuple[str, Any, str]]:
        return [one async for one in events(lines(text))]

    return asyncio.run(go())


def test_events_come_with_their_number_and_signs_of_life_are_nothing() -> None:
    text = 'retry: 2000\nid: 7\n\n: ♥\n\nid: 8\nevent: alert\ndata: {"a": 1}\n\nevent: cards\ndata: [1,\ndata: 2]\n\n'
    assert read(text) == [("message", None, "7"), ("alert", {"a": 1}, "8"), ("cards", [1, 2], "")]


def test_an_event_that_was_cut_off_is_not_told() -> None:
    assert read('event: alert\ndata: {"a": 1') == []
