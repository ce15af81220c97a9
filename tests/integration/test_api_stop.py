"""The api ends soon after it is told to, whoever still listens: its streams would otherwise be waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.clock import SystemClock
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import Role, until
from tests.fixtures.world import PASSWORD, World

KEY = "a-key-of-the-tests-of-stopping-0123456789"
STOP_SECONDS_MAX = 3.0
STREAMS = ("/api/v1/alerts/stream", "/api/v1/board/stream")
CLOCK = SystemClock()


@pytest.fixture
def serving(database_url: str, tmp_path: Path) -> Iterator[tuple[Role, str]]:
    """The api with the console in front of it, as under `anhu up`."""
    port = free_port()
    environment = {
        "ANHU_DATABASE_URL": database_url,
        "ANHU_TOKEN_KEY": KEY,
        "ANHU_DEVICE_KEY": KEY,
        "ANHU_API_PORT": str(port),
        "ANHU_API_CONSOLE": "true",
    }
    role = Role("api", environment, tmp_path / "api.log")
    role.start()
    base = f"http://127.0.0.1:{port}"
    until(lambda: _answers(f"{base}/healthz"), "the api's first answer", 60)
    # Seconds of work of a fresh process, of which the stop of one that runs has nothing.
    httpx.get(f"{base}/openapi.json", timeout=120, trust_env=False).raise_for_status()
    yield role, base
    role.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class Reader(threading.Thread):
    """Somebody who reads a stream until its end; `clean` tells whether it was ended and not cut."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(daemon=True)
        self._url, self._token = url, token
        self.lines = 0
        self.clean = False

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.stream("GET", self._url, headers=headers, timeout=60, trust_env=False) as answer:
            for _ in answer.iter_lines():
                self.lines += 1
        self.clean = True


def _listen(base: str, world: World, count: int) -> list[Reader]:
    form = {"username": world.a.users["caregiver"].username, "password": PASSWORD}
    token = (
        httpx.post(f"{base}/api/v1/auth/token", data=form, timeout=30, trust_env=False)
        .raise_for_status()
        .json()["access_token"]
    )
    readers = [Reader(f"{base}{path}", token) for path in STREAMS for _ in range(count)]
    for one in readers:
        one.start()
    until(lambda: all(one.lines for one in readers), "the first lines of every stream")
    return readers


def test_open_streams_and_boards_are_ended_and_do_not_hold_up_the_stop(serving: tuple[Role, str], world: World) -> None:
    role, base = serving
    form = {"username": world.a.users["caregiver"].username, "password": PASSWORD}
    with httpx.Client(base_url=base, trust_env=False, timeout=30, follow_redirects=True) as browser:
        assert "anhu-board" in browser.post("/signin", data=form).text
        until(lambda: browser.get("/pulse").json()["api"], "the console reading the api's streams")
        readers = _listen(base, world, 10)
        begun = CLOCK.monotonic()
        assert role.stop() == 0, role.log()
        assert CLOCK.monotonic() - begun < STOP_SECONDS_MAX
    for one in readers:
        one.join(5)
    assert all(one.clean for one in readers), "streams were cut instead of ended"
