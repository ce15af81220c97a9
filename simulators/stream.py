"""The wire as devices fill it: a world, a start and a duration enter, timed MQTT messages in order leave, lazily.

Memory holds one hour of entries per device, whatever the duration. Same world, options and times: same bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import BadInput
from simulators import wire
from simulators.faults import NO_FAULTS, Faults, Message, Stamp, apply, device_stamp
from simulators.provisioning import SimulatedDevice
from simulators.sensors import make_sensor
from simulators.sensors.base import BLOCK_SECONDS, Entry, Sensor, SensorOptions, Window
from simulators.world import EpisodeKind, Life, World

Encoding = Literal["json", "senml-json", "senml-cbor"]
ENCODINGS: tuple[Encoding, ...] = ("json", "senml-json", "senml-cbor")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How the stream is written. kinds: only these device kinds, all when None."""

    sensors: SensorOptions = field(default_factory=SensorOptions)
    telemetry: Encoding = "json"
    motion: Literal["cbor", "json"] = "cbor"
    kinds: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.telemetry not in ENCODINGS:
            raise BadInput(f"telemetry must be one of {', '.join(ENCODINGS)}, got {self.telemetry!r}")
        if self.motion not in ("cbor", "json"):
            raise BadInput(f"motion must be cbor or json, got {self.motion!r}")


DEFAULT_OPTIONS = StreamOptions()


def stream(
    world: World,
    start: float,
    seconds: float | None = None,
    *,
    options: StreamOptions = DEFAULT_OPTIONS,
    faults: Faults = NO_FAULTS,
    stamp: Stamp | None = None,
) -> Iterator[Message]:
    """Messages of all devices with `start` <= time < `start + seconds`; for ever when `seconds` is None.

    `stamp` turns simulated time into what a correct device clock shows (itself when None). Held-back messages may
    leave after the end. Sequence numbers count from 0 per device and channel, as after a restart of the device.
    """
    end = float("inf") if seconds is None else start + seconds
    parts = []
    for resident in world.residents:
        life = world.life(resident)
        for device in resident.devices:
            if options.kinds is None or device.kind in options.kinds:
                shown = device_stamp(faults, world.seed, device.id, start, stamp)
                sensor = make_sensor(device, life, options.sensors)
                parts.append(_DeviceStream(world, sensor, device, options, shown).messages(start, end))
    return apply(heapq.merge(*parts), faults, world.seed)


class _DeviceStream:
    """One device: entries enter, numbered and stamped messages leave."""

    def __init__(
        self, world: World, sensor: Sensor, device: SimulatedDevice, options: StreamOptions, stamp: Stamp
    ) -> None:
        self._sensor = sensor
        self._device = device.id
        self._options = options
        self._stamp = stamp
        self._pack_size = options.sensors.pack
        self._waiting: list[tuple[float, dict[str, Any]]] = []
        self._sequences = {"telemetry": 0, "status": 0}
        self._topics = {c: wire.topic(world.site, device.id, c) for c in ("telemetry", "event", "motion", "status")}
        self._muted = _silences(sensor.life, device)

    def messages(self, start: float, end: float) -> Iterator[Message]:
        block = (start // BLOCK_SECONDS) * BLOCK_SECONDS
        boot = self._sensor.boot(start)
        time = start
        while block < end:
            for entry in self._sensor.entries(block):
                while boot and entry.time >= boot[0].time:
                    yield from self._say(boot.pop(0), end)
                if entry.time >= start:
                    time = entry.time
                    yield from self._say(entry, end)
            block += BLOCK_SECONDS
        if self._waiting:
            yield self._telemetry(min(time, end))

    def _say(self, entry: Entry, end: float) -> Iterator[Message]:
        time, channel, content = entry
        if time >= end or any(first <= time < last for first, last in self._muted):
            return
        if channel == "telemetry":
            self._waiting.append((self._stamp(time), content))
            if len(self._waiting) >= self._pack_size:
                yield self._telemetry(time)
        elif channel == "event":
            kind, data = content
            # From true time, so that a wrong clock cannot make two events look like one.
            identifier = f"{kind}-{round(time * 1000)}"
            payload = wire.event(identifier, self._stamp(time), kind, data)
            yield Message(time, self._device, self._topics[channel], payload, wire.QOS, retain=False)
        elif channel == "motion":
            yield Message(time, self._device, self._topics[channel], self._motion(content), wire.QOS, retain=False)
        else:
            payload = wire.status(self._stamp(time), self._number("status"), **content)
            yield Message(time, self._device, self._topics[channel], payload, wire.QOS, retain=True)

    def _telemetry(self, time: float) -> Message:
        instants, self._waiting = self._waiting, []
        encoding = self._options.telemetry
        if encoding == "senml-json":
            payload = wire.senml_json(instants)
        elif encoding == "senml-cbor":
            payload = wire.senml_cbor(instants)
        elif self._pack_size == 1:
            payload = wire.telemetry(instants[0][0], self._number("telemetry"), instants[0][1])
        else:
            payload = wire.pack(self._number("telemetry"), instants)
        return Message(time, self._device, self._topics["telemetry"], payload, wire.QOS, retain=False)

    def _motion(self, window: Window) -> bytes:
        # Samples keep their true spacing however fast the simulated clock is shown to run: the burst ends on time.
        t0 = self._stamp(window.anchor) - (window.anchor - window.t0)
        encode = wire.motion_cbor if self._options.motion == "cbor" else wire.motion_json
        return encode(t0, window.hz, window.counts, window.scale)

    def _number(self, channel: str) -> int:
        number = self._sequences[channel]
        self._sequences[channel] = number + 1
        return number


def _silences(life: Life, device: SimulatedDevice) -> list[tuple[float, float]]:
    """When the device says nothing at all."""
    if device.kind != "wristband":
        return []
    return [(e.start, e.end) for e in life.episodes if e.kind is EpisodeKind.SILENT]
