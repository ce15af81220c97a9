"""Motion sensor of a room: counts of detections, every five minutes."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.sensors.base import Entry, Sensor


class Pir(Sensor):
    kind = "pir"
    battery_days = 700.0

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        times = self.grid(start, end, self.report_seconds, 1.0)
        if not len(times):
            return []
        # What was going on in each of the five minutes before the report, within this hour.
        minutes = np.maximum(times[:, None] - np.arange(5) * 60.0, start)
        expected = self.life.pir_per_minute(minutes.ravel()).reshape(minutes.shape).sum(axis=1)
        counts = rng.poisson(expected)
        return [
            Entry(time, "telemetry", {"motion": count})
            for time, count in zip(times.tolist(), counts.tolist(), strict=True)
        ]

    def first(self, time: float) -> dict[str, Any]:  # noqa: ARG002 -- the signature is that of every sensor
        return {"motion": 0}  # counted from now on
