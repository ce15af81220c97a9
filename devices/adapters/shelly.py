"""Shelly, second generation and later: RPC notifications and status topics enter, samples leave.

Set each device's MQTT prefix to `anhu/v1/{site}/{gateway}/x/shelly/{name}`. A device with several channels is one
foreign device for channel 0 and one more for each further channel: `name/switch:1`.
Source: https://shelly-api-docs.shelly.cloud/gen2/General/Notifications and the pages of the components.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import Sample

_ACTIONS: Final = {"single_push": "single", "double_push": "double", "triple_push": "triple", "long_push": "hold"}
_ALARMS: Final = {"flood": "water_leak", "smoke": "smoke", "gas": "gas", "co": "co"}
_METRIC_STATES: Final = frozenset({"smoke", "water_leak"})
_POWER: Final = {
    "switch": "apower", "pm1": "apower", "light": "apower", "cover": "apower",
    "em": "total_act_power", "em1": "act_power",
}  # fmt: skip
_QUIET: Final = frozenset({"rpc", "command", "debug"})
_NOTIFICATIONS: Final = ("NotifyStatus", "NotifyFullStatus")


class Shelly:
    """Stateless; a device's native id is its topic prefix, its factory name is the fact `address`."""

    name = "shelly"

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`."""
        parts = path.split("/")
        match parts:
            case [*prefix, "events", "rpc"] if prefix:
                return list(_notification(base.native_id("/".join(prefix)), base.load_object(payload)))
            case [*prefix, "status", component] if prefix:
                # The status topic is the component alone, without the time of the notification.
                status = base.load_object(payload)
                return list(_components(base.native_id("/".join(prefix)), None, {component: status}))
            case [*prefix, "online"] if prefix:
                return [Sample(base.native_id("/".join(prefix)), online=_online(payload))]
            case [*prefix, "announce"] if prefix:
                return [_announced(base.native_id("/".join(prefix)), base.load_object(payload))]
            case _ if _QUIET & set(parts[1:]):
                return []
            case _:
                raise Rejected("unknown_topic", path[:80])


def _online(payload: bytes) -> bool:
    word = base.text(payload)
    if word not in ("true", "false"):
        raise Rejected("wrong_type", "online is true or false")
    return word == "true"


def _announced(name: str, info: dict[str, Any]) -> Sample:
    found = base.facts(
        address=info.get("id"), model=info.get("model"), description=info.get("app"), firmware=info.get("ver")
    )
    return Sample(name, facts={**found, "vendor": "Shelly"}, firmware=found.get("firmware"))


def _notification(name: str, frame: dict[str, Any]) -> Iterator[Sample]:
    params = frame.get("params")
    if not isinstance(params, dict):
        raise Rejected("missing_field", "params")
    t = base.instant(params.get("ts"))
    if frame.get("method") in _NOTIFICATIONS:
        yield from _components(name, t, params)
    elif frame.get("method") == "NotifyEvent":
        events = params.get("events")
        if not isinstance(events, list):
            raise Rejected("missing_field", "events")
        yield from _events(name, t, events)
    if source := base.fact(frame.get("src")):
        yield Sample(name, facts={"address": source, "vendor": "Shelly"})


def _events(name: str, t: float | None, events: list[Any]) -> Iterator[Sample]:
    for event in events:
        if not isinstance(event, dict):
            continue
        action = _ACTIONS.get(str(event.get("event")))
        component = str(event.get("component", ""))
        kind = component.partition(":")[0]
        if action and kind in ("input", "bthomedevice", "bthomesensor"):
            moment = base.instant(event.get("ts"))
            yield Sample(_part(name, component), t=t if moment is None else moment, action=action)


def _components(name: str, t: float | None, components: dict[str, Any]) -> Iterator[Sample]:
    """One sample for the device and one for each further channel that says something of use."""
    parts: dict[str, tuple[dict[str, Any], dict[str, bool]]] = {}
    for component, status in components.items():
        if not isinstance(status, dict):
            continue
        kind = component.partition(":")[0]
        metrics, states = parts.setdefault(_part(name, component), ({}, {}))
        if kind in _ALARMS and isinstance(status.get("alarm"), bool):
            state = _ALARMS[kind]
            states[state] = status["alarm"]
            if state in _METRIC_STATES:
                metrics[state] = float(status["alarm"])
        elif kind in _POWER:
            metrics["power_w"] = status.get(_POWER[kind])
        else:
            _measure(metrics, kind, status)
    for part, (metrics, states) in parts.items():
        known = base.given(metrics)
        if known or states:
            yield Sample(part, t=t, metrics=known, states=states)


def _measure(metrics: dict[str, Any], kind: str, status: dict[str, Any]) -> None:
    match kind:
        case "temperature":
            metrics["room_temp"] = status.get("tC")
        case "humidity":
            metrics["humidity"] = status.get("rh")
        case "devicepower":
            battery = status.get("battery")
            metrics["battery"] = battery.get("percent") if isinstance(battery, dict) else None
        case "wifi":
            metrics["rssi"] = status.get("rssi")


def _part(name: str, component: str) -> str:
    kind, _, number = component.partition(":")
    # Batteries, radio and the sensors of a small device are the device; a second relay feeds something else.
    return name if number in ("", "0") and kind != "bthomedevice" else base.native_id(f"{name}/{component}")
