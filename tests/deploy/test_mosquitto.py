"""The production broker: its configuration, its starter and its accounts enter; devices sign in over TLS, or do not."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cli.embedded.access import allow_passage, service_user
from cli.embedded.broker import BrokerUser, find_mosquitto
from core.clock import SystemClock
from core.errors import Misconfigured
from core.ids import broker_username
from core.settings import Settings, load_settings
from db.pool import DbRole, Pool
from deploy.broker_accounts import AccountFiles, keep, users_of
from ingest.batch import MessageQueue
from ingest.mqtt import Subscriber, parse_broker_url
from ingest.topics import subscriptions
from tests.fixtures.brokers import free_port
from tests.fixtures.world import World

pytestmark = pytest.mark.mosquitto

ROOT = Path(__file__).parents[2] / "deploy" / "mosquitto"
SERVICE = BrokerUser("anhu-ingest", "the password of ingest", "service")
DEVICES = [
    BrokerUser(broker_username("home", name), f"the password of {name}", "device", "home", name)
    for name in ("w1", "w2")
]
CLOCK = SystemClock()


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = CLOCK.monotonic() + seconds
    while CLOCK.monotonic() < deadline:
        if true():
            return True
        CLOCK.sleep(0.02)
    return true()


class Broker:
    """Mosquitto as run.sh starts it, with the committed configuration at other paths."""

    def __init__(self, place: Path) -> None:
        self.place, self.port = place, free_port()
        self.accounts = place / "accounts"
        self.secrets = place / "secrets"
        for name in ("accounts", "data"):
            (place / name).mkdir()
        subprocess.run(
            ["/bin/sh", str(ROOT / "make_certificates.sh"), str(self.secrets), "127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        text = (ROOT / "mosquitto.conf").read_text(encoding="utf-8")
        for there, here in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/run/secrets/", f"{self.secrets}/"),
            ("/mosquitto/accounts/", f"{self.accounts}/"),
            ("/mosquitto/data/", f"{place}/data/"),
        ):
            assert there in text
            text = text.replace(there, here)
        self.configuration = place / "mosquitto.conf"
        self.configuration.write_text(text)
        self.log = place / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, users: list[BrokerUser]) -> None:
        AccountFiles(self.accounts).write(users)
        self._own()

    def _own(self) -> None:
        """Started as root, Mosquitto becomes the user of its package; in its image it runs as one from the start."""
        if user := service_user("mosquitto"):
            allow_passage(self.accounts, user)
            for path in (self.place, *self.place.rglob("*")):
                os.chown(path, user.uid, user.gid)

    def start(self) -> None:
        self._own()
        command = ["/bin/sh", str(ROOT / "run.sh"), str(self.configuration), str(self.accounts)]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "MOSQUITTO": find_mosquitto()}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)

    def listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self) -> int:
        if self._process is None:
            return 0
        self._process.terminate()
        code = self._process.wait(timeout=15)
        self._process = None
        return code


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    try:
        find_mosquitto()
    except Misconfigured as error:
        pytest.skip(str(error))
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificates can be made")
    one = Broker(tmp_path)
    yield one
    one.stop()


class Peer:
    """An MQTT client over TLS that checks the broker's certificate."""

    def __init__(
        self, broker: Broker, username: str, password: str, client_id: str, *, persistent: bool = False
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answer: str | None = None
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent)
        self.client.username_pw_set(username, password)
        self.client.tls_set_context(ssl.create_default_context(cafile=str(broker.secrets / "mqtt_ca")))
        self.client.on_connect = self._connected
        self.client.on_message = self._received
        self.client.connect("127.0.0.1", broker.port, 30)
        self.client.loop_start()
        assert until(lambda: self.answer is not None)

    def _connected(self, _client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.answer = str(reason)

    def _received(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def subscribe(self, topic: str) -> None:
        done = threading.Event()
        self.client.on_subscribe = lambda *_: done.set()
        self.client.subscribe(topic, 1)
        assert done.wait(10)

    def publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def of_device(broker: Broker, user: BrokerUser) -> Peer:
    return Peer(broker, user.username, user.password, f"device-{user.device}")


def test_a_device_has_its_own_topics_and_no_others(broker: Broker) -> None:
    broker.write([SERVICE, *DEVICES])
    broker.start()
    assert until(broker.listens), broker.log.read_text()
    ingest = Peer(broker, SERVICE.username, SERVICE.password, "anhu-ingest-0")
    first, second = (of_device(broker, user) for user in DEVICES)
    assert [peer.answer for peer in (ingest, first, second)] == ["Success"] * 3
    ingest.subscribe("anhu/v1/#")
    second.subscribe("anhu/v1/home/w1/command")
    second.subscribe("anhu/v1/#")
    first.subscribe("anhu/v1/home/w1/command")
    second.publish("anhu/v1/home/w1/telemetry", b"pretends to be the other")
    second.publish("anhu/v1/home/w2/command", b"commands itself")
    second.publish("anhu/v1/home/w2/telemetry", b"own")
    first.publish("anhu/v1/home/w1/event", b"press")
    ingest.publish("anhu/v1/home/w1/command", b"locate")
    assert until(lambda: len(ingest.heard) >= 3 and len(first.heard) >= 1)
    assert {payload for _, payload in ingest.heard} == {b"own", b"press", b"locate"}
    assert first.heard == [("anhu/v1/home/w1/command", b"locate")]
    assert second.heard == []
    for peer in (ingest, first, second):
        peer.close()


def test_who_is_not_known_is_refused_and_so_is_plain_text(broker: Broker) -> None:
    broker.write([SERVICE, *DEVICES])
    broker.start()
    assert until(broker.listens), broker.log.read_text()
    wrong = Peer(broker, DEVICES[0].username, "not the password", "x")
    assert wrong.answer == "Not authorized"
    wrong.close()
    nobody = Peer(broker, "", "", "y")
    assert nobody.answer == "Not authorized"
    nobody.close()
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as plain:
        plain.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01z")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(4)
        assert not answer.startswith(b"\x20"), "no acknowledgement without TLS"
    stranger = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", broker.port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.wrap_socket(raw, server_hostname="127.0.0.1")


def test_accounts_come_and_go_while_it_runs(broker: Broker) -> None:
    # Started before there is any account: it waits for them.
    broker.start()
    CLOCK.sleep(0.3)
    assert not broker.listens()
    broker.write([SERVICE, DEVICES[0]])
    assert until(broker.listens), broker.log.read_text()
    staying = of_device(broker, DEVICES[0])
    late = of_device(broker, DEVICES[1])
    assert (staying.answer, late.answer) == ("Success", "Not authorized")
    late.close()
    broker.write([SERVICE, *DEVICES])

    def may_enter() -> bool:
        peer = of_device(broker, DEVICES[1])
        peer.close()
        return peer.answer == "Success"

    assert until(may_enter)
    assert staying.client.is_connected(), "who was there noticed nothing"
    broker.write([SERVICE, DEVICES[0]])
    assert until(lambda: not may_enter())
    staying.close()


def test_what_is_queued_for_ingest_outlives_a_restart(broker: Broker) -> None:
    broker.write([SERVICE, *DEVICES])
    broker.start()
    assert until(broker.listens), broker.log.read_text()
    ingest = Peer(broker, SERVICE.username, SERVICE.password, "anhu-ingest-0", persistent=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.close()
    device = of_device(broker, DEVICES[0])
    for number in range(50):
        device.publish("anhu/v1/home/w1/telemetry", str(number).encode())
    device.close()
    assert broker.stop() == 0
    broker.start()
    assert until(broker.listens), broker.log.read_text()
    again = Peer(broker, SERVICE.username, SERVICE.password, "anhu-ingest-0", persistent=True)
    assert until(lambda: len(again.heard) == 50)
    assert [int(payload) for _, payload in again.heard] == list(range(50))
    again.close()


def test_ingest_signs_in_with_the_address_of_its_secret(broker: Broker) -> None:
    broker.write([SERVICE, *DEVICES])
    broker.start()
    assert until(broker.listens), broker.log.read_text()
    address = f"mqtts://{SERVICE.username}:{quote(SERVICE.password)}@localhost:{broker.port}"
    connected, stop = threading.Event(), threading.Event()
    queue = MessageQueue(CLOCK, messages_max=100, bytes_max=1_000_000)
    subscriber = Subscriber(
        parse_broker_url(address, broker.secrets / "mqtt_ca"),
        client_id="anhu-ingest-0-events",
        topics=subscriptions(events=True),
        queue=queue,
        clock=CLOCK,
        on_connection=lambda up: connected.set() if up else None,
    )
    runner = threading.Thread(target=subscriber.run, args=(stop,))
    runner.start()
    try:
        assert connected.wait(10)
        device = of_device(broker, DEVICES[0])
        CLOCK.sleep(0.3)
        device.publish("anhu/v1/home/w1/event", b"press")
        device.close()
        assert until(lambda: len(queue) == 1)
    finally:
        stop.set()
        runner.join(timeout=10)


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(
        database_url=database_url,
        mqtt_url="mqtts://anhu-ingest:a%20password@mosquitto:8883",
        device_key="device-key-of-the-tests-0123456789abcdef",
    )


def test_the_files_follow_the_registry(
    settings: Settings, world: World, make_pool_for: Callable[[DbRole], Pool], tmp_path: Path, database_url: str
) -> None:
    expected = {"anhu-ingest"} | {
        broker_username(one.site, device.id) for one in (world.a, world.b) for device in one.devices
    }
    users = users_of(make_pool_for("admin"), settings)
    assert {user.username for user in users} == expected
    assert next(user.password for user in users if user.kind == "service") == "a password"
    stop = threading.Event()
    keeper = threading.Thread(target=keep, args=(tmp_path, settings, stop))
    keeper.start()

    def names() -> set[str]:
        path = tmp_path / "passwords"
        return {line.split(":")[0] for line in path.read_text().splitlines()} if path.exists() else set()

    try:
        assert until(lambda: names() == expected)
        assert (tmp_path / "passwords").stat().st_mode & 0o777 == 0o600
        gone = world.a.devices[0]
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE devices SET retired_at = now() WHERE key = %s", (gone.key,))
        assert until(lambda: names() == expected - {broker_username(world.a.site, gone.id)})
        assert f"/{gone.id}/telemetry" not in (tmp_path / "acl").read_text().split("user site-b")[0]
    finally:
        stop.set()
        keeper.join(timeout=10)
    assert not keeper.is_alive()


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    files = AccountFiles(tmp_path)
    assert files.write([SERVICE, *DEVICES])
    assert not files.write([*reversed(DEVICES), SERVICE])
    assert files.write([SERVICE])
    assert (tmp_path / "checked").exists()
