"""Decoded messages and the device registry enter, readings, events, windows, rejections leave; nothing is dropped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from core.errors import Rejected
from core.limits import (
    ACCELERATION_G_MAX,
    CLOCK_FUTURE_SECONDS,
    CLOCK_PAST_SECONDS,
    EVENT_DATA_BYTES_MAX,
    EVENT_ID_CHARS_MAX,
    METRICS_PER_INSTANT_MAX,
    MILLISECONDS_ABOVE,
    MOTION_HZ_MAX,
    MOTION_HZ_MIN,
    MOTION_SAMPLES_MAX,
)
from core.metrics import BY_CODE
from core.readings import Event, Flag, MotionWindow, Reading, Status
from core.vocabulary import EVENT_TYPES
from ingest.decode import EventMessage, MotionMessage, StatusMessage, Telemetry

_GRAVITY = 9.80665
_UNITS_IN_G = {"g": 1.0, "mg": 0.001, "m/s2": 1 / _GRAVITY, "m/s^2": 1 / _GRAVITY}
_COUNT_G = 0.001
"""What a count is worth where the device sent no counts: a thousandth of g, the resolution of common sensors."""

_FEW = 8


class Complaints:
    """What was wrong in one message: at most one rejection for each reason, with the names of what it concerned."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}

    def add(self, reason: str, what: str) -> None:
        self._by_reason.setdefault(reason, []).append(what)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for reason, things in self._by_reason.items():
            seen = list(dict.fromkeys(things))
            more = f" and {len(seen) - _FEW} more" if len(seen) > _FEW else ""
            yield reason, ", ".join(seen[:_FEW]) + more


def settle_time(t: float | None, now: float) -> tuple[float, int]:
    """A device's time as Unix seconds, and Flag.CLOCK where the time of receipt had to take its place."""
    if t is not None and math.isfinite(t):
        if t > MILLISECONDS_ABOVE:
            t /= 1000
        if now - CLOCK_PAST_SECONDS <= t <= now + CLOCK_FUTURE_SECONDS:
            return t, 0
    return now, int(Flag.CLOCK)


def readings_of(device_key: int, message: Telemetry, now: float, complaints: Complaints) -> list[Reading]:
    """Every usable value of a telemetry message; the others go to `complaints`."""
    found: list[Reading] = []
    for t, metrics in message.instants:
        time, flags = settle_time(t, now)
        if len(metrics) > METRICS_PER_INSTANT_MAX:
            complaints.add("oversized", f"{len(metrics)} metrics in an instant; {METRICS_PER_INSTANT_MAX} are allowed")
            continue
        if not metrics:
            complaints.add("missing_field", "m is empty")
        for code, value in metrics.items():
            metric = BY_CODE.get(code)
            if metric is None:
                complaints.add("unknown_metric", code[:64])
            elif type(value) is float and metric.low <= value <= metric.high:
                found.append(Reading(device_key, metric.id, time, value, flags))
            else:
                number = _as_number(code, value, binary=metric.unit == "0/1", complaints=complaints)
                if number is None:
                    continue
                if not metric.low <= number <= metric.high:
                    complaints.add("out_of_range", f"{code}={number:g}")
                else:
                    found.append(Reading(device_key, metric.id, time, number, flags))
    return found


def _as_number(code: str, value: Any, *, binary: bool, complaints: Complaints) -> float | None:
    if isinstance(value, bool) and not binary:
        complaints.add("wrong_type", code[:64])
        return None
    if not isinstance(value, int | float):
        complaints.add("wrong_type", code[:64])
        return None
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        complaints.add("not_finite", code[:64])
        return None
    return number


def event_of(device_key: int, message: EventMessage, now: float) -> Event:
    """An event. Raises Rejected."""
    if not 1 <= len(message.id) <= EVENT_ID_CHARS_MAX or "\x00" in message.id:
        raise Rejected("out_of_range", f"id has 1 to {EVENT_ID_CHARS_MAX} characters")
    if message.type not in EVENT_TYPES:
        raise Rejected("unknown_event", message.type[:64])
    try:
        size = len(msgspec.json.encode(message.data))
    except (RecursionError, ValueError) as error:
        raise Rejected("oversized", "data is nested too deeply") from error
    if size > EVENT_DATA_BYTES_MAX:
        raise Rejected("oversized", f"data has {size} bytes; {EVENT_DATA_BYTES_MAX} are allowed")
    time, flags = settle_time(message.t, now)
    return Event(device_key, message.id, time, message.type, message.data, flags)


def status_of(device_key: int, message: StatusMessage, now: float) -> Status:
    """A status; battery and signal outside what is possible are left out."""
    time, _ = settle_time(message.t, now)
    return Status(
        device_key,
        message.online,
        time,
        seq=message.seq if message.seq is None or abs(message.seq) < 2**62 else None,
        battery=_within(message.battery, 0, 100),
        rssi=_within(message.rssi, -200, 20),
        firmware=message.fw[:64].replace("\x00", "") if message.fw else None,
    )


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None


def window_of(device_key: int, message: MotionMessage, now: float) -> MotionWindow:
    """A motion window as int16 counts. Raises Rejected."""
    if not MOTION_HZ_MIN <= message.hz <= MOTION_HZ_MAX:
        raise Rejected("out_of_range", f"hz={message.hz:g}")
    if isinstance(message.acc, bytes | bytearray):
        counts, scale = _counts_from_bytes(bytes(message.acc), message.scale)
    else:
        counts, scale = _counts_from_list(message.acc, message.unit)
    time, flags = settle_time(message.t0, now)
    return MotionWindow(device_key, time, message.hz, scale, counts, flags)


def _counts_from_bytes(raw: bytes, scale: float | None) -> tuple[bytes, float]:
    if scale is None:
        raise Rejected("missing_field", "scale")
    if not 0 < scale * 32_768 <= ACCELERATION_G_MAX * 4:
        raise Rejected("out_of_range", f"scale={scale:g}")
    if not raw or len(raw) % 6:
        raise Rejected("wrong_type", "acc holds int16 triples")
    if len(raw) // 6 > MOTION_SAMPLES_MAX:
        raise Rejected("oversized", f"{len(raw) // 6} samples; {MOTION_SAMPLES_MAX} are allowed")
    return raw, scale


def _counts_from_list(acc: Any, unit: str) -> tuple[bytes, float]:
    if unit not in _UNITS_IN_G:
        raise Rejected("out_of_range", f"unit={unit[:16]}")
    if not isinstance(acc, list) or not acc:
        raise Rejected("wrong_type", "acc is a list of [x, y, z]")
    if len(acc) > MOTION_SAMPLES_MAX:
        raise Rejected("oversized", f"{len(acc)} samples; {MOTION_SAMPLES_MAX} are allowed")
    try:
        samples = np.array(acc, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise Rejected("wrong_type", "acc is a list of [x, y, z]") from error
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise Rejected("wrong_type", "acc is a list of [x, y, z]")
    samples *= _UNITS_IN_G[unit]
    if not np.isfinite(samples).all():
        raise Rejected("not_finite", "acc")
    peak = float(np.abs(samples).max())
    if peak > ACCELERATION_G_MAX:
        raise Rejected("out_of_range", f"acc of {peak:.0f} g")
    scale = max(_COUNT_G, peak / 32_767)
    return np.rint(samples / scale).astype("<i2").tobytes(), scale
