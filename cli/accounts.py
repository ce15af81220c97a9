"""`anhu run accounts`: the registry enters, a broker whose accounts equal it leaves, and the broker's figures.

`anhu devices accounts` does the same once, by hand.

A notification wakes the keeper when a device is registered, bound, mapped, rotated or retired; every minute it looks by
itself. It alone has the account that may change others.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client import Counter, Gauge, start_http_server
from rich.console import Console

from core import logging
from core.broker import BrokerAddress, parse_broker_url
from core.clock import Clock, SystemClock
from core.errors import AnhuError, Conflict, Misconfigured, Unavailable
from core.settings import Settings, load_settings
from db.listen import listen
from db.pool import Pool, make_pool
from db.tenant import service_transaction
from devices.accounts.control import Control
from devices.accounts.desired import desired_users
from devices.accounts.reconcile import Changes, difference, read_actual, reconcile, unique
from devices.accounts.rights import KEEPER_USER, BrokerUser
from devices.accounts.seed import seed_text, write_seed

LOOK_SECONDS = 60.0
QUIET_SECONDS = 0.05
RETRY_SECONDS = 5.0
HEARTBEAT_SECONDS = 5.0
TURN_SECONDS = 0.25
NAMES_SHOWN_MAX = 20

ACCOUNTS = Gauge("anhu_broker_accounts", "Accounts that the registry wants at the broker.")
FOREIGN = Gauge("anhu_broker_accounts_foreign", "Accounts at the broker that somebody else made.")
SYNCED = Gauge(
    "anhu_broker_accounts_synced_timestamp_seconds", "When the broker's accounts last equalled the registry."
)
CHANGES = Counter("anhu_broker_accounts_changes", "Accounts changed at the broker.", ["what"])
REFUSED = Gauge("anhu_broker_accounts_refused", "1 where most accounts would go and nobody said that they may.")
DROPPED = Gauge("anhu_broker_messages_dropped", "Messages that the broker dropped since it started: a queue was full.")
STORED = Gauge("anhu_broker_messages_stored", "Messages that the broker keeps: queued, in flight and retained.")
STORED_BYTES = Gauge("anhu_broker_bytes_stored", "Payload bytes of those messages.")
CONNECTED = Gauge("anhu_broker_clients_connected", "Clients that are connected to the broker.")
UPTIME = Gauge("anhu_broker_uptime_seconds", "Time since the broker's start.")

FIGURES = {
    "$SYS/broker/publish/messages/dropped": DROPPED,
    "$SYS/broker/store/messages/count": STORED,
    "$SYS/broker/store/messages/bytes": STORED_BYTES,
    "$SYS/broker/clients/connected": CONNECTED,
    "$SYS/broker/uptime": UPTIME,
}
"""What is watched of the broker (mosquitto(8), Broker Status): dropped messages are acknowledged ones that are gone."""

log = logging.get(__name__)
console = Console(soft_wrap=True, highlight=False)
app = typer.Typer(no_args_is_help=True, help="Accounts and rights at the broker. 消息服务器账号与权限。")


class Keeper:
    """Keeps one broker's accounts equal to the registry."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._url = settings.require_database()
        self._pool = make_pool(self._url, "admin", size_max=2)
        self._address = keeper_address(settings)
        self._due = threading.Event()
        self._detail: dict[str, Any] = {"error": "nothing compared yet"}
        self._next_beat = 0.0
        self._next_look = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop. Raises Misconfigured where the broker refuses the keeper's account."""
        listener = threading.Thread(
            target=listen, args=(self._url, "admin", ("anhu_device",), lambda *_: self._due.set(), stop), daemon=True
        )
        listener.start()
        while not stop.is_set():
            try:
                with Control(self._address, self._clock, watch=note_figure) as control:
                    log.info("connected to the broker's access control", broker=self._address.host)
                    self._next_look = 0.0
                    while not stop.is_set() and control.connected:
                        self._turn(control, stop)
            except Unavailable as error:
                self._detail = {"error": str(error)}
                log.warning("accounts wait", error=str(error))
            self._beat()
            stop.wait(RETRY_SECONDS if not stop.is_set() else 0)
        listener.join(timeout=2)
        self._pool.close(timeout=1)

    def _turn(self, control: Control, stop: threading.Event) -> None:
        """One look, if it is time for one or somebody rang."""
        rung = self._due.wait(TURN_SECONDS)
        if rung or self._clock.monotonic() >= self._next_look:
            self._due.clear()
            # Devices are often registered in a row: one look serves those of a moment.
            stop.wait(QUIET_SECONDS)
            self._next_look = self._clock.monotonic() + LOOK_SECONDS
            try:
                self._look(control)
            except Conflict as error:
                REFUSED.set(1)
                self._detail = {"error": str(error)}
                log.error("accounts are left as they are", error=str(error))
        if self._clock.monotonic() >= self._next_beat:
            self._beat()

    def _look(self, control: Control) -> None:
        users = users_of(self._pool, self._settings)
        changes = reconcile(control, users)
        ACCOUNTS.set(len(users))
        FOREIGN.set(len(changes.foreign))
        REFUSED.set(0)
        SYNCED.set(self._clock.time())
        for what in ("created", "changed", "removed", "rights"):
            CHANGES.labels(what).inc(len(getattr(changes, what)))
        if changes:
            log.info("accounts changed", **_counts(changes))
        self._detail = {
            "accounts": len(users),
            "foreign": changes.foreign[:NAMES_SHOWN_MAX],
            "synced_at": self._clock.now().isoformat(),
        }

    def _beat(self) -> None:
        self._next_beat = self._clock.monotonic() + HEARTBEAT_SECONDS
        with contextlib.suppress(Unavailable), service_transaction(self._pool) as tx:
            detail = {"role": "accounts", "instance": socket.gethostname(), "detail": self._detail}
            tx.run("admin.beat", now=self._clock.now(), **detail)


def keeper_address(settings: Settings) -> BrokerAddress:
    """Where the broker is, with the account that manages the others. Raises Misconfigured."""
    url = settings.require_mqtt_accounts()
    address = parse_broker_url(url, settings.mqtt_ca_file, variable="ANHU_MQTT_ACCOUNTS_URL")
    if address.username != KEEPER_USER or not address.password:
        raise Misconfigured(f"ANHU_MQTT_ACCOUNTS_URL must name the account {KEEPER_USER} and its password")
    return address


def users_of(pool: Pool, settings: Settings) -> list[BrokerUser]:
    """Every account that there should be. Raises Misconfigured or Unavailable."""
    with service_transaction(pool) as tx:
        return desired_users(tx, settings.require_device_key(), parse_broker_url(settings.require_mqtt()))


def note_figure(topic: str, payload: bytes) -> None:
    """Keep one of the broker's own figures; `uptime` comes with its unit."""
    gauge = FIGURES.get(topic)
    if gauge is not None:
        with contextlib.suppress(ValueError, IndexError):
            gauge.set(float(payload.split()[0]))


def _counts(changes: Changes) -> dict[str, int]:
    return {what: len(getattr(changes, what)) for what in ("created", "changed", "removed", "rights", "foreign")}


@app.command()
def sync(
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what differs; exit code 1 where something does.")
    ] = False,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="Also where most accounts would go.")
    ] = False,
) -> None:
    """Compare the broker's accounts with the registry and make them equal, now."""
    settings, clock = load_settings(), SystemClock()
    address = keeper_address(settings)
    pool = make_pool(settings.require_database(), "admin", size_max=1)
    try:
        users = users_of(pool, settings)
    finally:
        pool.close()
    with Control(address, clock, client_id="anhu-accounts-by-hand") as control:
        if check:
            changes = difference(unique(users), read_actual(control))
        else:
            changes = reconcile(control, users, allow_removals=allow_removals)
    told = ", ".join(f"{name} {count}" for name, count in _counts(changes).items())
    console.print(f"{len(users)} accounts wanted; {told}")
    if changes.foreign:
        console.print(f"not ours: {', '.join(changes.foreign[:NAMES_SHOWN_MAX])}", markup=False)
    if check and changes:
        raise typer.Exit(1)


@app.command()
def seed(
    file: Annotated[Path, typer.Argument(help="The plugin's file, of a broker that does not run.")],
    replace: Annotated[bool, typer.Option("--replace", help="Also where the file is there already.")] = False,
) -> None:
    """Write every account into the file of a broker that does not run; a file that is there is kept."""
    if file.exists() and not replace:
        console.print(f"{file} is there already")
        return
    settings = load_settings()
    address = keeper_address(settings)
    pool = make_pool(settings.require_database(), "admin", size_max=1)
    try:
        users = users_of(pool, settings)
    finally:
        pool.close()
    write_seed(file, seed_text(users, address.password or ""))
    console.print(f"{len(users)} accounts in {file}")


def main() -> None:
    """Keep the accounts until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logging.configure("accounts", level=settings.log_level, json=settings.log_json)
    keeper = Keeper(settings, SystemClock())
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.api_host)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        keeper.run(stop)
    except AnhuError as error:
        log.error("accounts ended", error=str(error))
        raise
