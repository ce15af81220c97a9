"""No bytes on no topic bring an adapter to anything but samples or Rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Rejected
from core.metrics import BY_CODE
from devices.adapters import NAMES, Adapter, adapter_for
from devices.adapters.base import ACTIONS, NATIVE_ID_CHARS_MAX, STATES
from tests.fixtures.payloads import messages

FACTS = {
    "d1": {
        "entity homeassistant/sensor/d1/t/config": {
            "path": "d1/t", "template": ["a", "b"],
            "meaning": {"kind": "metric", "target": "room_temp", "unit": "°C", "factor": 1.0, "on": "ON", "off": "OFF"},
        },
        "entity broken": 5,
    }
}  # fmt: skip
DOCUMENTED = ("zigbee2mqtt", "tasmota", "shelly", "theengs", "owntracks")
PATHS = [
    *sorted({one["path"] for system in DOCUMENTED for one in messages(system)}),
    "d1/t", "homeassistant/sensor/d1/t/config", "homeassistant/device/d1/config", "", "/", "a//b",
]  # fmt: skip
WORDS = sorted(
    {key for s in DOCUMENTED for one in messages(s) if isinstance(one["payload"], dict) for key in one["payload"]}
    | {"params", "events", "event", "component", "method", "switch:0", "cmps", "dev", "ids", "stat_t", "val_tpl", "p",
       "dev_cla", "avty", "ENERGY", "Power", "Wifi", "Button1", "definition", "friendly_name", "ts"}
)  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=20,
)


def check(adapter: Adapter, path: str, payload: bytes) -> None:
    try:
        samples = adapter.parse(path, payload)
    except Rejected:
        return
    for sample in samples:
        assert len(sample.native_id) <= NATIVE_ID_CHARS_MAX
        assert set(sample.metrics) <= set(BY_CODE)
        assert set(sample.states) <= STATES
        assert sample.action is None or sample.action in ACTIONS
        assert all(type(active) is bool for active in sample.states.values())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS) | st.text(max_size=40), payload=st.binary(max_size=60))
def test_any_bytes(name: str, path: str, payload: bytes) -> None:
    check(adapter_for(name, FACTS), path, payload)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PATHS), document=json_values)
def test_any_json(name: str, path: str, document: Any) -> None:
    check(adapter_for(name, FACTS), path, json.dumps(document).encode())


@pytest.mark.parametrize("name", NAMES)
def test_deep_nesting(name: str) -> None:
    for path in PATHS:
        check(adapter_for(name, FACTS), path, b'{"a":' * 100_000)
        check(adapter_for(name, FACTS), path, b"[" * 100_000)
