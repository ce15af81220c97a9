"""What gateways publish, down to the rows: mapped devices like native ones, others recorded and not lost silently."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from core.clock import ManualClock
from core.errors import BadInput, NotFound
from db.pool import DbRole, Pool
from devices import foreign
from devices.foreign import DEVICES_PER_GATEWAY_MAX
from ingest.persist_foreign import REDELIVERY_SECONDS, REPEAT_SECONDS, SIGHT_EVERY_SECONDS
from tests.fixtures.payloads import messages
from tests.fixtures.world import World
from tests.integration.adapters_kit import GatewayBench


@pytest.fixture
def bench(database_url: str, world: World, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock) -> GatewayBench:
    return GatewayBench(database_url, make_pool_for, clock, world)


def reasons(bench: GatewayBench) -> list[str]:
    return [reason for (reason,) in bench.rows("SELECT reason FROM rejections ORDER BY id")]


def test_an_unmapped_device_is_recorded_and_told_once_an_hour(bench: GatewayBench, world: World) -> None:
    for temperature in (20, 21, 22):
        bench.say("zigbee2mqtt/bath", {"temperature": temperature, "linkquality": 90})
    assert reasons(bench) == ["unmapped_device"]
    assert bench.rows(
        "SELECT institution_id, gateway_key, adapter, native_id, device_key, link_quality, samples_unmapped"
        " FROM foreign_devices"
    ) == [(world.a.institution_id, bench.gateway.key, "zigbee2mqtt", "bath", None, 90.0, 3)]
    assert bench.rows("SELECT count(*) FROM readings") == [(0,)]
    assert bench.counter("rejected_total") == 3
    bench.clock.advance(3601)
    bench.say("zigbee2mqtt/bath", {"temperature": 23})
    assert reasons(bench) == ["unmapped_device"] * 2
    assert bench.balance()[0] == bench.balance()[1] == 4


def test_a_mapped_device_is_stored_as_a_native_one(bench: GatewayBench, world: World) -> None:
    band = world.a.devices[0]
    bench.say("zigbee2mqtt/bath", {"temperature": 20})
    bench.map("bath", band, [])
    told = {"temperature": 21.5, "humidity": 60, "battery": 77, "last_seen": bench.clock.time() * 1000}
    # A wristband's thermometer measures no room: what a device cannot mean is left out.
    bench.say("zigbee2mqtt/bath", told)
    assert bench.readings(band) == {"humidity": 60.0, "battery": 77.0}
    assert bench.rows("SELECT online, battery, last_sample IS NOT NULL FROM device_status WHERE device_key = %s",
                      band.key) == [(True, 77.0, True)]  # fmt: skip
    bench.say("zigbee2mqtt/bath", {"humidity": 640, "battery": 76, "last_seen": bench.clock.time() * 1000})
    assert reasons(bench) == ["unmapped_device", "out_of_range"]
    assert bench.balance()[0] == bench.balance()[1]


def test_a_redelivered_message_stores_nothing_twice(bench: GatewayBench, world: World) -> None:
    band = world.a.devices[0]
    bench.say("zigbee2mqtt/bath", {"humidity": 50})
    bench.map("bath", band)
    bench.say("zigbee2mqtt/bath", {"humidity": 51})
    bench.clock.advance(60)
    bench.say("zigbee2mqtt/bath", {"humidity": 51}, duplicate=True)
    assert bench.rows("SELECT count(*) FROM readings") == [(1,)]
    bench.clock.advance(REDELIVERY_SECONDS + 1)
    bench.say("zigbee2mqtt/bath", {"humidity": 51})
    assert bench.rows("SELECT count(*) FROM readings") == [(2,)], "the same words later are news"
    assert bench.balance()[0] == bench.balance()[1]


def test_smoke_is_one_event_when_it_begins_and_one_when_it_ends(bench: GatewayBench, world: World) -> None:
    alarm = world.a.devices[1]
    bench.say("zigbee2mqtt/kitchen", {"smoke": False, "battery": 90})
    bench.map("kitchen", alarm)
    for battery, smoke in ((90, False), (89, True), (88, True), (87, True), (86, False), (85, False), (84, True)):
        bench.clock.advance(30)
        bench.say("zigbee2mqtt/kitchen", {"smoke": smoke, "battery": battery})
    assert bench.events(alarm) == ["smoke", "restore", "smoke"]
    assert bench.readings(alarm)["smoke"] == 1.0
    assert bench.balance()[0] == bench.balance()[1]


def test_smoke_that_is_there_when_first_heard_is_an_event(bench: GatewayBench, world: World) -> None:
    alarm = world.a.devices[1]
    bench.say("shelly/plus-smoke/online", "true")
    bench.map("plus-smoke", alarm)
    bench.say("shelly/plus-smoke/status/smoke:0", {"id": 0, "alarm": True, "mute": False})
    assert bench.events(alarm) == ["smoke"]


def test_a_redelivery_over_a_change_of_state_opens_nothing_twice(bench: GatewayBench, world: World) -> None:
    alarm = world.a.devices[1]
    bench.say("shelly/flood/online", "true")
    bench.map("flood", alarm)
    now = bench.clock.time()

    def frame(t: float, alarm: bool) -> dict[str, object]:
        return {"method": "NotifyStatus", "params": {"ts": t, "flood:0": {"id": 0, "alarm": alarm}}}

    for _ in range(3):
        bench.say("shelly/flood/events/rpc", frame(now, True))
        bench.say("shelly/flood/events/rpc", frame(now + 1, False))
        bench.clock.advance(5)
    assert bench.events(alarm) == ["restore", "water_leak"]


def test_an_off_and_on_within_seconds_is_not_taken_for_a_repetition(bench: GatewayBench, world: World) -> None:
    alarm = world.a.devices[1]
    bench.say("zigbee2mqtt/kitchen", {"smoke": False})
    bench.map("kitchen", alarm)
    for smoke in (True, False, True):
        bench.clock.advance(1)
        bench.say("zigbee2mqtt/kitchen", {"smoke": smoke})
    assert bench.events(alarm) == ["smoke", "restore", "smoke"]


def test_a_button_calls_for_help_where_it_is_there_to(bench: GatewayBench, world: World) -> None:
    button = world.a.devices[0]
    bench.say("zigbee2mqtt/bed", {"action": "single"})
    bench.map("bed", button)
    bench.clock.advance(REPEAT_SECONDS + 1)
    bench.say("zigbee2mqtt/bed", {"action": "single"})
    assert bench.events(button) == [], "a wristband's button may do anything"
    bench.map("bed", button, ["hold"])
    bench.say("zigbee2mqtt/bed", {"action": "single", "n": 1})
    bench.say("zigbee2mqtt/bed", {"action": "hold"})
    bench.say("zigbee2mqtt/bed", {"action": "emergency"})
    assert bench.events(button) == ["sos", "sos"]


def test_a_press_told_several_times_is_one_press_and_the_next_is_another(bench: GatewayBench, world: World) -> None:
    button = world.a.devices[0]
    payload = {"id": "60:EF:AB:CD:EF:02", "model_id": "SBBT-002C", "packet": 87, "batt": 98, "button": 1}
    path = "theengs/gw/BTtoMQTT/60EFABCDEF02"
    bench.say(path, payload)
    bench.map("60EFABCDEF02", button, ["single"])
    bench.clock.advance(60)
    for rssi in (-58, -61, -57):
        bench.say(path, {**payload, "rssi": rssi})
        bench.clock.advance(1)
    assert bench.events(button) == ["sos"]
    bench.clock.advance(REPEAT_SECONDS)
    bench.say(path, {**payload, "packet": 88})
    bench.clock.advance(3600)
    bench.say(path, payload)
    assert bench.events(button) == ["sos"] * 3, "the number of a press begins anew after 256"


def test_pain_27_retained_presses_and_values_are_old_ones(bench: GatewayBench, world: World) -> None:
    button = world.a.devices[0]
    bench.say("zigbee2mqtt/bed", {"action": "single"}, retain=True)
    assert reasons(bench) == []
    bench.map("bed", button, ["single"])
    bench.say("zigbee2mqtt/bed", {"action": "single", "battery": 50, "smoke": True}, retain=True)
    assert bench.events(button) == []
    assert bench.readings(button) == {}


def test_positions_and_safe_areas(bench: GatewayBench, world: World) -> None:
    tracker = world.a.devices[0]
    for one in messages("owntracks"):
        bench.say(f"owntracks/{one['path']}", one["payload"])
    bench.map("wang/phone", tracker)
    for _ in range(2):
        for one in messages("owntracks"):
            bench.say(f"owntracks/{one['path']}", one["payload"])
    assert bench.events(tracker) == ["geofence_exit", "geofence_return"]
    assert {"lat", "lon", "loc_acc", "battery", "steps"} == set(bench.readings(tracker))


def test_discovery_by_home_assistants_words_to_a_reading(bench: GatewayBench, world: World) -> None:
    alarm = world.a.devices[1]
    config = {
        "name": "Gas", "uniq_id": "gas1", "dev_cla": "gas", "stat_t": "kitchen/gas/state",
        "avty_t": "kitchen/status", "dev": {"ids": "a0b1", "name": "kitchen", "mf": "Espressif"},
    }  # fmt: skip
    bench.say("esphome/homeassistant/binary_sensor/kitchen/gas/config", config, retain=True)
    bench.load()
    bench.map("a0b1", alarm)
    bench.say("esphome/kitchen/status", "online", retain=True)
    assert bench.online(alarm)
    bench.say("esphome/kitchen/gas/state", "ON")
    assert bench.events(alarm) == ["gas"]
    bench.say("homeassistant/kitchen/unheard/state", "1")
    assert reasons(bench) == ["unknown_topic"]


def test_pain_22_each_child_goes_offline_by_itself_and_with_its_gateway(bench: GatewayBench, world: World) -> None:
    one, two = world.a.devices[:2]
    for name in ("a", "b"):
        bench.say(f"zigbee2mqtt/{name}", {"humidity": 50})
    bench.map("a", one)
    bench.map("b", two)
    for name in ("a", "b"):
        bench.say(f"zigbee2mqtt/{name}", {"humidity": 51, "battery": 9})
    assert (bench.online(one), bench.online(two)) == (True, True)
    bench.say("zigbee2mqtt/a/availability", {"state": "offline"}, retain=True)
    assert (bench.online(one), bench.online(two)) == (False, True)
    bench.say("zigbee2mqtt/bridge/state", {"state": "offline"}, retain=True)
    assert (bench.online(two), bench.online(bench.gateway)) == (False, False)
    bench.clock.advance(SIGHT_EVERY_SECONDS)
    bench.say("zigbee2mqtt/bridge/state", {"state": "online"}, retain=True)
    bench.say("zigbee2mqtt/b", {"humidity": 52})
    assert (bench.online(one), bench.online(two), bench.online(bench.gateway)) == (False, True, True)


def test_a_gateway_lives_by_what_it_forwards(bench: GatewayBench) -> None:
    bench.say("zigbee2mqtt/a", {"humidity": 50})
    [(seen,)] = bench.rows("SELECT last_seen FROM device_status WHERE device_key = %s", bench.gateway.key)
    assert seen == bench.clock.now()


def test_a_renamed_device_keeps_its_mapping_and_its_old_name_loses_it(bench: GatewayBench, world: World) -> None:
    one, two = world.a.devices[:2]

    def bridge(*named: tuple[str, str]) -> None:
        listed = [{"ieee_address": address, "friendly_name": name, "type": "EndDevice"} for name, address in named]
        bench.say("zigbee2mqtt/bridge/devices", listed, retain=True)
        bench.load()

    bridge(("a", "0x1"), ("b", "0x2"))
    bench.map("a", one)
    bench.map("b", two)
    bridge(("a", "0x2"), ("c", "0x1"))
    bench.say("zigbee2mqtt/a", {"humidity": 40})
    bench.say("zigbee2mqtt/c", {"humidity": 60})
    assert (bench.readings(one), bench.readings(two)) == ({"humidity": 60.0}, {"humidity": 40.0})
    bridge(("a", "0x3"))
    bench.say("zigbee2mqtt/a", {"humidity": 70})
    assert bench.readings(two) == {"humidity": 40.0}, "new hardware under an old name is nobody yet"


def test_foreign_devices_are_bounded_for_each_gateway(bench: GatewayBench) -> None:
    crowd = [{"ieee_address": f"0x{k}", "friendly_name": f"d{k}", "type": "Router"} for k in range(499)]
    bench.say("zigbee2mqtt/bridge/devices", crowd)
    for k in range(5):
        bench.say(f"zigbee2mqtt/extra{k}", {"humidity": 50})
    assert bench.rows("SELECT count(*) FROM foreign_devices") == [(DEVICES_PER_GATEWAY_MAX,)]
    assert len(reasons(bench)) == 2, "the one that found room, and the first that found none"
    bench.clock.advance(86_401)
    bench.say("zigbee2mqtt/late", {"humidity": 50})
    assert bench.rows("SELECT native_id FROM foreign_devices") == [("late",)], "the silent ones make room"


def test_bad_payloads_and_unknown_systems_are_rejections(bench: GatewayBench) -> None:
    bench.send(
        bench.message("zigbee2mqtt/a", "no json"),
        bench.message("zwave/a", {"x": 1}),
        bench.message("zigbee2mqtt/b", {"humidity": 50}),
    )
    assert sorted(reasons(bench)) == ["not_json", "unknown_adapter", "unmapped_device"]


def test_a_message_the_database_refuses_hurts_no_neighbour(bench: GatewayBench, world: World) -> None:
    one = world.a.devices[0]
    bench.say("zigbee2mqtt/a", {"humidity": 50})
    bench.map("a", one)
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE readings ADD CONSTRAINT no_66 CHECK (value <> 66)")
    now = bench.clock.time()
    bench.send(
        *(
            bench.message("zigbee2mqtt/a", {"humidity": 60 + k, "smoke": True, "last_seen": (now - k) * 1000})
            for k in range(8)
        )
    )
    assert bench.rows("SELECT count(*) FROM readings WHERE metric = 15") == [(7,)]
    assert bench.events(one) == ["smoke"]
    assert reasons(bench) == ["unmapped_device", "not_storable"]


def test_mapping_stays_within_the_institution(
    bench: GatewayBench, world: World, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    bench.say("zigbee2mqtt/a", {"humidity": 50})
    with pytest.raises(NotFound, match="no device"):
        bench.map("a", world.b.devices[0])
    with pytest.raises(BadInput, match="unknown action"):
        bench.map("a", world.a.devices[0], ["wave"])
    assert foreign.suggest_kind("zigbee2mqtt", {"description": "Smoke detector"}, {}) == "smoke"
