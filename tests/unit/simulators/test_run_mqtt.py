"""Publishing to a real Mosquitto, with a subscriber that counts every message."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from core.clock import ManualClock, SystemClock
from core.errors import BadInput, Misconfigured
from simulators import sessions
from simulators.__main__ import app, parse_faults
from simulators.faults import Faults, Message
from simulators.fleet import Account, Broker, Fleet
from simulators.pace import make_pace
from simulators.run_mqtt import publish
from simulators.scenarios import Label
from simulators.stream import stream
from simulators.world import make_world
from tests.unit.simulators.conftest import SHARED, SUBSCRIBER, T0, Mosquitto
from tests.unit.simulators.test_replay import ROWS, make_folder

pytestmark = pytest.mark.mosquitto


class Watcher:
    """Subscribes to everything and keeps what comes."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="watcher", clean_session=False)
        self.client.username_pw_set(*SUBSCRIBER)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("anhu/v1/#", qos=1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _c, _u, m: self.messages.append((m.topic, m.payload, m.retain))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(10.0)

    def wait(self, count: int) -> None:
        deadline = time.monotonic() + 20.0
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        # A duplicate too many would still be on its way.
        time.sleep(0.15)

    @property
    def payloads(self) -> Counter[tuple[str, bytes]]:
        return Counter((topic, payload) for topic, payload, _ in self.messages)


@contextmanager
def watching(port: int) -> Iterator[Watcher]:
    watcher = Watcher(port)
    yield watcher
    watcher.client.disconnect()
    watcher.client.loop_stop()


def accounts(devices: set[str]) -> dict[str, Account]:
    return {device: Account(f"demo.{device}", f"word-{device}") for device in devices}


def ready(mosquitto: Mosquitto, devices: set[str]) -> dict[str, Account]:
    own = accounts(devices)
    words = {a.username: a.password for a in own.values()}
    mosquitto.configure({**words, SUBSCRIBER[0]: SUBSCRIBER[1], SHARED[0]: SHARED[1]})
    mosquitto.start()
    return own


def counted(messages: list[Message]) -> Counter[tuple[str, bytes]]:
    return Counter((m.topic, m.payload) for m in messages)


def test_every_device_publishes_as_itself_and_each_message_arrives_exactly_once(mosquitto: Mosquitto) -> None:
    messages = list(stream(make_world(2, 1, "demo"), T0, 3600.0))
    own = ready(mosquitto, {m.device for m in messages})
    clock = ManualClock(T0)
    broker = Broker("127.0.0.1", mosquitto.port)
    with watching(mosquitto.port) as watcher:
        fleet = Fleet(broker, clock, accounts=own)
        report = publish(messages, fleet, make_pace(clock), clock, threading.Event())
        watcher.wait(len(messages))
        assert watcher.payloads == counted(messages)
    assert report.published == report.acknowledged == len(messages)
    assert report.dropped == 0
    assert report.connections == 12
    # The manual clock has lived through the hour, to within a report interval.
    assert 3500.0 < clock.time() - T0 <= 3600.0


def test_one_client_can_speak_for_all_and_a_farewell_sets_them_offline(mosquitto: Mosquitto) -> None:
    messages = list(stream(make_world(10, 1, "demo"), T0, 3600.0))
    ready(mosquitto, set())
    clock = ManualClock(T0)
    with watching(mosquitto.port) as watcher:
        fleet = Fleet(Broker("127.0.0.1", mosquitto.port), clock, shared=Account(*SHARED))
        report = publish(messages, fleet, make_pace(clock), clock, threading.Event(), farewell=True)
        watcher.wait(len(messages) + 60)
        farewells = Counter((f"anhu/v1/demo/{d}/status", b'{"online":false}') for d in {m.device for m in messages})
        assert watcher.payloads == counted(messages) + farewells
    assert report.acknowledged == len(messages) + 60
    assert report.connections == 1


def test_messages_wait_for_a_broker_that_starts_later_and_survive_its_restart(mosquitto: Mosquitto) -> None:
    messages = [m for m in stream(make_world(1, 1, "demo"), T0, 4 * 3600.0) if m.device == "wb-0001"]
    mosquitto.configure({"demo.wb-0001": "word-wb-0001", SUBSCRIBER[0]: SUBSCRIBER[1]})
    clock, stop, half = SystemClock(), threading.Event(), len(messages) // 2
    fleet = Fleet(Broker("127.0.0.1", mosquitto.port), clock, accounts=accounts({"wb-0001"}))
    assert all(fleet.send(m, stop) for m in messages[:half])
    assert fleet.report().acknowledged == 0
    mosquitto.start()
    with watching(mosquitto.port) as watcher:
        watcher.wait(half)
        mosquitto.stop()
        assert all(fleet.send(m, stop) for m in messages[half:])
        mosquitto.start()
        assert fleet.close(30.0)
        watcher.wait(len(messages))
        # QoS 1: at least once. What was in flight when the broker went may come twice, nothing may be missing.
        seen = watcher.payloads
        assert set(seen) == set(counted(messages)) | {("anhu/v1/demo/wb-0001/status", b'{"online":false}')} & set(seen)
    report = fleet.report()
    assert report.acknowledged == report.published == len(messages)
    assert report.connections == 2


def test_a_refused_account_is_dropped_and_hinders_nobody(mosquitto: Mosquitto) -> None:
    messages = [m for m in stream(make_world(1, 1, "demo"), T0, 7200.0) if m.device in ("wb-0001", "pir-0001")]
    own = ready(mosquitto, {"wb-0001", "pir-0001"})
    own["pir-0001"] = Account("demo.pir-0001", "wrong")
    clock, stop = SystemClock(), threading.Event()
    fleet = Fleet(Broker("127.0.0.1", mosquitto.port), clock, accounts=own)
    good = [m for m in messages if m.device == "wb-0001"]
    with watching(mosquitto.port) as watcher:
        for message in messages:
            fleet.send(message, stop)
        watcher.wait(len(good))
        assert watcher.payloads == counted(good)
        assert not fleet.close(1.0)
    assert fleet.report().acknowledged == len(good)


def test_a_vanished_device_leaves_its_last_will_and_a_present_one_answers_commands(mosquitto: Mosquitto) -> None:
    messages = [m for m in stream(make_world(1, 1, "demo"), T0, 60.0) if m.device == "wb-0001"]
    own = ready(mosquitto, {"wb-0001"})
    clock, stop = SystemClock(), threading.Event()
    fleet = Fleet(Broker("127.0.0.1", mosquitto.port), clock, accounts=own)
    with watching(mosquitto.port) as watcher:
        for message in messages:
            fleet.send(message, stop)
        watcher.wait(len(messages))
        for number, expires in ((1, clock.time() + 60), (2, clock.time() - 60)):
            command = {"id": f"c{number}", "type": "locate", "args": {}, "expires": expires}
            watcher.client.publish("anhu/v1/demo/wb-0001/command", json.dumps(command), qos=1)
        watcher.client.publish("anhu/v1/demo/wb-0001/command", b"\xff nonsense", qos=1)
        # Three commands and two answers.
        watcher.wait(len(messages) + 5)
        answers = [json.loads(p) for topic, p, _ in watcher.messages if topic.endswith("/command/ack")]
        assert answers == [
            {"id": "c1", "ok": True, "result": {}},
            {"id": "c2", "ok": False, "result": {"error": "expired"}},
        ]
        # Another client of the same id throws the first out, as a broken line would: no DISCONNECT, so the will speaks.
        account = own["wb-0001"]
        rival = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="wb-0001")
        rival.username_pw_set(account.username, account.password)
        rival.connect("127.0.0.1", mosquitto.port)
        rival.loop(1.0)
        watcher.wait(len(messages) + 6)
        assert ("anhu/v1/demo/wb-0001/status", b'{"online":false}', False) in watcher.messages
        rival.disconnect()
        assert fleet.close(10.0)
    assert fleet.report().commands == 2


def test_live_tells_its_story_and_stops_when_asked(mosquitto: Mosquitto) -> None:
    ready(mosquitto, set())
    stop, told = threading.Event(), []
    broker = Broker("127.0.0.1", mosquitto.port)

    def live() -> None:
        sessions.live(
            broker=broker, clock=SystemClock(), stop=stop, site="demo", seed=1, residents=3, shared=Account(*SHARED),
            story="sos", story_after_seconds=0.6, on_labels=told.extend,
        )  # fmt: skip

    with watching(mosquitto.port) as watcher:
        thread = threading.Thread(target=live)
        thread.start()
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline and not any(b'"sos"' in p for _, p, _ in watcher.messages):
            time.sleep(0.05)
        stop.set()
        thread.join(8.0)
        assert not thread.is_alive()
        pressed = [json.loads(p) for topic, p, _ in watcher.messages if topic.endswith("wb-0001/event")]
    label: Label = told[0]
    assert [p["type"] for p in pressed] == ["sos"]
    assert pressed[0]["t"] == pytest.approx(label.start, abs=0.002)
    assert abs(pressed[0]["t"] - SystemClock().time()) < 30.0


def test_the_command_replays_a_folder_faster_than_real_time(mosquitto: Mosquitto, tmp_path: Path) -> None:
    own = ready(mosquitto, {"wb-0007"})
    demo = {
        "site": "demo",
        "mqtt": {"host": "127.0.0.1", "port": mosquitto.port},
        "devices": [{"id": d, "username": a.username, "password": a.password} for d, a in own.items()],
    }
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    (tmp_path / "trials").mkdir()
    folder = make_folder(tmp_path / "trials", ROWS)
    options = ["simulate", "--replay", str(folder), "--device", "wb-0007", "--speed", "0", "--only", "falls"]
    with watching(mosquitto.port) as watcher:
        result = CliRunner().invoke(app, [*options, "--credentials", str(tmp_path / "demo.json")])
        assert result.exit_code == 0, result.output
        outcome = json.loads(result.output.splitlines()[-1])
        watcher.wait(outcome["report"]["published"])
    assert (outcome["trials"], outcome["falls"], outcome["activities"], outcome["windows"]) == (2, 2, 0, 4)
    assert sum(topic.endswith("wb-0007/motion") for topic, _, _ in watcher.messages) == 4


def test_the_command_publishes_a_scenario_with_faults(mosquitto: Mosquitto) -> None:
    ready(mosquitto, set())
    with watching(mosquitto.port) as watcher:
        result = CliRunner().invoke(
            app,
            [
                "simulate", "--scenario", "fall", "--residents", "2", "--speed", "0", "--duration", "1200",
                "--after", "300",
                "--mqtt-url", f"mqtt://127.0.0.1:{mosquitto.port}", "--shared-client", ":".join(SHARED),
                "--fault", "duplicate=0.5",
            ],
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        label, outcome = (json.loads(line) for line in result.output.splitlines())
        watcher.wait(outcome["published"])
    assert label["label"]["alert_type"] == "fall"
    assert outcome["acknowledged"] == outcome["published"] == len(watcher.messages)
    assert sum(topic.endswith("wb-0001/motion") for topic, _, _ in watcher.messages) >= 16
    assert max(watcher.payloads.values()) == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--scenario", "earthquake"],
        ["--fault", "duplicate=2"],
        ["--fault", "gremlins=1"],
        ["--mqtt-url", "http://127.0.0.1"],
        ["--shared-client", "nocolon"],
        ["--replay", "/nonexistent", "--device", "wb-0001"],
        ["--credentials", "/nonexistent/demo.json"],
        ["--site", "NOT VALID"],
    ],
)
def test_wrong_options_end_with_a_message_and_a_status(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["simulate", *options])
    assert result.exit_code == 2
    assert "anhu simulate:" in result.output


def test_credentials_know_how_many_whole_residents_they_hold(tmp_path: Path) -> None:
    devices = [d.id for r in make_world(3, 1, "demo").residents for d in r.devices if d.id != "gas-0003"]
    body = {
        "site": "demo",
        "mqtt": {"host": "127.0.0.1", "port": 1},
        "devices": [{"id": d, "username": d, "password": "x"} for d in devices],
    }
    (tmp_path / "demo.json").write_text(json.dumps(body))
    held = sessions.Credentials.read(tmp_path / "demo.json")
    assert (held.residents(), held.residents(1), held.residents(2)) == (2, 1, 0)


def test_a_device_without_credentials_is_named() -> None:
    fleet = Fleet(Broker("127.0.0.1", 1), ManualClock(), accounts={})
    message = next(stream(make_world(1, 1, "demo"), T0))
    with pytest.raises(Misconfigured, match=message.device):
        fleet.send(message, threading.Event())
    fleet.close(0.0)


def test_urls_and_fault_texts_are_read() -> None:
    broker = Broker.from_url("mqtts://a%40b:p%3Aw@host.example")
    assert (broker.host, broker.port, broker.tls) == ("host.example", 8883, True)
    assert broker.account == Account("a@b", "p:w")
    assert Broker.from_url("mqtt://h:1999").port == 1999
    for url in ("host:1883", "mqtt://", "mqtt://h:99999"):
        with pytest.raises(BadInput):
            Broker.from_url(url)
    assert parse_faults(["lost=0.25", "events=1"]) == Faults(lost=0.25, events=True)
    with pytest.raises(BadInput):
        parse_faults(["lost=often"])
