"""The watch over devices: the directory and readings enter, findings of silence, batteries and lines leave.

Interval, limits and groups come from the registry and the models (`devices.models`); when each sensor was last sampled
comes from the database, so that a memory that was lost loses no silence.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alerts.detectors.base import Batch, Detector, Finding
from alerts.detectors.battery import BATTERY, BatteryDetector
from alerts.detectors.flatline import FlatlineDetector
from alerts.detectors.outage import OutageDetector
from alerts.detectors.sensors import SensorDetector
from alerts.detectors.silence import SilenceDetector
from core.metrics import BY_CODE
from devices import models

JITTER_SHARE = 0.02
"""Devices that fell quiet together are called silent one after another, by so much of their interval."""


@dataclass(slots=True)
class DeviceWatch:
    """The detectors whose subject is a device."""

    silence: SilenceDetector = field(default_factory=SilenceDetector)
    sensors: SensorDetector = field(default_factory=SensorDetector)
    battery: BatteryDetector = field(default_factory=BatteryDetector)
    flatline: FlatlineDetector = field(default_factory=FlatlineDetector)
    outage: OutageDetector = field(default_factory=OutageDetector)
    _levels: list[tuple[int, float, float]] = field(default_factory=list)

    def by_name(self) -> dict[str, Detector]:
        return {one.name: one for one in (self.silence, self.sensors, self.battery, self.flatline, self.outage)}

    def consume(self, device: Any, metric: Any, time: Any, value: Any, received: float) -> list[Finding]:
        """Show one row of the feed; a device with a wrong clock is heard all the same, by the time of receipt."""
        keys = device.astype(np.int64)
        heard = Batch(keys, metric, np.full(len(keys), received), value)
        told = Batch(keys, metric, time, value)
        found = self.outage.consume(heard) + self.silence.consume(heard) + self.sensors.consume(heard)
        return found + self.battery.consume(told) + self.flatline.consume(told)

    def tick(self, now: float, *, listening: bool) -> list[Finding]:
        """Lines first: what they explain is then held back."""
        found = self.outage.tick(now, listening=listening) + self.silence.tick(now, listening=listening)
        if listening:
            found += self.sensors.tick(now)
        return found + self._status_levels()

    def register(
        self, devices: Mapping[int, dict[str, Any]], sensor_times: Sequence[dict[str, Any]], heard_in_time: float
    ) -> None:
        """Take over who is in service, and when it was last heard.

        devices: rows of `alerts.watched_devices` by key. sensor_times: rows of `alerts.sensor_times`.
        heard_in_time: Unix seconds; a status older than that says nothing about a battery now.
        """
        times = {(row["device_key"], row["metric"]): row["received"] for row in sensor_times}
        wanted: set[tuple[int, int]] = set()
        self._levels.clear()
        for key, row in devices.items():
            bound = row["bound_from"]
            since = (max(bound, row["created_at"]) if bound else row["created_at"]).timestamp()
            heard = row["last_sample"].timestamp() if row["last_sample"] else None
            interval = float(row["supervision_seconds"]) if bound else 0.0
            self.silence.register(key, spread(key, interval), since, heard)
            self._register_line(key, row, interval)
            model = models.find(row["model"], row["kind"])
            if bound:
                wanted |= self._register_sensors(key, model, since, times)
            if bound and model.battery is not None:
                self.battery.register(key, model.battery.low, model.battery.critical, model.battery.back)
                told = row["status_time"].timestamp() if row["status_time"] else -np.inf
                if row["battery"] is not None and row["online"] and told > heard_in_time:
                    self._levels.append((key, told, row["battery"]))
        # Asked of the detector: a checkpoint may hold what has ended since.
        for key, metric in self.sensors.supervised() - wanted:
            self.sensors.register(key, metric, 0.0, 0.0)

    def _register_line(self, key: int, row: Mapping[str, Any], interval: float) -> None:
        gateway = row["gateway_key"] if row["gateway_key"] is not None else key if row["kind"] == "gateway" else -1
        lately = max((one.timestamp() for one in (row["last_sample"], row["last_seen"]) if one), default=None)
        offline = not row["online"] and row["status_time"] is not None
        self.outage.register(
            key, interval, site=row["site_key"], gateway=gateway, heard=lately, offline=offline
        )  # fmt: skip

    def _register_sensors(
        self, key: int, model: models.Model, since: float, times: Mapping[tuple[int, int], float]
    ) -> set[tuple[int, int]]:
        """Only sensors that the device has ever shown are missed: few makes have everything their kind may have."""
        found = set()
        for sensor in model.sensors:
            metric = BY_CODE[sensor.metric].id
            heard = times.get((key, metric))
            if sensor.supervision is None or (heard is None and not model.matches):
                continue
            self.sensors.register(key, metric, spread(key, float(sensor.supervision)), since, heard)
            found.add((key, metric))
        return found

    def _status_levels(self) -> list[Finding]:
        """What the status messages said of batteries; the detector passes over what it knows already."""
        if not self._levels:
            return []
        device, time, value = zip(*self._levels, strict=True)
        self._levels.clear()
        metric = np.full(len(device), BATTERY, np.int16)
        return self.battery.consume(Batch(np.array(device), metric, np.array(time), np.array(value, np.float64)))


def spread(device_key: int, interval: float) -> float:
    """The interval, longer by up to 2 % as the device's key has it: a power cut must not ring in one second."""
    return interval * (1 + JITTER_SHARE * (zlib.crc32(device_key.to_bytes(8, "little")) % 1000) / 1000)
