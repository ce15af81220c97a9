"""`anhu up`: a data directory enters; database, broker and every role run until SIGTERM or Ctrl-C.

The order on one screen: check the machine, start the database, bring the schema to the newest, seed the demo if asked,
start the broker with the registered accounts, start the roles, wait until the API is ready, tend them all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from rich.console import Console

from cli import demo
from cli.embedded.broker import Broker, make_broker
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.preflight import preflight
from cli.roles import RoleProcess
from cli.runtime import INGEST_USER, Secrets
from core.clock import Clock
from core.errors import AnhuError, Misconfigured, Unavailable
from core.settings import Settings
from db.listen import listen
from db.migrate import migrate
from db.pool import make_pool
from db.tenant import service_transaction
from devices.accounts.desired import device_users
from devices.accounts.rights import BrokerUser

ROLES = ("ingest", "alerts", "jobs", "api")
READY_SECONDS_MAX = 60.0
STOP_SECONDS = 4.0
TEND_SECONDS = 0.25
RELOAD_QUIET_SECONDS = 0.5


class Installation:
    """Everything that one `anhu up` runs."""

    def __init__(self, data_dir: Path, settings: Settings, clock: Clock, *, with_demo: bool, broker: str) -> None:
        self._data_dir = data_dir.resolve()
        self._settings = settings
        self._clock = clock
        self._with_demo = with_demo
        self._console = Console(soft_wrap=True, highlight=False)
        self._stop = threading.Event()
        self._accounts_changed = threading.Event()
        self._postgres = EmbeddedPostgres(self._data_dir, clock)
        self._broker: Broker = make_broker(broker, self._data_dir, clock, port=settings.mqtt_port)
        self._roles: list[RoleProcess] = []
        self._secrets: Secrets | None = None

    @property
    def api_url(self) -> str:
        return f"http://{self._settings.api_host}:{self._settings.api_port}"

    def stop(self) -> None:
        """Ask for a clean stop."""
        self._stop.set()

    def run(self) -> None:
        """Run until asked to stop. Raises Misconfigured or Unavailable where it cannot start."""
        with preflight(
            self._data_dir,
            clock=self._clock,
            ports={"ANHU_API_PORT": self._settings.api_port, "ANHU_MQTT_PORT": self._settings.mqtt_port},
        ):
            try:
                self._start()
                self._tend()
            finally:
                self._shut_down()

    def _start(self) -> None:
        self._secrets = Secrets.ensure(self._data_dir)
        if self._with_demo:
            (self._data_dir / "demo.json").unlink(missing_ok=True)
        self._postgres.start()
        report = migrate(self._postgres.url)
        self._postgres.ensure_logins(with_demo=self._with_demo)
        self._say("database", f"PostgreSQL on {self._data_dir / 'postgres'}, schema {report.version:04d}")
        pager = demo.PAGER_PORT_OFFSET + self._settings.api_port if self._with_demo else None
        if pager is not None:
            seeded = demo.seed(
                self._postgres.role_url("admin"), self._data_dir, self._clock, self._secrets, pager_port=pager
            )
            self._say("demo", seeded)
        self._broker.start(self._broker_users())
        self._say("broker", f"{self._broker.kind} on {self._broker.host}:{self._broker.port} (MQTT 3.1.1)")
        threading.Thread(target=self._listen, name="accounts", daemon=True).start()
        for role in ROLES:
            self._add_role(role, ["run", role], self._environment(role, pager is not None))
        self._await_api()
        if pager is not None:
            self._start_demo(pager)
        self._say("ready", f"console {self.api_url}/   API {self.api_url}/docs   Ctrl-C stops everything")

    def _start_demo(self, pager_port: int) -> None:
        path = demo.write_credentials(
            self._postgres.role_url("admin"),
            self._data_dir,
            self._require_secrets(),
            api_url=self.api_url,
            mqtt_port=self._settings.mqtt_port,
        )
        (self._data_dir / "logs" / "story.log").unlink(missing_ok=True)
        arguments = ["--credentials", str(path), "--pager-port", str(pager_port)]
        self._add_role("demo", ["demo-life", *arguments], {})
        self._say("demo", f"accounts and devices in {path}")
        month = {"ANHU_DATABASE_URL": self._postgres.demo_url}
        self._add_role("demo-month", ["demo-month", "--data-dir", str(self._data_dir)], month, once=True)
        threading.Thread(target=self._follow_story, name="story", daemon=True).start()

    def _follow_story(self) -> None:
        """Print what the demo process tells, line by line."""
        for line in _follow(self._data_dir / "logs" / "story.log", self._stop):
            self._console.print(line, markup=False)

    def _environment(self, role: str, is_demo: bool) -> dict[str, str]:
        keep = {k: v for k, v in os.environ.items() if k.startswith("ANHU_") or k in ("HOME", "TMPDIR", "LANG")}
        secrets = self._require_secrets()
        mqtt = f"mqtt://{INGEST_USER}:{secrets.broker_password}@{self._broker.host}:{self._broker.port}"
        mine: dict[str, Mapping[str, str]] = {
            "ingest": {"ANHU_MQTT_URL": mqtt},
            "api": {
                "ANHU_TOKEN_KEY": secrets.token_key,
                "ANHU_DEVICE_KEY": secrets.device_key,
                "ANHU_API_CONSOLE": "true",
                "ANHU_CONSOLE_SESSIONS_FILE": str(self._data_dir / "console-sessions.json"),
            },
            # The demo's pager listens on loopback, which webhooks may not reach otherwise; its links lead back here.
            "alerts": {
                "ANHU_WEBHOOK_ALLOW_PRIVATE": "true",
                "ANHU_PUBLIC_URL": keep.get("ANHU_PUBLIC_URL", self.api_url),
            }
            if is_demo
            else {},
        }
        database = {"ANHU_DATABASE_URL": self._postgres.role_url(role)}  # type: ignore[arg-type]  # ROLES are DbRoles
        return keep | database | dict(mine.get(role, {}))

    def _add_role(self, name: str, arguments: list[str], environment: Mapping[str, str], *, once: bool = False) -> None:
        role = RoleProcess(name, arguments, environment, self._data_dir, self._clock, once=once)
        role.start()
        self._roles.append(role)
        self._say(name, f"pid {role.pid}, log {role.log_file}")

    def _broker_users(self) -> list[BrokerUser]:
        secrets = self._require_secrets()
        pool = make_pool(self._postgres.role_url("admin"), "admin", size_max=1)
        try:
            with service_transaction(pool) as tx:
                devices = device_users(tx, secrets.device_key)
        finally:
            pool.close()
        return [BrokerUser(INGEST_USER, secrets.broker_password, "service"), *devices]

    def _await_api(self) -> None:
        deadline = self._clock.monotonic() + READY_SECONDS_MAX
        while self._clock.monotonic() < deadline and not self._stop.is_set():
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.api_url}/readyz", timeout=2).status_code == httpx.codes.OK:
                    return
            self._tend_roles()
            self._stop.wait(0.1)
        if not self._stop.is_set():
            raise Unavailable(f"the API is not ready after {READY_SECONDS_MAX:.0f} s; see {self._data_dir / 'logs'}")

    def _listen(self) -> None:
        def wake(channel: str, payload: str) -> None:
            del channel, payload
            self._accounts_changed.set()

        listen(self._postgres.role_url("admin"), "admin", ("anhu_device",), wake, self._stop)

    def _tend(self) -> None:
        while not self._stop.wait(TEND_SECONDS):
            self._tend_roles()
            if not self._postgres.is_running:
                self._say("database", "stopped; starting again")
                with contextlib.suppress(Unavailable):
                    self._postgres.start()
            if not self._broker.is_running:
                self._say("broker", "stopped; starting again")
                self._broker.start(self._broker_users())
            if self._accounts_changed.is_set():
                self._reload_accounts()

    def _tend_roles(self) -> None:
        for role in self._roles:
            if news := role.tend():
                self._say(role.name, news)

    def _reload_accounts(self) -> None:
        # Several devices are often registered in a row: one reload serves them all.
        self._stop.wait(RELOAD_QUIET_SECONDS)
        self._accounts_changed.clear()
        try:
            if self._broker.reload(self._broker_users()):
                self._say("broker", "accounts changed; started again")
        except AnhuError as error:
            self._accounts_changed.set()
            self._say("broker", f"accounts not reloaded yet: {error}")

    def _shut_down(self) -> None:
        self._stop.set()
        self._console.print("stopping …")
        # It says that everything is ready; from now on that is not so.
        (self._data_dir / "demo.json").unlink(missing_ok=True)
        for role in self._roles:
            role.ask_to_stop()
        deadline = self._clock.monotonic() + STOP_SECONDS
        for role in self._roles:
            role.stop(max(0.1, deadline - self._clock.monotonic()))
        self._broker.stop(2.0)
        self._postgres.stop(3.0)
        self._console.print("stopped; the data stays in", str(self._data_dir))

    def _require_secrets(self) -> Secrets:
        if self._secrets is None:
            raise Misconfigured("secrets are made at the start")
        return self._secrets

    def _say(self, who: str, what: str) -> None:
        self._console.print(f"[bold]{who:<9}[/bold] {what}")


def _follow(path: Path, stop: threading.Event) -> Iterator[str]:
    """Lines of a file as they are appended, from its first."""
    while not path.exists():
        if stop.wait(0.2):
            return
    with path.open(encoding="utf-8") as source:
        while not stop.is_set():
            line = source.readline()
            if line:
                yield line.rstrip("\n")
            else:
                stop.wait(0.2)


def run_up(installation: Installation) -> None:
    """Run with SIGTERM and SIGINT as the way to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: installation.stop())
    installation.run()
