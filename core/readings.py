"""What ingest makes of messages: frozen readings, events, motion windows, statuses and rejections."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any


class Flag(IntFlag):
    """Doubts about a reading, stored with it; 0 means none."""

    CLOCK = 1
    """The device's time was out of bounds; the receive time stands in its place."""
    REPLAYED = 2
    """The same number and values once more under a fresh time: likely a gateway's cache."""
    SIMULATED = 4
    """Made by a simulator."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric of one device at one time."""

    device_key: int
    metric: int
    time: float
    value: float
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once, told by a device on the emergency lane."""

    device_key: int
    event_id: str
    time: float
    type: str
    data: dict[str, Any] = field(default_factory=dict)
    flags: int = 0


@dataclass(frozen=True, slots=True)
class MotionWindow:
    """Accelerometer samples of one device: little-endian int16, shape (n, 3), `scale` g per count."""

    device_key: int
    t0: float
    hz: float
    scale: float
    counts: bytes
    flags: int = 0

    @property
    def samples(self) -> int:
        return len(self.counts) // 6


@dataclass(frozen=True, slots=True)
class Status:
    """What a device or the broker on its behalf (last will) says of the device itself."""

    device_key: int
    online: bool
    time: float
    time_given: bool = True
    seq: int | None = None
    battery: float | None = None
    rssi: float | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Input that could not be used, kept with its reason so that nothing vanishes."""

    reason: str
    detail: str
    topic: str
    payload: bytes
    received: float
    site: str | None = None
    device: str | None = None
