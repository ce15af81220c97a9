"""Bed sensor: occupied or not, with breathing and heart rate while someone lies in it; leaving and returning."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.sensors.base import Entry, Sensor
from simulators.world import IN_BED, SLOT_SECONDS


class Bed(Sensor):
    kind = "bed"
    battery_days = 365.0

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        times = self.grid(start, end, self.report_seconds, 1.0)
        occupied = self.life.in_bed(times)
        breaths = np.round(self.life.resp_rate(times, rng)).astype(int)
        rates = np.round(self.life.heart_rate(times, rng)).astype(int)
        return [
            Entry(time, "telemetry", {"bed": 1, "resp_rate": breath, "heart_rate": rate} if lies else {"bed": 0})
            for time, lies, breath, rate in zip(
                times.tolist(), occupied.tolist(), breaths.tolist(), rates.tolist(), strict=True
            )
        ]

    def first(self, time: float) -> dict[str, Any]:
        return {"bed": int(self.life.in_bed(np.array([time]))[0])}

    def happenings(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        entries = []
        for border, before, after in self.life.transitions(start, end):
            if (before in IN_BED) == (after in IN_BED):
                continue
            time = border + rng.uniform(0.0, SLOT_SECONDS - 1.0)
            back = after in IN_BED
            entries.append(Entry(time, "event", ("bed_return" if back else "bed_exit", {})))
            entries.append(Entry(time + 0.2, "telemetry", {"bed": int(back)}))
        return entries
