"""Two clients with one device's account and id on a true broker: their fight is noticed and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from alerts.takeover import TakeoverWatch
from core.clock import ManualClock, SystemClock
from db.pool import DbRole, Pool
from tests.fixtures.brokers import RunningBroker
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database


@pytest.fixture
def clock() -> ManualClock:
    """The world is made now: the ingester lives by the machine's clock."""
    return ManualClock(SystemClock().time())


@contextmanager
def client(broker: RunningBroker, world: World, seq: int) -> Iterator[mqtt.Client]:
    """A device as devices are: a last will, a status at every connection, coming back within a second or two."""
    one, device = world.a, world.a.devices[0]
    topic = f"anhu/v1/{one.site}/{device.id}/status"
    paho = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device.id, clean_session=True)
    paho.username_pw_set(*broker.account(one, device))
    paho.will_set(topic, json.dumps({"online": False, "seq": seq}), qos=1, retain=True)
    paho.reconnect_delay_set(1, 2)
    turn = [seq]

    def connected(paho: mqtt.Client, *_: Any) -> None:
        turn[0] += 1
        status = {"online": True, "t": SystemClock().time(), "seq": turn[0]}
        paho.publish(topic, json.dumps(status), qos=1, retain=True)

    paho.on_connect = connected
    paho.connect("127.0.0.1", broker.broker.port, keepalive=20)
    paho.loop_start()
    try:
        yield paho
    finally:
        paho.disconnect()
        paho.loop_stop()


def test_pain_26_two_clients_with_one_id_are_noticed_and_one_is_not(
    running_broker: RunningBroker,
    ingest: Role,
    world: World,
    database_url: str,
    make_pool_for: Callable[[DbRole], Pool],
    clock: ManualClock,
) -> None:
    base, key = Database(database_url, clock), world.a.devices[0].key
    ingest.start()
    until(
        lambda: base.rows("SELECT 1 FROM heartbeats WHERE role = 'ingest' AND detail @> '{\"broker\": true}'"), "life"
    )

    def told() -> list[dict[str, Any]]:
        TakeoverWatch(make_pool_for("alerts"), SystemClock()).look()
        return base.rows("SELECT * FROM alerts WHERE type = 'takeover_suspected' AND device_key = %s", key)

    def flaps() -> int:
        return len(base.rows("SELECT 1 FROM device_transitions WHERE device_key = %s AND NOT online", key))

    with client(running_broker, world, 10):
        until(lambda: base.rows("SELECT 1 FROM device_status WHERE device_key = %s AND online", key), "online", 20)
        assert told() == []
        with client(running_broker, world, 900):
            until(lambda: flaps() >= 4, "four lost connections", 40)
            (alert,) = told()
    assert alert["evidence"]["limit"] == 3
    assert alert["evidence"]["value"] >= 3
    assert {seq < 500 for seq in alert["evidence"]["seqs"]} == {True, False}, "both clients' numbers are shown"
