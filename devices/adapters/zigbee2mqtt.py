"""Zigbee2MQTT: states by friendly name, the bridge's list of devices and its availability enter, samples leave.

Set `mqtt.base_topic` to `anhu/v1/{site}/{gateway}/x/zigbee2mqtt` and `advanced.last_seen` to `epoch`, so that cached
values keep their own time. Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from __future__ import annotations

from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import Sample

# Property of Zigbee2MQTT: metric of ours, where value and unit are the same.
_METRICS: Final = {
    "humidity": "humidity",
    "battery": "battery",
    "power": "power_w",
    "co": "co_ppm",
    "heartbeat_rate": "heart_rate",
    "respiratory_rate": "resp_rate",
}
_STATES: Final = {
    "smoke": "smoke",
    "gas": "gas",
    "carbon_monoxide": "co",
    "water_leak": "water_leak",
    "tamper": "tamper",
    "battery_low": "low_battery",
    "sos": "sos",
}
_ACTIONS: Final = {
    "single": "single", "press": "single", "on": "single", "click": "single", "1_single": "single",
    "double": "double", "1_double": "double", "triple": "triple", "quadruple": "many", "many": "many",
    "hold": "hold", "long": "hold", "long_press": "hold", "1_hold": "hold",
    "emergency": "sos", "panic": "sos", "sos": "sos",
}  # fmt: skip
_METRIC_STATES: Final = ("smoke", "water_leak")
_BRIDGE_QUIET: Final = frozenset({"info", "logging", "groups", "extensions", "converters", "definitions", "health"})
_COMMANDS: Final = frozenset({"set", "get", "action"})


class Zigbee2Mqtt:
    """Stateless; a device's native id is its friendly name, its IEEE address is a fact."""

    name = "zigbee2mqtt"

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`."""
        head, _, rest = path.partition("/")
        if head == "bridge":
            return _bridge(rest, payload)
        name, _, last = path.rpartition("/")
        if name and last == "availability":
            return [Sample(base.native_id(name), online=_available(payload))]
        if name and (last in _COMMANDS or name.rpartition("/")[2] in _COMMANDS):
            # Orders to the device, and the repetition of `action` that Home Assistant wants.
            return []
        return [_state(base.native_id(path), base.load_object(payload))] if payload else []


def _bridge(topic: str, payload: bytes) -> list[Sample]:
    if topic == "state":
        return [Sample("", online=_available(payload))]
    if topic == "devices":
        return _devices(base.load_json(payload))
    if topic == "event":
        return _joined(base.load_object(payload))
    if topic.split("/")[0] in _BRIDGE_QUIET | {"request", "response"}:
        return []
    raise Rejected("unknown_topic", f"bridge/{topic[:80]}")


def _available(payload: bytes) -> bool:
    """`online` or `{"state": "online"}`, older and newer releases."""
    word: Any = base.text(payload)
    if word.startswith("{"):
        word = base.load_object(payload).get("state")
    if word not in ("online", "offline"):
        raise Rejected("wrong_type", "availability is online or offline")
    return bool(word == "online")


def _devices(listed: Any) -> list[Sample]:
    if not isinstance(listed, list):
        raise Rejected("wrong_type", "bridge/devices is a list")
    return [
        Sample(base.native_id(one["friendly_name"]), facts=_facts(one))
        for one in listed
        if isinstance(one, dict) and isinstance(one.get("friendly_name"), str) and one.get("type") != "Coordinator"
    ]


def _joined(event: dict[str, Any]) -> list[Sample]:
    data = event.get("data")
    if event.get("type") not in ("device_joined", "device_interview", "device_announce") or not isinstance(data, dict):
        return []
    name = data.get("friendly_name")
    return [Sample(base.native_id(name), facts=_facts(data))] if isinstance(name, str) else []


def _facts(one: dict[str, Any]) -> dict[str, str]:
    definition = one.get("definition")
    known: dict[str, Any] = definition if isinstance(definition, dict) else {}
    return base.facts(
        address=one.get("ieee_address"),
        model=known.get("model") or one.get("model_id"),
        vendor=known.get("vendor") or one.get("manufacturer"),
        description=known.get("description"),
        power=one.get("power_source"),
        firmware=one.get("software_build_id"),
    )


def _state(name: str, state: dict[str, Any]) -> Sample:
    metrics = {ours: state[theirs] for theirs, ours in _METRICS.items() if theirs in state}
    # Sensors of the smoke in the air, of gas in %LEL, are rarer than those that only say yes or no.
    metrics["gas_lel"] = state.get("gas_value") if state.get("gas_value_unit") == "%LEL" else None
    metrics["room_temp"] = state.get("temperature")
    states = {ours: state[theirs] for theirs, ours in _STATES.items() if isinstance(state.get(theirs), bool)}
    metrics |= {code: float(states[code]) for code in _METRIC_STATES if code in states}
    if isinstance(state.get("contact"), bool):
        # `contact` is true while the magnet is near: the door is shut.
        states["door"] = not state["contact"]
        metrics["door"] = float(states["door"])
    for name_of_motion in ("occupancy", "presence"):
        if isinstance(state.get(name_of_motion), bool):
            metrics["motion"] = float(state[name_of_motion])
    action = state.get("action")
    device = state.get("device")
    return Sample(
        name,
        t=base.instant(state.get("last_seen")),
        metrics=base.given(metrics),
        states=states,
        action=_ACTIONS.get(action) if isinstance(action, str) else None,
        link_quality=base.finite(state.get("linkquality")),
        facts=_embedded_facts(device) if isinstance(device, dict) else {},
    )


def _embedded_facts(device: dict[str, Any]) -> dict[str, str]:
    """With `include_device_information` every state tells of the hardware."""
    return base.facts(
        address=device.get("ieeeAddr"),
        model=device.get("model"),
        vendor=device.get("manufacturerName"),
        power=device.get("powerSource"),
    )
