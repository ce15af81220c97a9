"""Discovery in Home Assistant's words: what is announced becomes known, and states are read by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import Rejected
from devices.adapters import adapter_for
from devices.adapters.base import Adapter, Sample
from devices.adapters.homeassistant import ENTITY_FACT, relative

SMOKE = {
    "name": "Smoke", "uniq_id": "ESPsmoke1", "dev_cla": "smoke", "stat_t": "kitchen/binary_sensor/smoke/state",
    "avty_t": "kitchen/status", "dev": {"ids": "a0b1c2d3e4f5", "name": "kitchen", "sw": "2025.5.0", "mdl": "esp32dev",
                                          "mf": "Espressif"},
}  # fmt: skip
BATH = {
    "~": "home/bath", "name": "Temperature", "device_class": "temperature", "state_topic": "~/state",
    "unit_of_measurement": "°F", "value_template": "{{ value_json.temp | float | round(1) }}",
    "availability": [{"topic": "~/status", "payload_available": "up", "payload_not_available": "down"}],
    "device": {"identifiers": ["bath-1"], "manufacturer": "Acme", "model": "TH1"},
}  # fmt: skip


def learn(*announced: tuple[str, Any]) -> tuple[Adapter, list[Sample]]:
    """What a gateway's adapter knows once its facts were stored."""
    facts: dict[str, dict[str, Any]] = {}
    samples: list[Sample] = []
    for path, config in announced:
        payload = json.dumps(config).encode() if config else b""
        for sample in adapter_for("homeassistant", facts).parse(path, payload):
            samples.append(sample)
            known = facts.setdefault(sample.native_id, {})
            known.update(json.loads(json.dumps(sample.facts)))
            facts[sample.native_id] = {key: value for key, value in known.items() if value is not None}
    return adapter_for("homeassistant", facts), samples


def test_esphome_announces_with_short_names_and_speaks_plainly() -> None:
    adapter, samples = learn(("homeassistant/binary_sensor/kitchen/smoke/config", SMOKE))
    facts = samples[0].facts
    assert {key: value for key, value in facts.items() if not key.startswith(ENTITY_FACT)} == {
        "address": "a0b1c2d3e4f5", "name": "kitchen", "vendor": "Espressif", "model": "esp32dev",
        "firmware": "2025.5.0",
    }  # fmt: skip
    assert adapter.parse("kitchen/binary_sensor/smoke/state", b"ON") == [
        Sample("a0b1c2d3e4f5", metrics={"smoke": 1.0}, states={"smoke": True})
    ]
    assert adapter.parse("kitchen/status", b"offline") == [Sample("a0b1c2d3e4f5", online=False)]
    assert adapter.parse("kitchen/debug", b"[D][sensor]: noise") == []


def test_stem_template_filters_and_fahrenheit() -> None:
    adapter, _ = learn(("homeassistant/sensor/bath/temperature/config", BATH))
    assert adapter.parse("home/bath/state", b'{"temp": 77, "other": 1}') == [
        Sample("bath-1", metrics={"room_temp": 25.0})
    ]
    assert adapter.parse("home/bath/status", b"down") == [Sample("bath-1", online=False)]
    assert adapter.parse("home/bath/state", b'{"temp": "unavailable"}') == []


def test_entities_of_one_device_share_a_message() -> None:
    second = {**BATH, "device_class": "humidity", "unit_of_measurement": "%", "value_template": "{{value_json['hum']}}"}
    adapter, _ = learn(
        ("homeassistant/sensor/bath/temperature/config", BATH), ("homeassistant/sensor/bath/humidity/config", second)
    )
    assert adapter.parse("home/bath/state", b'{"temp": 68, "hum": 51}') == [
        Sample("bath-1", metrics={"room_temp": 20.0, "humidity": 51.0})
    ]


def test_one_message_announces_a_whole_device() -> None:
    bundle = {
        "dev": {"ids": ["wc"], "name": "wc"}, "stat_t": "wc/state",
        "cmps": {"leak": {"p": "binary_sensor", "dev_cla": "moisture", "val_tpl": "{{ value_json.leak }}"},
                 "power": {"p": "sensor", "dev_cla": "power", "unit_of_meas": "kW", "val_tpl": "{{ value_json.kw }}"}},
    }  # fmt: skip
    adapter, _ = learn(("homeassistant/device/wc/config", bundle))
    [sample] = adapter.parse("wc/state", b'{"leak": "ON", "kw": 1.5}')
    assert (sample.metrics, sample.states) == ({"water_leak": 1.0, "power_w": 1500.0}, {"water_leak": True})


def test_buttons_by_event_and_by_trigger() -> None:
    event = {"state_topic": "b/event", "device_class": "button", "event_types": ["press"], "device": {"ids": "b1"}}
    trigger = {"automation_type": "trigger", "type": "button_long_press", "subtype": "button_1", "topic": "b/trigger",
               "payload": "hold", "device": {"ids": "b1"}}  # fmt: skip
    adapter, _ = learn(
        ("homeassistant/event/b1/button/config", event), ("homeassistant/device_automation/b1/hold/config", trigger)
    )
    assert adapter.parse("b/event", b'{"event_type": "press"}') == [Sample("b1", action="single")]
    assert adapter.parse("b/trigger", b"hold") == [Sample("b1", action="hold")]
    assert adapter.parse("b/trigger", b"other") == []


def test_heart_and_breath_by_name() -> None:
    heart = {"name": "Real-time heart rate", "unit_of_measurement": "bpm", "stat_t": "r/h", "dev": {"ids": "radar"}}
    breath = {"name": "Real-time respiratory rate", "stat_t": "r/b", "unit_of_meas": "bpm", "dev": {"ids": "radar"}}
    adapter, _ = learn(("homeassistant/sensor/r/h/config", heart), ("homeassistant/sensor/r/b/config", breath))
    assert adapter.parse("r/h", b"71.5") == [Sample("radar", metrics={"heart_rate": 71.5})]
    assert adapter.parse("r/b", b"14") == [Sample("radar", metrics={"resp_rate": 14.0})]


def test_an_empty_configuration_withdraws_the_entity() -> None:
    path = "homeassistant/binary_sensor/kitchen/smoke/config"
    _, samples = learn((path, SMOKE), (path, None))
    assert samples[1] == Sample("a0b1c2d3e4f5", facts={ENTITY_FACT + path: None})


def test_topics_are_told_with_or_without_the_prefix() -> None:
    full = "anhu/v1/home/gw/x/homeassistant/kitchen/status"
    assert relative(full) == relative("anhu/v1/home/gw/x/esphome/kitchen/status") == "kitchen/status"


@pytest.mark.parametrize("template", ["{{ value_json.a + 1 }}", "{% if value %}1{% endif %}", "{{ states('x') }}"])
def test_templates_that_compute_are_refused(template: str) -> None:
    with pytest.raises(Rejected, match="unsupported_template"):
        learn(("homeassistant/sensor/bath/t/config", {**BATH, "value_template": template}))


def test_a_topic_that_nobody_announced_is_told() -> None:
    with pytest.raises(Rejected, match="unknown_topic"):
        adapter_for("homeassistant", {}).parse("kitchen/sensor/x/state", b"1")
