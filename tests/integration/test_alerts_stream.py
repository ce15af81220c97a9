"""A thousand listeners on one process, staff and family: each gets each entry it may see, once, in moments."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from alerts.events import EventHandler
from core.clock import ManualClock, SystemClock
from db.pool import Pool
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database
from tests.integration.conftest import Api
from tests.integration.test_alerts_api import served

LISTENERS = 1_000
SECONDS_MAX = 20.0
"""From the commit to the last of them, on a machine that does other things too."""


async def listen(url: str, token: str, stack: AsyncExitStack) -> asyncio.StreamReader:
    """One open stream, past its greeting."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    stack.callback(writer.close)
    head = f"GET {parts.path}/alerts/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    status = await reader.readline()
    assert b" 200 " in status, status
    await reader.readuntil(b"id: ")
    return reader


async def told(reader: asyncio.StreamReader, seconds: float) -> bytes:
    """What comes within a time, up to the first entry; empty where nothing does."""
    try:
        return await asyncio.wait_for(reader.readuntil(b"event: alert"), seconds)
    except TimeoutError:
        return b""


async def run(url: str, tokens: dict[str, str], press: Callable[[], None]) -> tuple[int, float, bytes]:
    """How many of the staff heard, how long the last one waited, what a family without a consent heard."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        readers = []
        for begin in range(0, LISTENERS, 50):
            wave = (listen(url, tokens["caregiver" if n % 2 else "family"], stack) for n in range(begin, begin + 50))
            readers += await asyncio.gather(*wave)
        stranger = await listen(url, tokens["stranger"], stack)
        await asyncio.to_thread(press)
        begun = clock.monotonic()
        heard = await asyncio.gather(*(told(reader, SECONDS_MAX) for reader in readers))
        took = clock.monotonic() - begun
        return sum(bool(text) for text in heard), took, await told(stranger, 0.5)


def test_a_thousand_listeners_on_one_process_hear_of_a_press(
    api: Api, world: World, database_url: str, make_pool_for: Callable[[str], Pool], clock: ManualClock
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * LISTENERS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    base, handler = Database(database_url, clock), EventHandler(make_pool_for("alerts"), clock)
    tokens = {role: api.sign_in(world.a.users[role])["access_token"] for role in ("caregiver", "family")}
    tokens["stranger"] = api.sign_in(world.b.users["family"])["access_token"]

    def press() -> None:
        base.event(world.a, "sos", "p1")
        handler.handle_all()

    try:
        with served(api) as url:
            count, took, strange = asyncio.run(run(url, tokens, press))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert count == LISTENERS
    assert took < SECONDS_MAX
    assert strange == b"", "another institution's family hears nothing"
