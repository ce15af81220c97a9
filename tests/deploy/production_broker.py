"""The production broker's committed configuration enters, a Mosquitto that runs it at other paths leaves."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cli.embedded.access import allow_passage, service_user
from cli.embedded.broker import find_mosquitto, find_plugin
from core.broker import BrokerAddress
from core.clock import SystemClock
from core.ids import broker_username
from devices.accounts.control import Control
from devices.accounts.reconcile import Changes, reconcile
from devices.accounts.rights import KEEPER_USER, BrokerUser
from devices.accounts.seed import seed_text, write_seed
from tests.fixtures.brokers import free_port

ROOT = Path(__file__).parents[2] / "deploy" / "mosquitto"
CLOCK = SystemClock()
KEEPER_PASSWORD = "the keeper of the tests"
SERVICE = BrokerUser("anhu-ingest", "the password of ingest", "service")


def device(name: str, password: str = "", **more: Any) -> BrokerUser:
    word = password or f"the password of {name}"
    return BrokerUser(broker_username("home", name), word, "device", "home", name, **more)


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = CLOCK.monotonic() + seconds
    while CLOCK.monotonic() < deadline:
        if true():
            return True
        CLOCK.sleep(0.02)
    return true()


class ProductionBroker:
    """Mosquitto with the committed configuration: TLS, dynamic security, two listeners."""

    def __init__(self, place: Path) -> None:
        self.place, self.port, self.services_port = place, free_port(), free_port()
        self.accounts, self.secrets, self.log = place / "accounts", place / "secrets", place / "log"
        for name in ("accounts", "data"):
            (place / name).mkdir()
        subprocess.run(
            ["/bin/sh", str(ROOT / "make_certificates.sh"), str(self.secrets), "127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.configuration = place / "mosquitto.conf"
        text = (ROOT / "mosquitto.conf").read_text(encoding="utf-8")
        for there, here in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("listener 8884", f"listener {self.services_port} 127.0.0.1"),
            ("/usr/lib/mosquitto_dynamic_security.so", str(find_plugin())),
            ("/run/secrets/", f"{self.secrets}/"),
            ("/mosquitto/accounts/", f"{self.accounts}/"),
            ("/mosquitto/data/", f"{place}/data/"),
        ):
            assert there in text
            text = text.replace(there, here)
        self.configuration.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def file(self) -> Path:
        return self.accounts / "dynamic-security.json"

    @property
    def ca(self) -> Path:
        return self.secrets / "mqtt_ca"

    @property
    def keeper(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.services_port, KEEPER_USER, KEEPER_PASSWORD, tls=True, ca_file=self.ca)

    def environment(self) -> dict[str, str]:
        """What a role needs to reach it."""
        here = f"127.0.0.1:{self.services_port}"
        return {
            "ANHU_MQTT_URL": f"mqtts://{SERVICE.username}:{SERVICE.password.replace(' ', '%20')}@{here}",
            "ANHU_MQTT_ACCOUNTS_URL": f"mqtts://{KEEPER_USER}:{KEEPER_PASSWORD.replace(' ', '%20')}@{here}",
            "ANHU_MQTT_CA_FILE": str(self.ca),
        }

    def start(self, users: list[BrokerUser] | None = None) -> None:
        if users is not None:
            write_seed(self.file, seed_text(users, KEEPER_PASSWORD))
        if user := service_user("mosquitto"):
            allow_passage(self.accounts, user)
            for path in (self.place, *self.place.rglob("*")):
                os.chown(path, user.uid, user.gid)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([find_mosquitto(), "-c", str(self.configuration)], stderr=log, stdout=log)
        assert until(self.listens), self.log.read_text()

    def listens(self) -> bool:
        with contextlib.suppress(OSError):
            for port in (self.port, self.services_port):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    def settle(self, users: list[BrokerUser], *, allow_removals: bool = False) -> Changes:
        with Control(self.keeper, CLOCK) as control:
            return reconcile(control, users, allow_removals=allow_removals)

    def stop(self) -> int:
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(timeout=15)
        self._process = None
        return code


class Peer:
    """An MQTT client over TLS that checks the broker's certificate; it never returns by itself."""

    def __init__(self, broker: ProductionBroker, user: BrokerUser, *, name: str = "x", keep: bool = False) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answer: str | None = None
        self.gone = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=not keep, reconnect_on_failure=False
        )
        if user.username != "nobody":
            self.client.username_pw_set(user.username, user.password)
        self.client.tls_set_context(ssl.create_default_context(cafile=str(broker.ca)))
        self.client.on_connect = self._connected
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_message = self._received
        self.client.connect("127.0.0.1", broker.services_port if user.kind == "service" else broker.port, 30)
        self.client.loop_start()
        assert until(lambda: self.answer is not None)

    def _connected(self, _client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.answer = str(reason)

    def _received(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def subscribe(self, topic: str) -> bool:
        """Whether the broker granted it."""
        done = threading.Event()
        granted: list[bool] = []

        def answered(_client: Client, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
            granted.append(not codes[0].is_failure)
            done.set()

        self.client.on_subscribe = answered
        self.client.subscribe(topic, 1)
        assert done.wait(10)
        return granted[0]

    def publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
