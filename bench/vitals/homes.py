"""Daily vitals of recorded homes enter, alert rates and the fate of injected changes leave.

The production baseline, drift and fever detectors are shown each home's readings day by day, once as they are and once
with a lasting change from one day on. A change is seen if its alert comes within two weeks and does not come without
the change. Nothing is chosen here.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from alerts.detectors.base import Batch, Finding
from alerts.detectors.baseline import PersonalBaseline
from alerts.detectors.drift import DailyDrift
from alerts.detectors.fever import FeverDetector
from cli.recorded_homes import DAY_SECONDS, PHYSIOLOGY, read_physiology
from core.metrics import BY_CODE

WITHIN_DAYS = 14
KNOWN_DAYS = 28
"""A home's days with the metric before the change."""
CHANGES: Final = (
    ("bp_sys", 15.0), ("bp_sys", 25.0), ("weight", 1.5), ("weight", 3.0), ("body_temp", 0.5), ("body_temp", 1.1),
)  # fmt: skip


class Told(NamedTuple):
    """One alert."""

    home: int
    day: int
    type: str


def read(data: Path) -> Batch:
    """All homes' readings in order of time, the home's number as the subject. Raises BadInput for bad files."""
    rows = [row for row in read_physiology(data / PHYSIOLOGY) if row.metric >= 0]
    number = {name: i for i, name in enumerate(sorted({row.home for row in rows}))}
    rows.sort(key=lambda row: row.time)
    return Batch(
        np.array([number[row.home] for row in rows]),
        np.array([row.metric for row in rows], np.int16),
        np.array([row.time for row in rows]),
        np.array([row.value for row in rows]),
    )


def live_through(readings: Batch) -> list[Told]:
    """What is raised, day by day."""
    detectors = (PersonalBaseline(0), DailyDrift(0), FeverDetector())
    day = (readings.time // DAY_SECONDS).astype(int)
    told: list[Told] = []
    for one in range(int(day[0]), int(day[-1]) + 2):
        batch = Batch(*(part[day == one] for part in readings))
        found: list[Finding] = []
        for detector in detectors:
            found += detector.consume(batch) + detector.tick(float((one + 1) * DAY_SECONDS))
        told += [Told(f.subject, one, f.type) for f in found if f.phase == "raised"]
    return told


def changed(readings: Batch, code: str, by: float) -> tuple[Batch, dict[int, int]]:
    """The readings with every home's metric higher by `by` from one of its days on; the day by home."""
    metric, value = BY_CODE[code].id, readings.value.copy()
    day = (readings.time // DAY_SECONDS).astype(int)
    begins = {}
    for home in np.unique(readings.subject):
        mine = (readings.subject == home) & (readings.metric == metric)
        days = np.unique(day[mine])
        if len(days) >= KNOWN_DAYS + WITHIN_DAYS // 2:
            begins[int(home)] = int(days[KNOWN_DAYS])
            value[mine & (day >= days[KNOWN_DAYS])] += by
    return readings._replace(value=value), begins


def seen(before: list[Told], after: list[Told], begins: dict[int, int], code: str) -> list[int | None]:
    """Days until the change of each home was told, None where it was not or would have been anyway."""
    kinds = {f"{code}_rising", f"{code}_unusual"} | ({"fever"} if code == "body_temp" else set())
    delays: list[int | None] = []
    for home, begin in begins.items():
        window = [{t.day for t in told if t.home == home and t.type in kinds and 0 <= t.day - begin < WITHIN_DAYS}
                  for told in (before, after)]  # fmt: skip
        fresh = window[1] - window[0]
        delays.append(min(fresh) - begin if fresh and not window[0] else None)
    return delays


def figures(data: Path) -> dict[str, Any]:
    """Alerts a home-day by type, and the share of injected changes that are seen, with 95 % Wilson intervals."""
    readings = read(data)
    days = len(np.unique(readings.subject * 10**6 + (readings.time // DAY_SECONDS).astype(int)))
    told = live_through(readings)
    out: dict[str, Any] = {
        "homes": len(np.unique(readings.subject)),
        "home_days_with_readings": days,
        "alerts": {kind: [n, round(n / days, 4)] for kind, n in sorted(Counter(t.type for t in told).items())},
        "changes": {},
    }
    for code, by in CHANGES:
        other, begins = changed(readings, code, by)
        delays = seen(told, live_through(other), begins, code)
        known = [delay for delay in delays if delay is not None]
        out["changes"][f"{code} +{by:g}"] = {
            "homes": len(delays),
            "seen": wilson(len(known), len(delays)),
            "median_days": float(np.median(known)) if known else None,
        }
    return out


def wilson(k: int, n: int) -> list[float]:
    """Share and its 95 % interval."""
    if not n:
        return [0.0, 0.0, 1.0]
    z, share = 1.96, k / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [round(x, 3) for x in (share, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))]
