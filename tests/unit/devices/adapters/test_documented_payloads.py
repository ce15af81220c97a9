"""Each system's documented messages come to the samples that a reader of its documentation would expect."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import Rejected
from devices.adapters import adapter_for
from devices.adapters.base import ForeignEvent, Sample
from tests.fixtures.payloads import encode, messages

SYSTEMS = ("zigbee2mqtt", "tasmota", "shelly", "theengs", "owntracks")
CASES = [(system, one) for system in SYSTEMS for one in messages(system)]


def expected(sample: dict[str, Any]) -> Sample:
    event = sample.get("event")
    return Sample(**{**sample, "event": ForeignEvent(event["type"], event["data"]) if event else None})


@pytest.mark.parametrize(("system", "message"), CASES, ids=[f"{s}:{m['path']}" for s, m in CASES])
def test_documented_message(system: str, message: dict[str, Any]) -> None:
    adapter = adapter_for(system, {})
    assert adapter.name == system
    assert adapter.parse(message["path"], encode(message["payload"])) == [expected(s) for s in message["samples"]]


@pytest.mark.parametrize(
    ("system", "path", "payload", "reason"),
    [
        ("zigbee2mqtt", "bedroom", b"not json", "not_json"),
        ("zigbee2mqtt", "bedroom", b"[1, 2]", "wrong_type"),
        ("zigbee2mqtt", "bedroom/availability", b"maybe", "wrong_type"),
        ("zigbee2mqtt", "bridge/unheard_of", b"{}", "unknown_topic"),
        ("zigbee2mqtt", "bridge/devices", b"{}", "wrong_type"),
        ("zigbee2mqtt", "x" * 129, b"{}", "bad_name"),
        ("tasmota", "plug1/SENSOR", b"{}", "unknown_topic"),
        ("tasmota", "tele/plug1/LWT", b"yes", "wrong_type"),
        ("tasmota", "tele/plug1/SENSOR", b"{", "not_json"),
        ("shelly", "kettle", b"{}", "unknown_topic"),
        ("shelly", "kettle/events/rpc", b"{}", "missing_field"),
        ("shelly", "kettle/online", b"1", "wrong_type"),
        ("theengs", "gw/BTtoMQTT/zz", b'{"model_id": "A"}', "bad_name"),
        ("theengs", "gw/BTtoMQTT/A4C1386E4AE8", b'{"model_id":"S","weight":9,"unit":"st"}', "unit_mismatch"),
        ("owntracks", "a/b", b'{"_type": "encrypted", "data": "x"}', "encrypted"),
        ("owntracks", "a/b", b'{"_type": "location"}', "missing_field"),
        ("owntracks", "a/b", b'{"_type": "dance"}', "unknown_type"),
    ],
)
def test_bad_messages_say_what_is_wrong(system: str, path: str, payload: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as error:
        adapter_for(system, {}).parse(path, payload)
    assert error.value.reason == reason
