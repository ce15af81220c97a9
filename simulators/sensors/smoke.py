"""Smoke detector: that there is no smoke, and how its battery is."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.sensors.base import Entry, Sensor


class Smoke(Sensor):
    kind = "smoke"
    report_seconds = 900.0
    battery_days = 1100.0

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:  # noqa: ARG002 -- the signature is that of every sensor
        times = self.grid(start, end, self.report_seconds, 1.0).tolist()
        return [Entry(time, "telemetry", {"smoke": 0, "battery": round(self.battery(time))}) for time in times]

    def first(self, time: float) -> dict[str, Any]:
        return {"smoke": 0, "battery": round(self.battery(time))}
