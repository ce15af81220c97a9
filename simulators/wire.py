"""The contract's payloads, written by hand: values enter, MQTT topics and bytes leave.

Kept apart from the decoder on purpose: a mistake in one must not cancel itself out in the other.
Nothing is checked here, so that tests can also say what a faulty device says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cbor2
import numpy as np
from numpy.typing import NDArray

QOS = 1
_PREFIX = "anhu/v1"
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

# SenML has its own unit names (RFC 8428, section 12.1, and RFC 8798); metrics without one carry none.
_SENML_UNITS = {
    "heart_rate": "beat/min", "spo2": "%", "body_temp": "Cel", "room_temp": "Cel", "humidity": "%RH", "steps": "count",
    "motion": "count", "weight": "kg", "lat": "lat", "lon": "lon", "loc_acc": "m", "power_w": "W", "battery": "%EL",
    "water_flow": "l", "door": "/", "bed": "/", "smoke": "/", "water_leak": "/", "gas_lel": "%", "co_ppm": "ppm",
}  # fmt: skip
# Labels of SenML CBOR (RFC 8428, section 6).
_SENML_CBOR = {"bt": -3, "n": 0, "u": 1, "v": 2}


def topic(site: str, device: str, channel: str) -> str:
    """`anhu/v1/{site}/{device}/{channel}`."""
    return f"{_PREFIX}/{site}/{device}/{channel}"


def telemetry(t: float, seq: int | None, metrics: Mapping[str, float]) -> bytes:
    """One instant."""
    if seq is None:
        return _encode({"t": round(t, 3), "m": metrics}).encode()
    return _encode({"t": round(t, 3), "seq": seq, "m": metrics}).encode()


def pack(seq: int, instants: Sequence[tuple[float, Mapping[str, float]]]) -> bytes:
    """Several instants in one message, oldest first."""
    return _encode({"seq": seq, "s": [{"t": round(t, 3), "m": m} for t, m in instants]}).encode()


def senml_json(instants: Sequence[tuple[float, Mapping[str, float]]]) -> bytes:
    """A SenML pack in JSON (RFC 8428); record names are metric codes."""
    return _encode(_senml(instants)).encode()


def senml_cbor(instants: Sequence[tuple[float, Mapping[str, float]]]) -> bytes:
    """The same pack in CBOR, with integer labels."""
    return cbor2.dumps([{_SENML_CBOR[k]: v for k, v in record.items()} for record in _senml(instants)])


def _senml(instants: Sequence[tuple[float, Mapping[str, float]]]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for t, metrics in instants:
        base: dict[str, Any] = {"bt": round(t, 3)}
        for code, value in metrics.items():
            record = {**base, "n": code, "v": value}
            if code in _SENML_UNITS:
                record["u"] = _SENML_UNITS[code]
            records.append(record)
            base = {}
    return records


def event(identifier: str, t: float, kind: str, data: Mapping[str, Any] | None = None) -> bytes:
    """Something that happened once."""
    return _encode({"id": identifier, "t": round(t, 3), "type": kind, "data": data or {}}).encode()


def motion_cbor(t0: float, hz: float, counts: NDArray[np.int16], scale: float) -> bytes:
    """An accelerometer window: counts of shape (n, 3), `scale` g per count, as little-endian bytes."""
    samples = np.ascontiguousarray(counts, dtype="<i2").tobytes()
    return cbor2.dumps({"t0": round(t0, 3), "hz": hz, "unit": "g", "scale": scale, "acc": samples})


def motion_json(t0: float, hz: float, counts: NDArray[np.int16], scale: float) -> bytes:
    """The same window as JSON, in g with four decimals."""
    samples = np.round(counts.astype(np.float64) * scale, 4).tolist()
    return _encode({"t0": round(t0, 3), "hz": hz, "unit": "g", "acc": samples}).encode()


def status(t: float, seq: int | None, *, online: bool = True, **more: Any) -> bytes:
    """The device about itself; `more` may hold battery, rssi and fw."""
    body: dict[str, Any] = {"online": online, "t": round(t, 3)}
    if seq is not None:
        body["seq"] = seq
    return _encode({**body, **more}).encode()


def last_will() -> bytes:
    """What the broker says for a device that vanished. It carries no time: nobody knows it when the will is made."""
    return _encode({"online": False}).encode()


def command_ack(identifier: str, *, ok: bool, result: Mapping[str, Any] | None = None) -> bytes:
    """A device's answer to a command."""
    return _encode({"id": identifier, "ok": ok, "result": result or {}}).encode()
