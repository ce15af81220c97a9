"""What every sensor shares: a life and an hour enter, the entries that the device would send in it leave.

An entry is (time, channel, content), not yet stamped, numbered or encoded; `stream` does that. Content by channel:
telemetry: {metric: value}; event: (type, data); motion: a `Window`; status: {"battery": ..., ...}.
All of a block comes from generators keyed by (seed, site, resident, sensor, hour): any start gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.limits import INSTANTS_PER_MESSAGE_MAX
from simulators.provisioning import SimulatedDevice
from simulators.rng import keyed, keyed_uniform
from simulators.sensors.base_entry import Entry as Entry
from simulators.sensors.befallen import reports
from simulators.world import Life, Times

BLOCK_SECONDS = 3600
STATUS_SECONDS = 600.0
# A device's message may be late within its block, but not leave it.
_MARGIN_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class SensorOptions:
    """How devices report. wristband_seconds: between measurements; pack: instants per telemetry message.

    motion: "falls" sends windows around a fall and now and then for brisk movement, "continuous" always, "off" never.
    """

    wristband_seconds: float = 60.0
    pack: int = 1
    motion: Literal["falls", "continuous", "off"] = "falls"

    def __post_init__(self) -> None:
        if not 1.0 <= self.wristband_seconds <= BLOCK_SECONDS:
            raise BadInput(f"wristband_seconds must be between 1 and {BLOCK_SECONDS}, got {self.wristband_seconds}")
        if not 1 <= self.pack <= INSTANTS_PER_MESSAGE_MAX:
            raise BadInput(f"pack must be between 1 and {INSTANTS_PER_MESSAGE_MAX}, got {self.pack}")
        if self.motion not in ("falls", "continuous", "off"):
            raise BadInput(f"motion must be falls, continuous or off, got {self.motion!r}")


class Window(NamedTuple):
    """Accelerometer samples: t0 Unix seconds, counts int16 (n, 3), `anchor` the end of the burst it belongs to."""

    t0: float
    anchor: float
    hz: float
    scale: float
    counts: NDArray[np.int16]


class Sensor:
    """A device of one kind in one life."""

    kind = ""
    report_seconds = 300.0
    battery_days = 400.0

    def __init__(self, device: SimulatedDevice, life: Life, options: SensorOptions) -> None:
        self.device = device
        self.life = life
        self.options = options
        self._key = (life.seed, life.resident.site, life.resident.index, device.kind)
        self._phase = keyed_uniform(*self._key, "phase")
        self._rssi = -48.0 - 24.0 * keyed_uniform(*self._key, "rssi")
        self.firmware = f"1.{int(3 * keyed_uniform(*self._key, 'firmware')) + 2}.0"

    def entries(self, start: float) -> list[Entry]:
        """All entries of the hour from `start` (a multiple of BLOCK_SECONDS), in order of time."""
        end = start + BLOCK_SECONDS
        rng = self.rng("block", int(start))
        entries = self.telemetry(start, end, rng) + self.happenings(start, end, rng)
        entries += reports(self.kind, self.life.episodes, start, end)
        for time in self.grid(start, end, STATUS_SECONDS, 0.0).tolist():
            entries.append(Entry(time, "status", self.status(time)))
        entries = [e if e.time < end else e._replace(time=end - _MARGIN_SECONDS) for e in entries]
        entries.sort(key=lambda entry: entry.time)
        return entries

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        """Regular measurements in [start, end)."""
        raise NotImplementedError

    def happenings(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:  # noqa: ARG002 -- the signature is that of every sensor
        """What the device says because something happened in [start, end)."""
        return []

    def boot(self, start: float) -> list[Entry]:
        """The first words of a device that comes up at the start of a stream; spread over a second."""
        time = start + 0.9 * self._phase
        measured = self.first(time)
        reading = [Entry(time, "telemetry", measured)] if measured else []
        return [Entry(time, "status", self.status(start)), *reading]

    def first(self, time: float) -> dict[str, Any]:  # noqa: ARG002 -- the signature is that of every sensor
        """What is measured on coming up, so that a sensor that reports each quarter of an hour is known to live."""
        return {}

    def status(self, time: float) -> dict[str, Any]:
        rssi = round(self._rssi + 3.0 * np.sin(time / 1800.0 + 6.0 * self._phase))
        return {"battery": round(self.battery(time)), "rssi": int(rssi), "fw": self.firmware}

    def battery(self, time: float) -> float:
        """%: drains from 100 to 20 over `battery_days`, then is changed or charged."""
        period = self.battery_days * 86_400.0
        return 100.0 - 80.0 * ((time / period + self._phase) % 1.0)

    def rng(self, *more: str | int) -> np.random.Generator:
        """A generator of this sensor's own."""
        return keyed(*self._key, *more)

    def grid(self, start: float, end: float, period: float, jitter: float) -> Times:
        """Regular times in [start, end) with the device's own phase, each late by up to `jitter` seconds."""
        offset = self._phase * period
        first = np.ceil((start - offset) / period)
        last = np.ceil((end - offset) / period)
        times = offset + period * np.arange(first, last, dtype=np.float64)
        if jitter:
            late = self.rng("jitter", int(start)).uniform(0.0, jitter, len(times))
            times = np.minimum(times + late, end - _MARGIN_SECONDS)
        return times
