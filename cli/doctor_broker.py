"""A broker's address enters; what is found of its certificate, our account, the accounts and the queue leaves."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cli.accounts import keeper_address, users_of
from cli.runtime import INGEST_USER, Secrets, embedded_url
from core.broker import BrokerAddress
from core.clock import Clock, from_unix
from core.errors import Misconfigured, Unavailable
from core.settings import Settings
from db.pool import make_pool
from db.tenant import service_transaction
from devices.accounts.control import Control
from devices.accounts.desired import device_users
from devices.accounts.reconcile import difference, read_actual, unique

CERTIFICATE_DAYS_MIN = 21
WAIT_SECONDS = 10.0
FIGURE_SECONDS = 2.0
ACCOUNT_FILES = ("rumqttd.toml", "dynamic-security.json")
"""Where the two embedded brokers have them; the younger is of the one that runs."""
DROPPED = "$SYS/broker/publish/messages/dropped"
STORED = "$SYS/broker/store/messages/count"


class Told(NamedTuple):
    """One thing looked at; advice is empty when all is well."""

    what: str
    detail: str
    advice: str = ""


def look_at_certificate(address: BrokerAddress, clock: Clock) -> Told:
    """Until when the broker's certificate holds. Raises OSError where it does not hold at all."""
    context = ssl.create_default_context(cafile=str(address.ca_file) if address.ca_file else None)
    with (
        socket.create_connection((address.host, address.port), timeout=WAIT_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=address.host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    ends = from_unix(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
    left = ends - clock.now()
    renew = "Renew it and restart the broker: docs/production.md, TLS."
    advice = "" if left > timedelta(days=CERTIFICATE_DAYS_MIN) else renew
    return Told("certificate", f"holds until {ends:%Y-%m-%d}, {left.days} days", advice)


def try_account(address: BrokerAddress) -> str:
    """Sign in and subscribe as ingest does, under another client id. Raises Misconfigured or OSError."""
    done, told = threading.Event(), [""]

    def connected(client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            told[0] = f"the broker refuses {address.username}: {reason}"
            done.set()
            return
        client.subscribe("anhu/v1/+/+/status", 0)

    def subscribed(_client: Client, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        told[0] = f"{address.username} may not subscribe to anhu/v1" if codes[0].is_failure else ""
        done.set()

    def ended(*_: Any) -> None:
        if not done.is_set():
            told[0] = f"the broker ends {address.username}'s connection without an answer: another password?"
            done.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id="anhu-doctor", reconnect_on_failure=False)
    client.username_pw_set(address.username, address.password)
    if address.tls:
        ca = str(address.ca_file) if address.ca_file else None
        client.tls_set_context(ssl.create_default_context(cafile=ca))
    client.on_connect, client.on_subscribe, client.on_disconnect = connected, subscribed, ended
    client.connect(address.host, address.port)
    client.loop_start()
    answered = done.wait(WAIT_SECONDS)
    client.disconnect()
    client.loop_stop()
    if not answered:
        raise Unavailable("the broker does not answer")
    if told[0]:
        raise Misconfigured(told[0])
    return f"{address.username} signs in and subscribes at {address.host}:{address.port}"


def look_at_embedded(data_dir: Path, port: int, clock: Clock) -> Iterator[Told]:
    """What `anhu up` runs: whether ingest's account signs in and may subscribe, and each device has an account.

    Raises AnhuError or OSError.
    """
    secrets = Secrets.load(data_dir)
    address = BrokerAddress("127.0.0.1", port, INGEST_USER, secrets.broker_password, tls=False)
    yield Told("broker", try_account(address))
    pool = make_pool(embedded_url(data_dir, "admin", clock), "admin", size_max=1)
    try:
        with service_transaction(pool) as tx:
            wanted = {user.username for user in device_users(tx, secrets.device_key)}
    finally:
        pool.close()
    written = max((data_dir / "broker" / name for name in ACCOUNT_FILES), key=_written_at).read_text(encoding="utf-8")
    missing = sorted(name for name in wanted if json.dumps(name) not in written)
    if not missing:
        yield Told("accounts", f"{len(wanted)}, all as the registry has them")
        return
    told = f"{len(missing)} of {len(wanted)} devices have none: {', '.join(missing[:5])}"
    yield Told("accounts", told, "A change is taken up within seconds; if this stays, restart `anhu up`.")


def _written_at(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def look_at_accounts(settings: Settings, clock: Clock) -> Iterator[Told]:
    """Whether the broker's accounts equal the registry, and what its queue tells. Raises AnhuError."""
    pool = make_pool(settings.require_database(), "admin", size_max=1)
    try:
        users = users_of(pool, settings)
    finally:
        pool.close()
    figures: dict[str, bytes] = {}
    address = keeper_address(settings)
    with Control(address, clock, watch=figures.__setitem__, client_id="anhu-accounts-doctor") as control:
        changes = difference(unique(users), read_actual(control))
        deadline = clock.monotonic() + FIGURE_SECONDS
        while not {DROPPED, STORED} <= figures.keys() and clock.monotonic() < deadline:
            clock.sleep(0.05)
    counts = {what: len(getattr(changes, what)) for what in ("created", "changed", "removed", "rights")}
    late = [f"{n} to be {what}" for what, n in counts.items() if n]
    advice = "Start `anhu run accounts`, or once: anhu devices accounts sync." if changes else ""
    yield Told("accounts", ", ".join(late) or f"{len(users)}, all as the registry has them", advice)
    if changes.foreign:
        yield Told("accounts", f"{len(changes.foreign)} made by hand: {', '.join(changes.foreign[:5])}")
    if DROPPED in figures:
        dropped, stored = int(figures[DROPPED]), int(figures.get(STORED, b"0"))
        lost = "A queue was full: what it held beyond its bound is lost. Raise max_queued_messages." if dropped else ""
        yield Told("queue", f"{stored} messages kept, {dropped} dropped since the broker's start", lost)
