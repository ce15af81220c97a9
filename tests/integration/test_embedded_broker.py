"""Both embedded brokers with real clients: what is promised of each, and where they differ.

A client that "dies" has its socket shut down without DISCONNECT, as when its machine loses power.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cli.embedded.broker import Broker, make_broker
from core.clock import SystemClock
from devices.accounts.rights import BrokerUser

CLOCK = SystemClock()
WAIT_SECONDS = 20.0
INGEST = BrokerUser("ingest", 'p"w\\ 密', "service")
DEVICE_A = BrokerUser("home.wb_A", "password-a", "device", "home", "wb_A")
DEVICE_B = BrokerUser("home.wb_B", "password-b", "device", "home", "wb_B", is_gateway=True)
USERS = [INGEST, DEVICE_A, DEVICE_B]
TELEMETRY = "anhu/v1/home/wb_A/telemetry"

KINDS = [
    "rumqttd",
    pytest.param(
        "mosquitto",
        marks=[
            pytest.mark.mosquitto,
            pytest.mark.skipif(
                shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None,
                reason="mosquitto is not installed: apt-get install mosquitto",
            ),
        ],
    ),
]
only_mosquitto = pytest.mark.parametrize("broker", KINDS[1:], indirect=True)
only_rumqttd = pytest.mark.parametrize("broker", KINDS[:1], indirect=True)


class Peer:
    """A client that records what it saw. It never reconnects by itself."""

    def __init__(self, broker: Broker, user: BrokerUser, name: str, *, keep: bool = False, will: bool = False) -> None:
        self.messages: list[MQTTMessage] = []
        self.session_present: bool | None = None
        self.refusal: str | None = None
        self.acknowledge = True
        self._answered, self._gone, self._granted = threading.Event(), threading.Event(), threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=not keep,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(user.username, user.password)
        self._client.max_inflight_messages_set(1000)
        if will:
            self._client.will_set("anhu/v1/home/wb_A/status", b"offline", 1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: (self._gone.set(), self._answered.set())
        self._client.on_subscribe = lambda *_: self._granted.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port, 30)
        self._client.loop_start()
        assert self._answered.wait(WAIT_SECONDS)

    def _on_connect(
        self, _client: object, _data: object, flags: ConnectFlags, reason: object, _properties: object
    ) -> None:
        if str(reason) == "Success":
            self.session_present = flags.session_present
        else:
            self.refusal = str(reason)
        self._answered.set()

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append(message)
        if self.acknowledge:
            client.ack(message.mid, message.qos)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    def subscribe(self, topic: str) -> None:
        self._granted.clear()
        self._client.subscribe(topic, 1)
        assert self._granted.wait(WAIT_SECONDS)

    def publish(self, topic: str, *payloads: bytes, retain: bool = False) -> None:
        """Publish at QoS 1; returns when everything is acknowledged."""
        sent = [self._client.publish(topic, payload, 1, retain=retain) for payload in payloads]
        for information in sent:
            information.wait_for_publish(WAIT_SECONDS)
            assert information.is_published()

    def wait_gone(self) -> bool:
        return self._gone.wait(WAIT_SECONDS)

    def die(self) -> None:
        connection = self._client.socket()
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
            self._gone.wait(WAIT_SECONDS)
        self._client.loop_stop()

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(condition: Callable[[], bool]) -> bool:
    """Wait for it, at most WAIT_SECONDS."""
    deadline = CLOCK.monotonic() + WAIT_SECONDS
    while not condition() and CLOCK.monotonic() < deadline:
        CLOCK.sleep(0.01)
    return condition()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    made = make_broker(request.param, tmp_path, CLOCK, port=free_port())
    made.start(USERS)
    yield made
    made.stop()


@pytest.fixture
def join(broker: Broker) -> Iterator[Callable[..., Peer]]:
    """Connect a peer; all leave after the test."""
    with ExitStack() as stack:

        def make(user: BrokerUser, name: str, **options: bool) -> Peer:
            peer = Peer(broker, user, name, **options)
            stack.callback(peer.leave)
            return peer

        yield make


def test_unacknowledged_messages_come_again_after_the_subscriber_died(join: Callable[..., Peer]) -> None:
    first = join(INGEST, "ingest-0", keep=True)
    first.acknowledge = False
    first.subscribe("anhu/v1/+/+/telemetry")
    expected = [b"%d" % n for n in range(50)]
    join(DEVICE_A, "a").publish(TELEMETRY, *expected)
    assert until(lambda: first.payloads == expected)
    first.die()
    again = join(INGEST, "ingest-0", keep=True)
    assert again.session_present
    assert until(lambda: again.payloads == expected)


def test_wrong_password_unknown_user_and_nobody_are_refused(broker: Broker, join: Callable[..., Peer]) -> None:
    for user in (BrokerUser("ingest", "wrong", "service"), BrokerUser("stranger", INGEST.password, "service")):
        peer = join(user, "x")
        assert peer.session_present is None
        assert peer.wait_gone()
        # MQTT 3.1.1, 3.2.2.3: code 5. rumqttd closes the connection without a word.
        assert peer.refusal == ("Not authorized" if broker.kind == "mosquitto" else None)
    with socket.create_connection(("127.0.0.1", broker.port), timeout=WAIT_SECONDS) as raw:
        raw.sendall(bytes.fromhex("100d00044d5154540402001e000178"))  # CONNECT, clean session, no credentials
        answer = raw.recv(4)
    assert answer != bytes.fromhex("20020000")


def test_last_will_is_sent_when_a_device_dies_and_kept(join: Callable[..., Peer]) -> None:
    ingest = join(INGEST, "ingest-0")
    ingest.subscribe("anhu/v1/+/+/status")
    # Under another client id: where one returns at once, rumqttd may take the new connection's will for the old one's.
    join(DEVICE_A, "a-before", will=True).leave()
    device = join(DEVICE_A, "a", will=True)
    device.publish("anhu/v1/home/wb_A/status", b"online", retain=True)
    device.die()
    assert until(lambda: ingest.payloads == [b"online", b"offline"]), "and none for the device that said goodbye"
    late = join(INGEST, "late")
    late.subscribe("anhu/v1/+/+/status")
    assert until(lambda: [(m.payload, m.retain) for m in late.messages] == [(b"offline", True)])


def test_an_outage_of_the_subscriber_costs_nothing(join: Callable[..., Peer]) -> None:
    """Several times what either broker hands out at once; docs/embedded.md has the larger figures."""
    ingest = join(INGEST, "ingest-0", keep=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.leave()
    expected = [b"%06d" % n + b" " * 150 for n in range(6_000)]
    join(DEVICE_A, "a").publish(TELEMETRY, *expected)
    back = join(INGEST, "ingest-0", keep=True)
    assert until(lambda: len(back.messages) >= len(expected))
    assert back.payloads == expected


def test_a_payload_at_the_limit_and_an_oversized_one_reach_ingest(join: Callable[..., Peer]) -> None:
    ingest = join(INGEST, "ingest-0")
    ingest.subscribe("anhu/v1/+/+/telemetry")
    sizes = [256 * 1024, 300 * 1024]
    join(DEVICE_A, "a").publish(TELEMETRY, *(b"x" * size for size in sizes))
    assert until(lambda: [len(payload) for payload in ingest.payloads] == sizes)


def test_reload_lets_a_new_device_in_and_a_removed_one_no_more(broker: Broker, join: Callable[..., Peer]) -> None:
    added = BrokerUser("home.wb_C", "password-c", "device", "home", "wb_C")
    removed = join(DEVICE_B, "b")
    restarted = broker.reload([INGEST, DEVICE_A, added])
    assert restarted == (broker.kind == "rumqttd")
    assert removed.wait_gone()
    assert until(lambda: join(added, "c").session_present is not None)
    assert join(DEVICE_A, "a").session_present is not None
    assert join(DEVICE_B, "b").session_present is None


def test_secrets_are_readable_by_the_broker_alone(broker: Broker, tmp_path: Path) -> None:
    assert (tmp_path / "broker").stat().st_mode & 0o777 == 0o700
    secrets = [path for path in (tmp_path / "broker").iterdir() if path.suffix not in (".pid", ".log")]
    assert secrets
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert broker.pid is not None
    if broker.kind == "mosquitto":
        assert Path(f"/proc/{broker.pid}").stat().st_uid != 0
        assert "password-a" not in (tmp_path / "broker" / "dynamic-security.json").read_text()


@only_rumqttd
def test_rumqttd_reload_with_the_same_users_does_not_restart(broker: Broker) -> None:
    pid = broker.pid
    assert not broker.reload(list(reversed(USERS)))
    assert broker.pid == pid


@only_rumqttd
def test_rumqttd_ends_when_its_router_panics(broker: Broker, join: Callable[..., Peer]) -> None:
    """A shared subscriber that dies with unacknowledged messages; a process that hangs would never be started again."""
    shared = join(INGEST, "shared", keep=True)
    shared.acknowledge = False
    shared.subscribe("$share/g/anhu/v1/+/+/event")
    join(DEVICE_A, "a").publish("anhu/v1/home/wb_A/event", b"{}")
    assert until(lambda: len(shared.messages) == 1)
    shared.die()
    assert until(lambda: not broker.is_running)
    broker.start(USERS)
    assert join(INGEST, "ingest-0").session_present is not None


@only_mosquitto
def test_mosquitto_keeps_each_device_to_its_own_topics(join: Callable[..., Peer]) -> None:
    ingest, a, b = join(INGEST, "ingest-0"), join(DEVICE_A, "a"), join(DEVICE_B, "b")
    ingest.subscribe("anhu/v1/#")
    a.subscribe("anhu/v1/home/wb_A/command")
    b.subscribe("anhu/v1/#")
    b.subscribe("anhu/v1/home/wb_A/command")
    # Acknowledged and dropped, as MQTT 3.1.1 has no other answer (3.3.5).
    for channel in ("wb_A/telemetry", "wb_A/event", "wb_A/command", "wb_B/command", "wb_C/status"):
        b.publish(f"anhu/v1/home/{channel}", b"forged")
    b.publish("anhu/v1/home/wb_B/telemetry", b"own")
    b.publish("anhu/v1/home/wb_B/x/zigbee2mqtt/lamp", b"adapter")
    b.publish("anhu/v1/home/wb_B/command/ack", b"done")
    ingest.publish("anhu/v1/home/wb_A/command", b"locate")
    assert until(lambda: ingest.payloads == [b"own", b"adapter", b"done", b"locate"])
    assert until(lambda: a.payloads == [b"locate"])
    assert b.payloads == []


@only_mosquitto
def test_mosquitto_keeps_queued_and_retained_messages_over_a_restart(broker: Broker, join: Callable[..., Peer]) -> None:
    ingest = join(INGEST, "ingest-0", keep=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.leave()
    device = join(DEVICE_A, "a")
    expected = [b"%d" % n for n in range(500)]
    device.publish(TELEMETRY, *expected)
    device.publish("anhu/v1/home/wb_A/status", b"online", retain=True)
    broker.stop()
    broker.start(USERS)
    back = join(INGEST, "ingest-0", keep=True)
    assert back.session_present
    assert until(lambda: back.payloads == expected)
    back.subscribe("anhu/v1/+/+/status")
    assert until(lambda: back.payloads[-1] == b"online")


def test_start_ends_the_broker_that_a_killed_supervisor_left(broker: Broker, tmp_path: Path) -> None:
    left = broker.pid
    successor = make_broker(broker.kind, tmp_path, CLOCK, port=broker.port)
    successor.start(USERS)
    try:
        assert until(lambda: not broker.is_running)
        assert successor.is_running
        assert successor.pid != left
    finally:
        successor.stop()


def test_stop_twice_and_kill_are_noticed(broker: Broker) -> None:
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    assert until(lambda: not broker.is_running)
    broker.start(USERS)
    assert broker.is_running
    broker.stop()
    broker.stop()
    assert not broker.is_running
