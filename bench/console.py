"""`anhu bench console`: a house enters; how soon its board can be used, and what twenty open boards weigh, leaves.

Real processes of the api and the console on a real database. Chromium times the opening of the board by itself; the
twenty boards that stay open are sockets that speak as a browser's page does, since twenty Chromiums would be measured
more than the console. Meanwhile readings change as they do in a house.
"""

from __future__ import annotations

import ast
import asyncio
import re
import secrets
import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import socketio

from bench.api import environment
from bench.api_house import House, build
from bench.rig import RoleUnderTest, free_port, machine, rss_mib
from core.clock import Clock
from core.errors import Misconfigured

BOARDS: Final = 20
OPENINGS: Final = 5
READY_SECONDS_MAX: Final = 60.0
SETTLE_SECONDS: Final = 20.0
CHANGE_SECONDS: Final = 5.0
CHANGED_SHARE: Final = 0.2
"""This share of residents has a new pulse each CHANGE_SECONDS."""
QUIET_MS: Final = 500
"""A page can be used once its cards are drawn and the last long task (over 50 ms) before so much quiet has ended."""
_WATCH: Final = """window.busyUntil = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())
window.busyUntil = Math.max(window.busyUntil, one.startTime + one.duration); }).observe({type: "longtask"});"""


def run(url: str, clock: Clock, directory: Path, *, residents: int, minutes: float) -> dict[str, Any]:
    """The figures as the contract names them."""
    facts = machine()
    house = build(url, clock, residents)
    _fill_trends(url)
    api_port, console_port = free_port(), free_port()
    api = RoleUnderTest("api", environment(url, api_port), directory / "api.log")
    given = {"ANHU_API_URL": f"http://127.0.0.1:{api_port}", "ANHU_CONSOLE_PORT": str(console_port)}
    console = RoleUnderTest("console", given, directory / "console.log")
    base, stop = f"http://127.0.0.1:{console_port}", threading.Event()
    changing = threading.Thread(target=_change, args=(url, stop), daemon=True)
    try:
        for role in (api, console):
            role.start()
        _ready(f"http://127.0.0.1:{api_port}/readyz")
        _ready(f"{base}/healthz")
        changing.start()
        opened = _openings(base, house, residents)
        figures = asyncio.run(_keep_open(base, house, console, minutes=minutes))
    finally:
        stop.set()
        changing.join(10)
        for role in (console, api):
            role.stop()
    return {"residents": residents, "interactive_ms": round(statistics.median(opened)),
            "interactive_ms_max": round(max(opened)), "openings_ms": [round(one) for one in opened],
            **figures, "minutes": minutes, "machine": facts}  # fmt: skip


def _fill_trends(url: str) -> None:
    """Two hours of five-minute means for every device that serves somebody."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO rollup_5m (device_key, metric, bucket, count, sum, min, max)"
            " SELECT b.device_key, m, date_bin('5 minutes', now(), '2000-01-01') - n * interval '5 minutes', 5,"
            " 5 * v, v, v FROM bindings b, unnest(ARRAY[1, 2]) AS m, generate_series(0, 23) AS n,"
            " LATERAL (SELECT 70 + 10 * sin(n + b.device_key) AS v) AS wave"
            " WHERE b.resident_id IS NOT NULL AND b.bound_to IS NULL ON CONFLICT DO NOTHING"
        )


def _change(url: str, stop: threading.Event) -> None:
    """New pulses for some, again and again."""
    while not stop.wait(CHANGE_SECONDS):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "UPDATE latest SET value = 60 + 40 * random(), time = now(), received = now()"
                " WHERE metric = 1 AND random() < %s",
                (CHANGED_SHARE,),
            )


def _ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not become ready")
        time.sleep(0.1)


def _openings(base: str, house: House, residents: int) -> list[float]:
    """Milliseconds from the start of the navigation until a board with everybody can be used, by Chromium's clock."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise Misconfigured("chromium is not installed; on Debian: apt install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Misconfigured("playwright is not installed; `make install` with the development lock has it") from error
    took = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
        # The signals are ours: a browser that heeds them as well would be gone before it can be closed.
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=arguments, handle_sigint=False, handle_sigterm=False
        )
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.add_init_script(_WATCH)
        page.goto(f"{base}/signin")
        page.fill("#username", house.staff[0])
        page.fill("#password", house.password)
        page.click("button[type=submit]")
        drawn = f"anhu-board[data-ready='{residents}']"
        page.wait_for_selector(drawn, state="attached", timeout=60_000)
        for _ in range(OPENINGS):
            page.goto(f"{base}/")
            page.wait_for_selector(drawn, state="attached", timeout=60_000)
            page.wait_for_timeout(2 * QUIET_MS)
            marked = page.evaluate("performance.getEntriesByName('board-ready')[0].startTime")
            busy = page.evaluate("window.busyUntil")
            took.append(max(float(marked), float(busy) if busy < marked + QUIET_MS else float(marked)))
        browser.close()
    return took


async def _keep_open(base: str, house: House, console: RoleUnderTest, *, minutes: float) -> dict[str, Any]:
    boards = [Board(base, house.staff[number % len(house.staff)], house.password) for number in range(BOARDS)]
    for board in boards:
        await board.open()
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        begun = _rss(console)
        weights = []
        for _ in range(max(1, round(minutes * 60 / 10))):
            await asyncio.sleep(10)
            weights.append(_rss(console))
    finally:
        for board in boards:
            await board.close()
    return {
        "boards": BOARDS, "boards_alive": sum(board.alive for board in boards),
        "messages_per_board": round(statistics.mean(board.messages for board in boards), 1),
        "rss_mib_start": begun, "rss_mib_end": weights[-1], "rss_mib_max": max([begun, *weights]),
    }  # fmt: skip


def _rss(role: RoleUnderTest) -> float:
    weight = rss_mib(role.pid) if role.pid is not None else None
    return round(weight or 0.0, 1)


class Board:
    """A board that stays open: its page was loaded, its socket listens, acknowledges, and its pulse is asked."""

    def __init__(self, base: str, username: str, password: str) -> None:
        self.messages = 0
        self.alive = False
        self._base = base
        self._account = {"username": username, "password": password}
        self._http = httpx.AsyncClient(base_url=base, timeout=30, trust_env=False)
        self._socket = socketio.AsyncClient(reconnection=False)
        self._next = 0
        self._client_id = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Sign in, load the page, connect its socket."""
        await self._http.post("/signin", data=self._account)
        page = (await self._http.get("/")).raise_for_status().text
        found = re.search(r"query: (\{.*?\}),\n", page)
        if found is None:
            raise RuntimeError("the board's page has no socket")
        query = ast.literal_eval(found[1])
        self._client_id, self._next = query["client_id"], int(query["next_message_id"])
        one = secrets.token_hex(8)
        words = {**query, "implicit_handshake": "true", "document_id": one, "tab_id": one, "old_tab_id": "null"}
        self._socket.on("*", self._hear)
        await self._socket.connect(
            f"{self._base}?{httpx.QueryParams(words)}",
            socketio_path="/_nicegui_ws/socket.io",
            transports=["websocket"],
        )
        self._task = asyncio.create_task(self._live())

    async def close(self) -> None:
        self.alive = self._socket.connected
        if self._task is not None:
            self._task.cancel()
        await self._socket.disconnect()
        await self._http.aclose()

    async def _hear(self, _: str, content: Any = None) -> None:
        self.messages += 1
        if isinstance(content, dict) and "_id" in content:
            self._next = max(self._next, int(content["_id"]) + 1)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(3)
            await self._socket.emit("ack", {"client_id": self._client_id, "next_message_id": self._next})
            await self._http.get("/pulse")
