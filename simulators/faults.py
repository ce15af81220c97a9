"""What goes wrong on the way: a clean stream and probabilities enter, the stream as a platform gets it leaves.

Every decision is drawn from the device's own keyed generator, so a seed replays a failure. Each message that was
touched says so in `fault`; that word is truth for tests and is never published.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from core.errors import BadInput
from simulators import wire
from simulators.rng import keyed, keyed_uniform

_HOUR = 3600.0
KEEPALIVE_SECONDS = 90.0


class Message(NamedTuple):
    """One publication. `time` is when it leaves the device, Unix seconds; order of messages is order of these tuples.

    fault: "" for an untouched one, else "duplicate", "delayed", "offline" (held back or said while the connection
    was lost) or "corrupt".
    """

    time: float
    device: str
    topic: str
    payload: bytes
    qos: int
    retain: bool
    fault: str = ""

    @property
    def channel(self) -> str:
        return self.topic.split("/", 4)[4]


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities of what goes wrong; all 0 by default.

    disconnect_per_hour: that a device loses its connection within an hour; it keeps its messages, sends them all on
    return, and its last will is published in between. duplicate, delay, lost, corrupt: per message.
    clock_step_per_hour: that a device's clock is wrong for an hour by up to clock_step_seconds_max either way.
    clock_drift_ppm_max: how fast or slow a clock may run. Events are neither lost nor corrupted unless `events` says
    so, so that a scenario's labels hold.
    """

    disconnect_per_hour: float = 0.0
    disconnect_seconds_max: float = 600.0
    duplicate: float = 0.0
    delay: float = 0.0
    delay_seconds_max: float = 30.0
    lost: float = 0.0
    corrupt: float = 0.0
    clock_drift_ppm_max: float = 0.0
    clock_step_per_hour: float = 0.0
    clock_step_seconds_max: float = 3600.0
    events: bool = False

    def __post_init__(self) -> None:
        for name in ("disconnect_per_hour", "duplicate", "delay", "lost", "corrupt", "clock_step_per_hour"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise BadInput(f"{name} is a probability between 0 and 1, got {getattr(self, name)}")
        for field in fields(self):
            if field.name.endswith("_max") and not getattr(self, field.name) >= 0.0:
                raise BadInput(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if not self.disconnect_seconds_max <= _HOUR:
            raise BadInput(f"disconnect_seconds_max must be at most {_HOUR:.0f}, got {self.disconnect_seconds_max}")

    @property
    def on_the_way(self) -> bool:
        """Whether anything can happen to a message after it was made."""
        return any((self.disconnect_per_hour, self.duplicate, self.delay, self.lost, self.corrupt))


NO_FAULTS = Faults()

Stamp = Callable[[float], float]


def device_stamp(faults: Faults, seed: int, device: str, origin: float, base: Stamp | None = None) -> Stamp:
    """What this device's clock shows at a simulated time: `base` (the time itself if None), plus drift and steps."""
    if not (faults.clock_drift_ppm_max or faults.clock_step_per_hour):
        return base or float
    drift = faults.clock_drift_ppm_max * 1e-6 * (2.0 * keyed_uniform(seed, device, "drift") - 1.0)

    def stamp(t: float) -> float:
        hour = int(t // _HOUR)
        offset = (t - origin) * drift
        if keyed_uniform(seed, device, "step", hour) < faults.clock_step_per_hour:
            offset += faults.clock_step_seconds_max * (2.0 * keyed_uniform(seed, device, "jump", hour) - 1.0)
        return (base(t) if base else t) + offset

    return stamp


def apply(messages: Iterable[Message], faults: Faults, seed: int) -> Iterator[Message]:
    """The stream with faults applied, in order of time; holds back only what is delayed or offline."""
    if not faults.on_the_way:
        yield from messages
        return
    links: dict[str, _Link] = {}
    waiting: list[tuple[float, int, Message]] = []
    count = 0
    for message in messages:
        while waiting and waiting[0][0] <= message.time:
            yield heapq.heappop(waiting)[2]
        link = links.get(message.device)
        if link is None:
            link = links[message.device] = _Link(faults, seed, message.device)
        for out in link.carry(message):
            count += 1
            heapq.heappush(waiting, (out.time, count, out))
    while waiting:
        yield heapq.heappop(waiting)[2]


class _Link:
    """One device's way to the broker."""

    def __init__(self, faults: Faults, seed: int, device: str) -> None:
        self._faults = faults
        self._seed = seed
        self._device = device
        self._rng = keyed(seed, device, "faults")
        self._hour = -1
        self._current: tuple[float, float] | None = None
        self._told: float = -1.0

    def carry(self, message: Message) -> Iterator[Message]:
        faults, rng = self._faults, self._rng
        lost, corrupt, duplicate, delay, by, again = rng.random(6)
        spared = message.channel == "event" and not faults.events
        outage = self._outage(message.time)
        if lost < faults.lost and not spared:
            return
        if corrupt < faults.corrupt and not spared:
            message = message._replace(payload=_corrupted(rng, message.payload), fault="corrupt")
        if outage is not None:
            if self._told != outage[0]:
                self._told = outage[0]
                yield from self._announce(message, outage)
            message = _touched(message, outage[1] + (message.time - outage[0]) * 1e-3, "offline")
        elif delay < faults.delay:
            message = _touched(message, message.time + by * faults.delay_seconds_max, "delayed")
        yield message
        if duplicate < faults.duplicate:
            yield message._replace(time=message.time + 0.05 + 5.0 * again, fault=message.fault or "duplicate")

    def _outage(self, time: float) -> tuple[float, float] | None:
        """The loss of connection that covers this time; at most one per hour, within that hour."""
        hour = int(time // _HOUR)
        if self._hour != hour:
            self._hour, self._current = hour, self._draw_outage(hour)
        outage = self._current
        return outage if outage is not None and outage[0] <= time < outage[1] else None

    def _draw_outage(self, hour: int) -> tuple[float, float] | None:
        faults = self._faults
        if keyed_uniform(self._seed, self._device, "outage", hour) >= faults.disconnect_per_hour:
            return None
        rng = keyed(self._seed, self._device, "outage times", hour)
        length = rng.uniform(0.1, 1.0) * faults.disconnect_seconds_max
        start = hour * _HOUR + rng.uniform(0.0, _HOUR - length)
        return start, start + length

    def _announce(self, message: Message, outage: tuple[float, float]) -> Iterator[Message]:
        """The last will once the broker misses the device, unless it is back before; and its word on return."""
        topic = message.topic.rsplit(message.channel, 1)[0] + "status"
        noticed = max(outage[0] + KEEPALIVE_SECONDS * 1.5, message.time)
        if noticed < outage[1]:
            yield Message(noticed, self._device, topic, wire.last_will(), wire.QOS, retain=True, fault="offline")
            back = wire.status(outage[1], None)
            yield Message(outage[1], self._device, topic, back, wire.QOS, retain=True, fault="offline")


def _touched(message: Message, time: float, fault: str) -> Message:
    return message._replace(time=time, fault=message.fault or fault)


def _corrupted(rng: np.random.Generator, payload: bytes) -> bytes:
    """A payload of which nothing can be used, in one of the ways seen from real devices."""
    way = int(rng.integers(4))
    if way == 0:
        return payload[: max(1, len(payload) // 2)]
    if way == 1:
        # 0xFF is neither UTF-8 nor a complete CBOR item.
        return b"\xff" + rng.bytes(min(64, len(payload)))
    if way == 2:
        return b'{"t":NaN,"seq":"x","m":[1,2'
    return b""
