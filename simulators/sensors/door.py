"""Door contact: open or closed, with an event each, when the resident goes out and comes home."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.sensors.base import Entry, Sensor
from simulators.world import AWAY, SLOT_SECONDS


class Door(Sensor):
    kind = "door"
    report_seconds = 900.0
    battery_days = 700.0

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:  # noqa: ARG002 -- the signature is that of every sensor
        times = self.grid(start, end, self.report_seconds, 1.0).tolist()
        return [Entry(time, "telemetry", {"door": 0}) for time in times]

    def first(self, time: float) -> dict[str, Any]:  # noqa: ARG002 -- the signature is that of every sensor
        return {"door": 0}

    def happenings(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        entries = []
        for border, before, after in self.life.transitions(start, end):
            if (before in AWAY) == (after in AWAY):
                continue
            opened = border + rng.uniform(0.0, SLOT_SECONDS / 2)
            closed = opened + rng.uniform(4.0, 12.0)
            entries += [
                Entry(opened, "event", ("door_open", {})),
                Entry(opened + 0.2, "telemetry", {"door": 1}),
                Entry(closed, "event", ("door_close", {})),
                Entry(closed + 0.2, "telemetry", {"door": 0}),
            ]
        return entries
