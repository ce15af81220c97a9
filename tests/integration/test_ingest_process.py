"""The ingester as a process on real brokers: nothing acknowledged is lost, nothing is doubled, whatever dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from tests.fixtures.brokers import RunningBroker
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World, WorldDevice, WorldInstitution

MESSAGES = 2_000


class Device:
    """A device as devices are: keeps what it sent until the broker has acknowledged it."""

    def __init__(self, running: RunningBroker, one: WorldInstitution, device: WorldDevice) -> None:
        username, password = running.account(one, device)
        self.topic = f"anhu/v1/{one.site}/{device.id}"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device.id)
        self._client.username_pw_set(username, password)
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(100)
        self._pending: list[mqtt.MQTTMessageInfo] = []
        self._client.connect("127.0.0.1", running.broker.port)
        self._client.loop_start()

    def say(self, channel: str, payload: dict[str, Any] | bytes, *, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._pending.append(self._client.publish(f"{self.topic}/{channel}", raw, qos=1, retain=retain))

    def settle(self) -> None:
        """Wait until the broker has acknowledged everything."""
        for info in self._pending:
            info.wait_for_publish(30)
            assert info.is_published()
        self._pending.clear()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def device(running_broker: RunningBroker, world: World) -> Iterator[Device]:
    made = Device(running_broker, world.a, world.a.devices[0])
    yield made
    made.close()


def count(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def stored(url: str) -> int:
    return count(url, "SELECT count(*) FROM readings")


def heard(url: str) -> bool:
    return count(url, "SELECT count(*) FROM device_status WHERE online") > 0


def wait_until_it_listens(device: Device, url: str) -> None:
    """A session exists at the broker only once ingest has subscribed for the first time."""

    def look() -> bool:
        device.say("status", {"online": True, "t": SystemClock().time()})
        return heard(url)

    until(look, "the first status")


def test_pain_01_two_thousand_messages_survive_kill_9_exactly_once(
    ingest: Role, device: Device, database_url: str
) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    now = SystemClock().time()
    for number in range(MESSAGES):
        device.say("telemetry", {"t": now - number / 100, "seq": number, "m": {"heart_rate": 60 + number % 40}})
        if number == MESSAGES // 4:
            until(lambda: stored(database_url) > 0, "the first rows")
            ingest.kill()
    device.settle()
    assert stored(database_url) < MESSAGES, "the kill must have come in the middle"
    ingest.start()
    until(lambda: stored(database_url) >= MESSAGES, "every row", seconds=40)
    assert stored(database_url) == MESSAGES
    assert count(database_url, "SELECT count(DISTINCT time) FROM readings") == MESSAGES
    assert count(database_url, "SELECT count(*) FROM rejections") == 0


def test_pain_05_bad_input_of_every_kind_is_one_rejection_and_hurts_no_neighbour(
    ingest: Role, device: Device, database_url: str
) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    now = SystemClock().time()
    device.say("telemetry", b"\xff not json")
    device.say("telemetry", {"t": now, "m": {"heart_rate": "fast"}})
    device.say("telemetry", b'{"t": %d, "m": {"spo2": NaN}}' % now)
    device.say("telemetry", {"t": now, "m": {"body_temp": 80}})
    device.say("telemetry", {"t": now, "m": {"mood": 3, "heart_rate": 71}})
    device.say("telemetry", b" " * (300 * 1024))
    device.topic = device.topic.replace("band-a1", "ghost")
    device.say("telemetry", {"t": now, "m": {"heart_rate": 70}})
    device.topic = device.topic.replace("site-a/ghost", "site-b/band-a1")
    device.say("telemetry", {"t": now, "m": {"heart_rate": 70}})
    device.settle()
    expected = {"not_json": 1, "wrong_type": 1, "not_finite": 1, "out_of_range": 1, "unknown_metric": 1, "oversized": 1}

    def reasons() -> dict[str, int]:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute("SELECT reason, count(*) FROM rejections GROUP BY reason").fetchall()
        return {reason: number for reason, number in rows if reason not in ("unknown_device", "wrong_site")}

    until(lambda: reasons() == expected, f"one rejection of each kind: {expected}")
    until(lambda: stored(database_url) == 1, "the good value beside the unknown metric")


def test_events_have_their_own_way_and_come_once(ingest: Role, device: Device, database_url: str) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    press = {"id": "press-1", "t": SystemClock().time(), "type": "sos", "data": {}}
    for _ in range(3):
        device.say("event", press)
    device.say("event", press | {"id": "press-2"})
    device.settle()
    until(lambda: count(database_url, "SELECT count(*) FROM events") == 2, "two presses")


def test_pain_06_a_restart_of_ingest_keeps_its_session(ingest: Role, device: Device, database_url: str) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    assert ingest.stop() == 0
    now = SystemClock().time()
    for number in range(50):
        device.say("telemetry", {"t": now - number, "m": {"heart_rate": 70}})
    device.settle()
    ingest.start()
    until(lambda: stored(database_url) == 50, "what was sent while ingest was away")
    assert '"session_kept": true' in ingest.log()


def test_pain_04_and_08_the_database_goes_and_comes_back(
    ingest: Role, device: Device, database_url: str, server_url: str
) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        now = SystemClock().time()
        for number in range(300):
            device.say("telemetry", {"t": now - number, "m": {"spo2": 96}})
        until(lambda: "database away" in ingest.log(), "ingest noticing")
        admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
    device.settle()
    until(lambda: stored(database_url) == 300, "everything, without a restart", seconds=30)


def hold(server_url: str, database_url: str, *, away: bool) -> None:
    """Take the test's database away from everybody, or give it back."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {not away}')
        if away:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def test_pain_03_what_was_read_but_not_committed_comes_again_after_kill_9(
    ingest: Role, device: Device, database_url: str, server_url: str
) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    hold(server_url, database_url, away=True)
    try:
        now = SystemClock().time()
        for number in range(80):
            device.say("telemetry", {"t": now - number, "m": {"spo2": 96}})
            device.say("event", {"id": f"e{number}", "t": now, "type": "test"})
        until(lambda: ingest.log().count("nothing is acknowledged") >= 2, "both lanes holding what they cannot store")
        device.settle()
        ingest.kill()
    finally:
        hold(server_url, database_url, away=False)
    ingest.start()
    until(lambda: stored(database_url) == 80, "every reading", seconds=30)
    until(lambda: count(database_url, "SELECT count(*) FROM events") == 80, "every event")


def test_pain_06_a_broker_that_forgot_everything_is_subscribed_to_again(
    ingest: Role, device: Device, database_url: str, running_broker: RunningBroker, tmp_path: Path
) -> None:
    ingest.start()
    wait_until_it_listens(device, database_url)
    running_broker.broker.stop()
    (tmp_path / "broker" / "mosquitto.db").unlink(missing_ok=True)
    running_broker.broker.start(running_broker.users)
    until(lambda: ingest.log().count('"session_kept": false') >= 6, "all lanes on new sessions", seconds=60)

    def look() -> bool:
        device.say("telemetry", {"t": SystemClock().time(), "m": {"spo2": 97}})
        device.say("event", {"id": "again", "t": SystemClock().time(), "type": "test"})
        return stored(database_url) > 0 and count(database_url, "SELECT count(*) FROM events") == 1

    until(look, "a reading and an event on the new session", seconds=30)


def test_pain_10_no_press_is_stranded_on_a_replica_that_hangs(
    running_broker: RunningBroker, device: Device, database_url: str, tmp_path: Path
) -> None:
    """Every replica hears every press; a shared subscription would hand each second one to the dead."""
    replicas = [
        Role(
            "ingest",
            {
                "ANHU_DATABASE_URL": database_url,
                "ANHU_MQTT_URL": running_broker.url,
                "ANHU_MQTT_CLIENT_ID": f"ingest-{number}",
            },
            tmp_path / f"ingest-{number}.log",
        )
        for number in range(2)
    ]
    try:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            until(lambda: replica.log().count("connected to the broker") >= 3, "its sessions", seconds=30)  # noqa: B023 -- called before the loop goes on
        wait_until_it_listens(device, database_url)
        replicas[0].freeze()
        for number in range(20):
            device.say("event", {"id": f"press-{number}", "t": SystemClock().time(), "type": "sos"})
        device.settle()
        until(lambda: count(database_url, "SELECT count(*) FROM events") == 20, "every press, while one hangs")
        replicas[0].thaw()
        device.say("event", {"id": "last", "t": SystemClock().time(), "type": "sos"})
        until(lambda: count(database_url, "SELECT count(*) FROM events") == 21, "the last press")
        SystemClock().sleep(1.0)
        assert count(database_url, "SELECT count(*) FROM events") == 21, "heard twice, stored once"
    finally:
        for replica in replicas:
            replica.stop()
