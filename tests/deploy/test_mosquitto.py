"""The production broker: its configuration and accounts enter; devices sign in over TLS and speak, or do not."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.embedded.broker import find_plugin
from core.broker import parse_broker_url
from core.errors import Conflict, Misconfigured
from devices.accounts.control import Control
from devices.accounts.reconcile import read_actual
from devices.accounts.rights import KEEPER_ROLE, KEEPER_USER, BrokerUser
from ingest.batch import MessageQueue
from ingest.mqtt import Subscriber
from ingest.topics import gateway_subscriptions, subscriptions
from tests.deploy.production_broker import CLOCK, SERVICE, Peer, ProductionBroker, device, until

pytestmark = pytest.mark.mosquitto

W1, W2 = device("w1"), device("w2")
GATEWAY = device("gw", is_gateway=True, children=("smoke-1",))
USERS = [SERVICE, W1, W2, GATEWAY]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ProductionBroker]:
    try:
        find_plugin()
    except Misconfigured as error:
        pytest.skip(str(error))
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificates can be made")
    one = ProductionBroker(tmp_path)
    yield one
    one.stop()


def test_a_second_device_s_credentials_open_nothing_of_the_first_s(broker: ProductionBroker) -> None:
    broker.start(USERS)
    ingest, first, second = Peer(broker, SERVICE, name="anhu-ingest-0"), Peer(broker, W1), Peer(broker, W2)
    assert [peer.answer for peer in (ingest, first, second)] == ["Success"] * 3
    assert ingest.subscribe("anhu/v1/#")
    assert first.subscribe("anhu/v1/home/w1/command")
    for topic in (
        "anhu/v1/home/w1/command", "anhu/v1/home/w1/telemetry", "anhu/v1/home/w1/#", "anhu/v1/home/+/command",
        "anhu/v1/#", "#", "+/+/+/+/+", "$SYS/#", "$SYS/broker/version", "$CONTROL/#",
        "$CONTROL/dynamic-security/v1/response", "$share/g/anhu/v1/#",
    ):  # fmt: skip
        assert not second.subscribe(topic), topic
    for channel in ("telemetry", "event", "motion", "status", "command", "command/ack", "x/zigbee2mqtt/lamp"):
        second.publish(f"anhu/v1/home/w1/{channel}", b"pretends to be the other")
    for topic in ("anhu/v1/home/w2/command", "anhu/v1/home/w2/x/zigbee2mqtt/lamp", "anhu/v1/home/w2/other", "free"):
        second.publish(topic, b"is not its own to say")
    second.publish("$CONTROL/dynamic-security/v1", b'{"commands":[{"command":"deleteClient","username":"home.w1"}]}')
    own = [f"anhu/v1/home/w2/{one}" for one in ("telemetry", "event", "motion", "status", "command/ack")]
    for topic in own:
        second.publish(topic, b"own")
    ingest.publish("anhu/v1/home/w1/command", b"locate")
    ingest.publish("anhu/v1/home/w1/telemetry", b"ingest measures nothing")
    assert until(lambda: len(ingest.heard) >= 6 and len(first.heard) >= 1)
    assert sorted(ingest.heard) == sorted([*((topic, b"own") for topic in own), ("anhu/v1/home/w1/command", b"locate")])
    assert first.heard == [("anhu/v1/home/w1/command", b"locate")]
    assert second.heard == []
    assert first.client.is_connected()
    for peer in (ingest, first, second):
        peer.close()


def test_a_gateway_speaks_for_the_devices_that_the_registry_puts_behind_it(broker: ProductionBroker) -> None:
    broker.start(USERS)
    ingest, gateway = Peer(broker, SERVICE), Peer(broker, GATEWAY)
    ingest.subscribe("anhu/v1/#")
    assert gateway.subscribe("anhu/v1/home/smoke-1/command")
    assert not gateway.subscribe("anhu/v1/home/w1/command")
    for topic in ("gw/x/zigbee2mqtt/bridge/devices", "smoke-1/event", "w1/event", "smoke-2/event", "gw/telemetry"):
        gateway.publish(f"anhu/v1/home/{topic}", b".")
    assert until(lambda: len(ingest.heard) >= 3)
    heard = {topic.removeprefix("anhu/v1/home/") for topic, _ in ingest.heard}
    assert heard == {"gw/x/zigbee2mqtt/bridge/devices", "smoke-1/event", "gw/telemetry"}
    changes = broker.settle([SERVICE, W1, W2, device("gw", is_gateway=True, children=("smoke-2",))])
    assert (changes.rights, changes.changed) == (["device home.gw"], [])
    assert gateway.client.is_connected(), "a change of rights disconnects nobody"
    gateway.publish("anhu/v1/home/smoke-1/event", b"no more")
    gateway.publish("anhu/v1/home/smoke-2/event", b"now")
    assert until(lambda: ("anhu/v1/home/smoke-2/event", b"now") in ingest.heard)
    assert ("anhu/v1/home/smoke-1/event", b"no more") not in ingest.heard
    for peer in (ingest, gateway):
        peer.close()


def test_who_is_not_known_is_refused_and_so_is_plain_text(broker: ProductionBroker) -> None:
    broker.start(USERS)
    for user in (device("w1", "not the password"), device("w9"), BrokerUser("nobody", "-", "service")):
        peer = Peer(broker, user)
        assert peer.answer == "Not authorized", user.username
        peer.close()
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


def test_retired_is_cut_off_at_once_and_rotated_means_the_new_password_alone(broker: ProductionBroker) -> None:
    broker.start(USERS)
    staying, retired, rotated = Peer(broker, GATEWAY), Peer(broker, W1), Peer(broker, W2)
    fresh = device("w2", "another password")
    changes = broker.settle([SERVICE, fresh, GATEWAY])
    assert (changes.created, changes.changed, changes.removed) == ([], ["home.w2"], ["home.w1"])
    assert retired.gone.wait(5)
    assert rotated.gone.wait(5)
    assert staying.client.is_connected(), "who was not meant noticed nothing"
    answers = [Peer(broker, user).answer for user in (W1, W2, fresh)]
    assert answers == ["Not authorized", "Not authorized", "Success"]
    assert not broker.settle([SERVICE, fresh, GATEWAY]), "doing it again changes nothing"
    assert broker.stop() == 0
    broker.start()
    assert [Peer(broker, user).answer for user in (W1, W2, fresh)] == answers, "and a restart keeps it"
    assert not broker.settle([GATEWAY, fresh, SERVICE])
    staying.close()


def test_what_an_operator_changed_by_hand_is_put_right(broker: ProductionBroker) -> None:
    broker.start([SERVICE, W1])
    with Control(broker.keeper, CLOCK) as control:
        role = "device home.w1"
        more = {"acltype": "publishClientSend", "topic": "#", "allow": True}
        answers = control.run([
            {"command": "addRoleACL", "rolename": role, **more},
            {"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]},
            {"command": "disableClient", "username": "home.w1"},
            {"command": "createClient", "username": "node-red", "password": "a bridge of the operator's"},
        ])  # fmt: skip
        assert not any("error" in answer for answer in answers)
        again = control.run([{"command": "createRole", "rolename": role}])
        assert "already exists" in again[0]["error"]
    changes = broker.settle([SERVICE, W1])
    assert changes.rights == [role]
    assert changes.foreign == ["node-red"], "told of, and left alone"
    with Control(broker.keeper, CLOCK) as control:
        actual = read_actual(control)
    assert set(actual.clients) == {"home.w1", SERVICE.username, KEEPER_USER, "node-red"}
    assert actual.defaults["subscribe"] is False
    assert len(actual.roles[role]["acls"]) == 7
    assert KEEPER_ROLE in actual.roles
    assert Peer(broker, W1).answer == "Success"


def test_an_empty_registry_does_not_cut_everybody_off(broker: ProductionBroker) -> None:
    many = [device(f"d{n}") for n in range(30)]
    broker.start([SERVICE, *many])
    peer = Peer(broker, many[0])
    with pytest.raises(Conflict, match="lacks 30 of the 31 accounts"):
        broker.settle([SERVICE])
    assert peer.client.is_connected()
    assert len(broker.settle([SERVICE], allow_removals=True).removed) == 30
    assert peer.gone.wait(5)


def test_nobody_but_the_keeper_may_manage(broker: ProductionBroker) -> None:
    broker.start(USERS)
    address = broker.keeper
    for user, why in ((SERVICE, "may not manage"), (device("w1", "wrong"), "Not authorized")):
        wrong = type(address)(address.host, address.port, user.username, user.password, tls=True, ca_file=broker.ca)
        with pytest.raises(Misconfigured, match=why), Control(wrong, CLOCK):
            pass


def test_pain_26_a_client_id_takes_nobody_s_session(broker: ProductionBroker) -> None:
    """A device that signs in under the client id of ingest gets a session of its own; what waits for ingest stays."""
    broker.start(USERS)
    ingest = Peer(broker, SERVICE, name="anhu-ingest-0", keep=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.close()
    first = Peer(broker, W1)
    for number in range(20):
        first.publish("anhu/v1/home/w1/telemetry", str(number).encode())
    thief = Peer(broker, W2, name="anhu-ingest-0", keep=True)
    assert thief.answer == "Success"
    assert until(lambda: first.client.is_connected())
    thief.close()
    back = Peer(broker, SERVICE, name="anhu-ingest-0", keep=True)
    assert until(lambda: len(back.heard) == 20)
    assert thief.heard == []
    second = Peer(broker, W1, name="another")
    assert first.gone.wait(5), "one account, one session: the older ends"
    for peer in (back, second):
        peer.close()


def test_pain_06_what_is_queued_for_ingest_outlives_a_restart(broker: ProductionBroker) -> None:
    """The session belongs to a stable name; after the broker's restart everything comes, in order."""
    broker.start(USERS)
    ingest = Peer(broker, SERVICE, name="anhu-ingest-0", keep=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.close()
    one = Peer(broker, W1)
    for number in range(50):
        one.publish("anhu/v1/home/w1/telemetry", str(number).encode())
    one.close()
    assert broker.stop() == 0
    broker.start()
    again = Peer(broker, SERVICE, name="anhu-ingest-0", keep=True)
    assert until(lambda: len(again.heard) == 50)
    assert [int(payload) for _, payload in again.heard] == list(range(50))
    again.close()


def test_pain_09_a_full_queue_is_seen(broker: ProductionBroker) -> None:
    """Beyond its bound the broker drops what it acknowledged; its own figure says so to the keeper."""
    text = broker.configuration.read_text()
    assert "max_queued_messages 1000000" in text
    broker.configuration.write_text(
        text.replace("max_queued_messages 1000000", "max_queued_messages 100").replace(
            "max_queued_bytes 1073741824", "max_queued_bytes 0\nsys_interval 1"
        )
    )
    broker.start(USERS)
    ingest = Peer(broker, SERVICE, name="anhu-ingest-0", keep=True)
    ingest.subscribe("anhu/v1/+/+/telemetry")
    ingest.close()
    figures: dict[str, bytes] = {}
    with Control(broker.keeper, CLOCK, watch=figures.__setitem__):
        one = Peer(broker, W1)
        sent = 4_200
        for number in range(sent):
            one.client.publish("anhu/v1/home/w1/telemetry", str(number).encode(), qos=1)
        dropped = "$SYS/broker/publish/messages/dropped"
        assert until(lambda: int(figures.get(dropped, b"0")) > 0, 15), figures
        assert until(lambda: int(figures[dropped]) >= sent - 4_100, 15)
        one.close()


def test_ingest_hears_all_its_lanes_with_the_address_of_its_secret(broker: ProductionBroker) -> None:
    broker.start(USERS)
    address = f"mqtts://{SERVICE.username}:{quote(SERVICE.password)}@localhost:{broker.services_port}"
    connected, stop = threading.Event(), threading.Event()
    queue = MessageQueue(CLOCK, messages_max=100, bytes_max=1_000_000)
    subscriber = Subscriber(
        parse_broker_url(address, broker.ca),
        client_id="anhu-ingest-0-events",
        topics=[*subscriptions(events=True), *subscriptions(events=False), *gateway_subscriptions()],
        queue=queue,
        clock=CLOCK,
        on_connection=lambda up: connected.set() if up else None,
    )
    runner = threading.Thread(target=subscriber.run, args=(stop,))
    runner.start()
    try:
        assert connected.wait(10)
        gateway = Peer(broker, GATEWAY)
        assert gateway.subscribe("anhu/v1/home/gw/command")
        CLOCK.sleep(0.3)
        for channel in ("telemetry", "event", "motion", "status", "command/ack", "x/zigbee2mqtt/lamp"):
            gateway.publish(f"anhu/v1/home/gw/{channel}", b"press")
        assert until(lambda: len(queue) == 6)
        assert subscriber.publish("anhu/v1/home/gw/command", b"locate")
        assert until(lambda: len(gateway.heard) == 1)
        gateway.close()
    finally:
        stop.set()
        runner.join(timeout=10)
