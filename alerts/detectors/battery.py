"""Batteries: levels in % enter, `battery_low` raised, raised again as critical, and cleared leave.

low when two readings in a row are at the device's low limit or below, critical when one is at the critical limit (it
may be the last). Over when a reading is `back` above the low limit: only a charge or a new cell does that. A value
that no longer comes clears nothing. The days left are the level over its mean fall since the last charge.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

import numpy as np

from alerts.detectors.base import Batch, Finding, Keyed, rounds, usable
from alerts.detectors.parameters import BATTERY_DAYS_MIN, BATTERY_FULL_STEP, BATTERY_READINGS
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity

BATTERY: Final = BY_CODE["battery"].id
LOW, CRITICAL = 1, 2
_DAY: Final = 86_400.0
_SEVERITIES: Final = (Severity.LOW, Severity.LOW, Severity.MEDIUM)


class BatteryDetector(Keyed):
    """The battery of every registered device, each with the limits of its model."""

    name = "battery"
    version = "1"
    keys = "device"
    fields: ClassVar = {
        "low": ((), np.nan, np.float64),
        "critical": ((), np.nan, np.float64),
        "back": ((), np.nan, np.float64),
        "time": ((), -np.inf, np.float64),
        "value": ((), np.nan, np.float64),
        "run": ((), 0, np.int16),
        "top": ((), np.nan, np.float64),
        "top_time": ((), np.nan, np.float64),
        "rank": ((), 0, np.int8),
    }

    def register(self, device_key: int, low: float, critical: float, back: float) -> None:
        """Watch a device's battery, or change its limits, in %. Raises BadInput unless 0 <= critical <= low <= 100."""
        if device_key < 0 or not (0 <= critical <= low <= 100 and 0 < back <= 100):
            raise BadInput(f"limits of the battery of device {device_key} must rise: {critical}, {low}, back {back}")
        (row,) = self._row(np.array([device_key]))
        self._s["low"][row], self._s["critical"][row], self._s["back"][row] = low, critical, min(back, 100 - low)

    def consume(self, batch: Batch) -> list[Finding]:
        """Judge each device's levels in the order of their time; what is not newer than its newest is left out."""
        batch = usable(batch)
        mine = batch.metric == BATTERY
        slot, time, value = self._rows.find(batch.subject[mine]), batch.time[mine], batch.value[mine]
        slot, time, value = slot[slot >= 0], time[slot >= 0], value[slot >= 0]
        findings: list[Finding] = []
        for chosen in rounds(slot, time, value):
            findings += self._judge(slot[chosen], time[chosen], value[chosen])
        return findings

    def days_left(self, device_key: int) -> float | None:
        """Until the battery is empty, at its mean pace since the last charge; None where too little is known."""
        (row,) = self._rows.find(np.array([device_key]))
        return None if row < 0 else self._days(int(row))

    def _judge(self, row: Any, time: Any, value: Any) -> list[Finding]:
        s = self._s
        newer = time > s["time"][row]
        row, time, value = row[newer], time[newer], value[newer]
        charged = ~(value < s["value"][row] + BATTERY_FULL_STEP.value) | np.isnan(s["top"][row])
        s["top"][row] = np.where(charged, value, s["top"][row])
        s["top_time"][row] = np.where(charged, time, s["top_time"][row])
        s["time"][row], s["value"][row] = time, value
        s["run"][row] = np.where(value <= s["low"][row], np.minimum(s["run"][row] + 1, 1000), 0)
        rank = np.where(s["run"][row] >= BATTERY_READINGS.value, LOW, 0)
        rank = np.where(value <= s["critical"][row], CRITICAL, rank)
        worse = rank > s["rank"][row]
        over = (s["rank"][row] > 0) & (value >= s["low"][row] + s["back"][row])
        s["rank"][row[worse]] = rank[worse]
        findings = [self._finding(int(one), "raised") for one in row[worse]]
        findings += [self._finding(int(one), "cleared") for one in row[over]]
        s["rank"][row[over]] = 0
        return findings

    def _days(self, row: int) -> float | None:
        s = self._s
        days = float(s["time"][row] - s["top_time"][row]) / _DAY
        fallen = float(s["top"][row] - s["value"][row])
        if not days >= BATTERY_DAYS_MIN.value or fallen <= 0:
            return None
        return float(s["value"][row]) / (fallen / days)

    def _finding(self, row: int, phase: Literal["raised", "cleared"]) -> Finding:
        s = self._s
        rank, value = int(s["rank"][row]), float(s["value"][row])
        limit = float(s["critical" if rank == CRITICAL else "low"][row])
        days = self._days(row)
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="battery_low",
            time=float(s["time"][row]),
            score=0.0 if phase == "cleared" else min(1.0, max(0.0, 1 - value / 100)),
            severity=_SEVERITIES[rank],
            phase=phase,
            evidence={
                "value": value,
                "limit": limit,
                "unit": "%",
                "days_left": None if days is None else round(days, 1),
                "rule": f"at or below {limit:g} %" + (", critical" if rank == CRITICAL else ", twice in a row"),
            },
        )
