"""Theengs Gateway and OpenMQTTGateway: decoded Bluetooth advertisements enter, samples leave.

Set the base topic to `anhu/v1/{site}/{gateway}/x/theengs/`. Beacons that were not decoded to a known model are left
alone: they are the telephones of passers-by. Source: https://decoder.theengs.io/ and https://docs.openmqttgateway.com/
"""

from __future__ import annotations

from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import Sample

_POUND_KG: Final = 0.45359237
_CATTY_KG: Final = 0.5
_WEIGHT_UNITS: Final = {"kg": 1.0, "lb": _POUND_KG, "lbs": _POUND_KG, "jin": _CATTY_KG}
_BUTTONS: Final = {1: "single", 2: "double", 3: "triple", 9: "hold"}

_METRICS: Final = {
    "tempc": "room_temp",
    "hum": "humidity",
    "batt": "battery",
    "rssi": "rssi",
    "steps": "steps",
    "act_bpm": "heart_rate",
    "bpm": "heart_rate",
    "spo2": "spo2",
    "bp_sys": "bp_sys",
    "bp_dia": "bp_dia",
    "systolic": "bp_sys",
    "diastolic": "bp_dia",
}
_STATES: Final = {"smoke": "smoke", "water_leak": "water_leak", "leak": "water_leak", "tamper": "tamper"}
_METRIC_STATES: Final = ("smoke", "water_leak")


class Theengs:
    """Stateless; a device's native id is its Bluetooth address, twelve capital digits."""

    name = "theengs"

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`."""
        parts = path.split("/")
        if parts[-1] == "LWT":
            return [Sample("", online=_online(payload))]
        if "BTtoMQTT" not in parts:
            # Radio, infrared, the gateway's own settings and reports.
            return []
        message = base.load_object(payload)
        if not isinstance(message.get("model_id"), str):
            return []
        address = _address(message, parts)
        return [_sample(address, message)]


def _online(payload: bytes) -> bool:
    word = base.text(payload)
    if word not in ("online", "offline"):
        raise Rejected("wrong_type", "LWT is online or offline")
    return word == "online"


def _address(message: dict[str, Any], parts: list[str]) -> str:
    for candidate in (message.get("mac"), message.get("id"), parts[-1]):
        if isinstance(candidate, str):
            digits = candidate.replace(":", "").upper()
            if len(digits) == 12 and all(ch in "0123456789ABCDEF" for ch in digits):
                return digits
    raise Rejected("bad_name", "neither id nor topic is a Bluetooth address")


def _sample(address: str, message: dict[str, Any]) -> Sample:
    metrics = {ours: message[theirs] for theirs, ours in _METRICS.items() if message.get(theirs) is not None}
    # A scale that weighs a suitcase says "object".
    if "weight" in message and message.get("weighing_mode", "person") == "person":
        metrics["weight"] = _kilograms(message["weight"], message.get("unit"))
    states = {ours: message[theirs] for theirs, ours in _STATES.items() if isinstance(message.get(theirs), bool)}
    metrics |= {code: float(states[code]) for code in _METRIC_STATES if code in states}
    opened = message.get("open")
    if isinstance(opened, bool):
        states["door"] = opened
        metrics["door"] = float(opened)
    for moved in ("motion", "presence"):
        if isinstance(message.get(moved), bool):
            metrics["motion"] = float(message[moved])
    button = message.get("button")
    action = _BUTTONS.get(button) if isinstance(button, int) else None
    return Sample(
        address,
        t=base.instant(message.get("unixtime")),
        metrics=metrics,
        states=states,
        action=action,
        # One press is advertised many times; its number is the same each time, its signal strength is not.
        identity=f"{address}/{action}/{message['packet']}" if action and "packet" in message else None,
        facts=base.facts(
            address=address,
            vendor=message.get("brand"),
            model=message.get("model_id"),
            description=message.get("model"),
            name=message.get("name"),
        ),
    )


def _kilograms(weight: Any, unit: Any) -> float:
    number = base.finite(weight)
    factor = _WEIGHT_UNITS.get(str(unit).lower()) if unit is not None else 1.0
    if number is None:
        raise Rejected("wrong_type", "weight")
    if factor is None:
        raise Rejected("unit_mismatch", f"weight in {str(unit)[:16]}")
    return round(number * factor, 3)
