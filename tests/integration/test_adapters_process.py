"""The ingester as a process: a gateway on real brokers, its devices found, mapped and heard; and the door beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest

from cli.overhear import overhear
from core.broker import parse_broker_url
from core.clock import SystemClock
from core.errors import Unavailable
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices import foreign
from tests.fixtures.brokers import RunningBroker
from tests.fixtures.processes import Role, until
from tests.fixtures.world import World
from tests.integration.test_ingest_process import Device


@pytest.fixture
def gateway(running_broker: RunningBroker, world: World) -> Iterator[Device]:
    made = Device(running_broker, world.a, world.a.devices[2])
    yield made
    made.close()


def first(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_from_discovery_to_an_event_over_a_kill(
    gateway: Device, ingest: Role, database_url: str, world: World, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    ingest.start()
    until(lambda: first(database_url, "SELECT count(*) FROM heartbeats WHERE role = 'ingest'"), "a sign of life")
    gateway.say("x/zigbee2mqtt/bridge/devices", json.dumps(
        [{"ieee_address": "0x1", "friendly_name": "hall/smoke", "type": "EndDevice"}]
    ).encode(), retain=True)  # fmt: skip
    number = until(lambda: first(database_url, "SELECT id FROM foreign_devices"), "discovery")
    assert isinstance(number, int)
    with service_transaction(make_pool_for("admin")) as tx:
        foreign.map_device(tx, foreign_id=number, device=world.a.devices[1].id)

    def heard() -> object:
        # The mapping reaches ingest by notification, a moment later; sensors speak again and again.
        gateway.say("x/zigbee2mqtt/hall/smoke", {"smoke": False, "battery": 90})
        return first(database_url, "SELECT count(*) FROM readings")

    until(heard, "the first reading")
    gateway.settle()
    ingest.kill()
    gateway.say("x/zigbee2mqtt/hall/smoke", {"smoke": True, "battery": 89})
    gateway.settle()
    ingest.start()
    until(lambda: first(database_url, "SELECT type FROM events"), "the event that came while nobody was there")
    assert first(database_url, "SELECT string_agg(type, ',') FROM events") == "smoke"


def test_the_inbox_is_emptied_by_notification(ingest: Role, database_url: str, world: World) -> None:
    ingest.start()
    until(lambda: first(database_url, "SELECT count(*) FROM heartbeats WHERE role = 'ingest'"), "a sign of life")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ingest_inbox (institution_id, site, device, channel, payload, received)"
            " VALUES (%s, 'site-a', 'band-a1', 'telemetry', %s, now())",
            (world.a.institution_id, b'{"m": {"spo2": 97}}'),
        )
        connection.execute("SELECT pg_notify('anhu_inbox', '')")
    until(lambda: first(database_url, "SELECT count(*) FROM readings"), "the reading")
    assert first(database_url, "SELECT count(*) FROM ingest_inbox") == 0


def test_listening_in_on_a_broker(gateway: Device, running_broker: RunningBroker, world: World) -> None:
    config = {"dev_cla": "smoke", "stat_t": "hall/smoke/state", "dev": {"ids": "a0b1", "name": "hall"}}
    path = "x/homeassistant/homeassistant/binary_sensor/hall/smoke/config"
    gateway.say(path, json.dumps(config).encode(), retain=True)
    gateway.settle()
    heard = overhear(parse_broker_url(running_broker.url), world.a.site, 1.0, SystemClock())
    assert heard.foreign == {(world.a.devices[2].id, "homeassistant", "a0b1"): {"address": "a0b1", "name": "hall"}}
    gateway.say(path, b"", retain=True)
    gateway.settle()


def test_listening_in_with_a_wrong_password_says_so(running_broker: RunningBroker, world: World) -> None:
    address = parse_broker_url(running_broker.url.replace("anhu-ingest", "nobody"))
    with pytest.raises(Unavailable):
        overhear(address, world.a.site, 1.0, SystemClock())
