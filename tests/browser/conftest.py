"""A real browser and a whole house: database, broker, ingest, alerts, api and console as processes of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from cli.embedded.broker import RumqttdBroker
from core.clock import ManualClock, SystemClock
from core.ids import new_id
from tests.fixtures.brokers import RunningBroker, broker_users, free_port
from tests.fixtures.database import fresh_database
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World, make_world

PICTURES = Path(__file__).parents[2] / "out" / "browser"
KEY = "a-key-of-the-browser-tests-0123456789"
CLOCK = SystemClock()
PHONE = {"width": 360, "height": 740}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.chromium)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
        one = playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        yield one
        one.close()


@dataclass(slots=True)
class House:
    """A running installation with the world of the tests in it."""

    world: World
    broker: RunningBroker
    roles: dict[str, Role]
    api_url: str
    console_url: str

    def press(self, kind: str, event_id: str, *, device: int = 0) -> None:
        """A device of institution a tells of something, over MQTT; returns once the broker has it."""
        one = self.world.a.devices[device]
        self.publish(f"{one.id}/event", {"id": event_id, "t": CLOCK.time(), "type": kind}, device=device)

    def publish(self, path: str, body: Any, *, device: int = 0) -> None:
        """With the account of a device of institution a, below its topics; returns once the broker has it."""
        username, password = self.broker.account(self.world.a, self.world.a.devices[device])
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{username}-{new_id(CLOCK)}")
        client.username_pw_set(username, password)
        client.connect("127.0.0.1", self.broker.broker.port)
        client.loop_start()
        payload = body if isinstance(body, str) else json.dumps(body)
        client.publish(f"anhu/v1/{self.world.a.site}/{path}", payload, qos=1).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    @contextmanager
    def client(self, role: str) -> Iterator[httpx.Client]:
        """The API as an account of institution a."""
        user = self.world.a.users[role]
        with httpx.Client(base_url=f"{self.api_url}/api/v1", trust_env=False, timeout=10) as client:
            tokens = client.post("/auth/token", data={"username": user.username, "password": user.password}).json()
            client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
            yield client


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _missing(api_url: str) -> set[str]:
    return set(httpx.get(f"{api_url}/readyz", timeout=10, trust_env=False).json()["missing"])


@pytest.fixture(scope="package")
def house(server_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One installation for all browser tests."""
    directory = tmp_path_factory.mktemp("house")
    with fresh_database(server_url, template_database) as url:
        world = make_world(url, ManualClock(CLOCK.time() - 60))
        users = broker_users(world)
        broker = RunningBroker(RumqttdBroker(directory, CLOCK, port=free_port()), users)
        broker.broker.start(users)
        api_port, console_port = free_port(), free_port()
        api_url, console_url = (f"http://127.0.0.1:{port}" for port in (api_port, console_port))
        database = {"ANHU_DATABASE_URL": url}
        keys = {"ANHU_TOKEN_KEY": KEY, "ANHU_DEVICE_KEY": KEY, "ANHU_API_PORT": str(api_port)}
        console = {"ANHU_API_URL": api_url, "ANHU_CONSOLE_PORT": str(console_port)}
        sessions = {"ANHU_CONSOLE_SESSIONS_FILE": str(directory / "sessions.json")}
        roles = {
            name: Role(name, environment, directory / f"{name}.log")
            for name, environment in (
                ("api", database | keys),
                ("alerts", database),
                ("ingest", database | {"ANHU_MQTT_URL": broker.url}),
                ("console", console | sessions),
            )
        }
        try:
            for role in roles.values():
                role.start()
            until(lambda: _answers(f"{api_url}/readyz"), "the api ready", 120)
            until(lambda: _answers(f"{console_url}/healthz"), "the console ready", 120)
            until(lambda: _missing(api_url) <= {"jobs"}, "ingest and alerts alive", 120)
            yield House(world, broker, roles, api_url, console_url)
        finally:
            # The console first: it holds streams of the api, which would wait for them.
            for role in reversed(roles.values()):
                role.stop()
            broker.broker.stop()


@pytest.fixture
def staff(browser: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """A function that signs an account of institution a in to the console, in a browser context of its own."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def enter(role: str = "caregiver", path: str = "/", **context: Any) -> Page:
        contexts.append(browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | context)))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{house.console_url}/signin?next={path}")
        user = house.world.a.users[role]
        page.fill("#username", user.username)
        page.fill("#password", user.password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{house.console_url}{path}")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert troubles == [], "errors in a page's scripts"


@pytest.fixture
def enter(browser: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """A function that signs an account of institution a in to a set of pages of the api."""
    contexts: list[BrowserContext] = []

    def sign_in(role: str, prefix: str, **context: Any) -> Page:
        contexts.append(browser.new_context(**({"viewport": PHONE} | context)))
        page = contexts[-1].new_page()
        page.goto(f"{house.api_url}{prefix}")
        user = house.world.a.users[role]
        page.fill("#username", user.username)
        page.fill("#password", user.password)
        page.click("form.card button")
        page.wait_for_url(f"{house.api_url}{prefix}")
        return page

    yield sign_in
    for one in contexts:
        one.close()


def keep(page: Page, name: str) -> None:
    """A picture of the page, for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
