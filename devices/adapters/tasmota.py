"""Tasmota: telemetry, results and last wills of plugs and sensors enter, samples leave.

Set the full topic to `anhu/v1/{site}/{gateway}/x/tasmota/%prefix%/%topic%/`; with `SetOption52 1` times carry their
offset and are used. Source: https://tasmota.github.io/docs/MQTT/ and .../JSON-Status-Responses/
"""

from __future__ import annotations

from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import Sample

_PREFIXES: Final = frozenset({"tele", "stat", "cmnd"})
_ACTIONS: Final = {
    "SINGLE": "single", "DOUBLE": "double", "TRIPLE": "triple", "QUAD": "many", "PENTA": "many", "HOLD": "hold",
}  # fmt: skip
_QUIET: Final = ("INFO", "UPTIME", "LOGGING", "STATUS", "POWER", "MARGINS", "HASS_STATE", "DISCOVERY", "WAKEUP")


class Tasmota:
    """Stateless; a device's native id is its %topic%."""

    name = "tasmota"

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`. Both `tele/plug/SENSOR` and `plug/tele/SENSOR` are in use."""
        parts = path.split("/")
        if len(parts) < 3 or not _PREFIXES & set(parts[:-1]):
            raise Rejected("unknown_topic", path[:80])
        at = next(i for i, part in enumerate(parts) if part in _PREFIXES)
        prefix, last = parts[at], parts[-1]
        name = base.native_id("/".join([*parts[:at], *parts[at + 1 : -1]]))
        if prefix == "cmnd" or last.startswith(_QUIET):
            # A switch that was thrown says nothing of health or safety; the device is heard all the same.
            return [] if prefix == "cmnd" else [Sample(name, online=True)]
        match prefix, last:
            case "tele", "LWT":
                return [Sample(name, online=_online(payload))]
            case "tele", "STATE":
                return [_state(name, base.load_object(payload))]
            case (("tele" | "stat"), ("SENSOR" | "RESULT")):
                return [_sensor(name, base.load_object(payload))]
            case _:
                raise Rejected("unknown_topic", path[:80])


def _online(payload: bytes) -> bool:
    word = base.text(payload)
    if word not in ("Online", "Offline"):
        raise Rejected("wrong_type", "LWT is Online or Offline")
    return word == "Online"


def _state(name: str, state: dict[str, Any]) -> Sample:
    wifi = state.get("Wifi")
    signal = wifi.get("Signal") if isinstance(wifi, dict) else None
    return Sample(name, t=base.instant(state.get("Time")), metrics=base.given({"rssi": signal}), online=True)


def _sensor(name: str, sensor: dict[str, Any]) -> Sample:
    """Each sensor is an object under its chip's name, beside Time and TempUnit."""
    unit = sensor.get("TempUnit")
    metrics: dict[str, Any] = {}
    action = None
    for chip, values in sensor.items():
        if not isinstance(values, dict):
            continue
        if chip.startswith("Button"):
            action = _ACTIONS.get(str(values.get("Action"))) or action
        elif chip == "ENERGY":
            metrics["power_w"] = _power(values.get("Power"))
        elif chip.startswith("ESP32"):
            # The processor's own temperature is not the room's.
            continue
        else:
            _climate(metrics, values, unit if isinstance(unit, str) else "C")
    return Sample(name, t=base.instant(sensor.get("Time")), metrics=base.given(metrics), action=action)


def _power(power: Any) -> Any:
    """Watt; a device of several channels lists them."""
    if isinstance(power, list):
        channels = [watt for watt in map(base.finite, power) if watt is not None]
        return sum(channels) if len(channels) == len(power) and channels else None
    return power


def _climate(metrics: dict[str, Any], values: dict[str, Any], unit: str) -> None:
    """The first chip with a value speaks for the device: two thermometers under one name would contradict."""
    if "Temperature" in values:
        metrics.setdefault("room_temp", base.celsius(values["Temperature"], unit))
    if "Humidity" in values:
        metrics.setdefault("humidity", values["Humidity"])
    if "CarbonMonoxide" in values:
        metrics.setdefault("co_ppm", values["CarbonMonoxide"])
