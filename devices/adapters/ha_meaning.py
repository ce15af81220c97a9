"""What an entity of Home Assistant means here: its configuration enters, a metric, state, action or nothing leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from devices.adapters import base

Kind = Literal["metric", "state", "action", "online"]

# (device_class, unit): metric and factor. Temperatures convert by formula.
_SENSORS: Final[dict[tuple[str, str], tuple[str, float]]] = {
    ("humidity", "%"): ("humidity", 1.0),
    ("battery", "%"): ("battery", 1.0),
    ("power", "W"): ("power_w", 1.0),
    ("power", "kW"): ("power_w", 1000.0),
    ("power", "mW"): ("power_w", 0.001),
    ("signal_strength", "dBm"): ("rssi", 1.0),
    ("carbon_monoxide", "ppm"): ("co_ppm", 1.0),
    ("weight", "kg"): ("weight", 1.0),
    ("weight", "g"): ("weight", 0.001),
    ("weight", "lb"): ("weight", 0.45359237),
    ("blood_glucose_concentration", "mmol/L"): ("glucose", 1.0),
    ("blood_glucose_concentration", "mg/dL"): ("glucose", 1 / 18.016),
}
_BINARY: Final = {
    "smoke": "smoke",
    "gas": "gas",
    "carbon_monoxide": "co",
    "moisture": "water_leak",
    "tamper": "tamper",
    "battery": "low_battery",
    "door": "door",
    "window": "door",
    "opening": "door",
    "garage_door": "door",
}
_MOVEMENT: Final = frozenset({"motion", "occupancy", "presence", "moving"})
_PER_MINUTE: Final = frozenset({"bpm", "beats/min", "/min", "1/min", "breaths/min", "rpm", "br/min", ""})
_ACTIONS: Final = {
    "press": "single", "single": "single", "short_press": "single", "button_short_press": "single", "click": "single",
    "double": "double", "double_press": "double", "button_double_press": "double",
    "triple": "triple", "button_triple_press": "triple", "hold": "hold", "long_press": "hold",
    "button_long_press": "hold", "emergency": "sos", "panic": "sos", "sos": "sos",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """`target` is a metric code or a state; `on` and `off` are the words of a two-state entity."""

    kind: Kind
    target: str
    unit: str = ""
    factor: float = 1.0
    on: str = "ON"
    off: str = "OFF"

    def as_fact(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> Meaning:
        """Raises TypeError, KeyError or ValueError for what is none."""
        kind: Kind = fact["kind"]
        if kind not in ("metric", "state", "action", "online"):
            raise ValueError(kind)
        return cls(
            kind, str(fact["target"]), str(fact["unit"]), float(fact["factor"]), str(fact["on"]), str(fact["off"])
        )


def meaning_of(component: str, config: Mapping[str, Any]) -> Meaning | None:
    """What an entity's states mean here; None for the many that concern neither health nor safety."""
    device_class = str(config.get("device_class") or "")
    if component == "sensor":
        return _sensor(device_class, str(config.get("unit_of_measurement") or ""), _words(config))
    if component == "binary_sensor":
        on, off = str(config.get("payload_on", "ON")), str(config.get("payload_off", "OFF"))
        if device_class in _BINARY:
            return Meaning("state", _BINARY[device_class], on=on, off=off)
        if device_class in _MOVEMENT:
            return Meaning("metric", "motion", unit="0/1", on=on, off=off)
        return Meaning("online", "online", on=on, off=off) if device_class == "connectivity" else None
    if component == "event":
        return Meaning("action", "event_type")
    if component == "device_automation":
        action = _ACTIONS.get(str(config.get("type")))
        # Triggers say the whole of it in the payload that they announce.
        return Meaning("action", action, on=str(config.get("payload", ""))) if action else None
    return None


def _sensor(device_class: str, unit: str, words: str) -> Meaning | None:
    if device_class == "temperature":
        return Meaning("metric", "body_temp" if "body" in words else "room_temp", unit=unit or "°C")
    if (device_class, unit) in _SENSORS:
        target, factor = _SENSORS[device_class, unit]
        return Meaning("metric", target, factor=factor)
    if not device_class and unit in _PER_MINUTE:
        if "heart" in words:
            return Meaning("metric", "heart_rate")
        if "respir" in words or "breath" in words:
            return Meaning("metric", "resp_rate")
    return None


def _words(config: Mapping[str, Any]) -> str:
    return " ".join(str(config.get(key) or "") for key in ("object_id", "unique_id", "name")).lower()


def value_of(meaning: Meaning, raw: Any) -> Any:
    """The value in our words; None for one that says nothing (unknown, unavailable, an unfamiliar word)."""
    if raw is None or raw in ("unknown", "unavailable", ""):
        return None
    match meaning.kind:
        case "metric" if meaning.unit == "0/1":
            seen = _two_state(meaning, raw)
            return None if seen is None else float(seen)
        case "metric":
            number = _number(raw)
            if number is None:
                return raw
            if meaning.target in ("room_temp", "body_temp"):
                return base.celsius(number, meaning.unit)
            return number * meaning.factor
        case "action":
            return _action(meaning, raw)
        case _:
            return _two_state(meaning, raw)


def _two_state(meaning: Meaning, raw: Any) -> bool | None:
    words = {str(raw), str(raw).lower()} if isinstance(raw, bool) else {str(raw)}
    if meaning.on in words:
        return True
    return False if meaning.off in words else None


def _action(meaning: Meaning, raw: Any) -> str | None:
    if meaning.target != "event_type":
        return meaning.target if not meaning.on or str(raw) == meaning.on else None
    word = raw
    if isinstance(raw, str) and raw.startswith("{"):
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        word = document.get("event_type") if isinstance(document, dict) else None
    return _ACTIONS.get(word) if isinstance(word, str) else None


def _number(raw: Any) -> float | None:
    if isinstance(raw, str):
        try:
            raw = float(raw)
        except ValueError:
            return None
    return base.finite(raw)
