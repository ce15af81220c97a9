"""Firings of recorded homes enter, false alarms and delays of simulated collapses leave.

The production detectors are fed every five minutes, as the platform does. A collapse is all activity cut at a random
time at which somebody was at home: not within a pause of over 12 h, nor in one of over 1 h that began within 5 min of
the way out. It is looked for during 72 h, and counts as 72 h in the mean where it is missed.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from alerts.detectors.base import Batch
from alerts.detectors.inactivity import InactivityDetector
from alerts.detectors.night import NightDetector
from cli.evaluate_routine import _DOOR, _LOCATIONS, _MOTION, ACTIVITY, _activity

STEP_SECONDS, DAY_SECONDS = 300.0, 86_400.0
WARM_UP_DAYS, LEAST_DAYS = 7, 15
LONGEST_SECONDS = 72 * 3600.0


class Home:
    """One home's firings (n,): seconds in order, and whether each was of a way out."""

    def __init__(self, time: np.ndarray, out: np.ndarray) -> None:
        self.time, self.out = time, out

    @property
    def judged_days(self) -> float:
        return float(self.time[-1] - self.time[0]) / DAY_SECONDS - WARM_UP_DAYS

    def batch(self, first: int, last: int) -> Batch:
        metric = np.where(self.out[first:last], _DOOR, _MOTION).astype(np.int16)
        return Batch(np.zeros(last - first, np.int64), metric, self.time[first:last], np.ones(last - first))


def homes_of(data: Path, *, front_only: bool) -> list[Home]:
    """Homes with at least 15 days; other doors count as movement with `front_only`, else as ways out."""
    homes = []
    front = _LOCATIONS.index("front-door")
    for _, of_home in groupby(sorted(_activity(data / ACTIVITY)), key=lambda row: row.home):
        rows = [row for row in of_home if row.metric >= 0]
        if not rows or rows[-1].time - rows[0].time < LEAST_DAYS * DAY_SECONDS:
            continue
        out = [row.sensor == front if front_only else row.metric == _DOOR for row in rows]
        homes.append(Home(np.array([row.time for row in rows]), np.array(out)))
    return homes


def cuts(home: Home, n: int, rng: np.random.Generator) -> np.ndarray:
    """Up to n moments, in order, at which somebody was at home."""
    time = home.time
    at = rng.uniform(time[0] + (WARM_UP_DAYS + 1) * DAY_SECONDS, time[-1], n * 4)
    last = np.searchsorted(time, at, side="right") - 1
    pause = time[np.minimum(last + 1, len(time) - 1)] - time[last]
    doors = np.append(-np.inf, time[home.out])
    since_door = time[last] - doors[np.searchsorted(doors, time[last], side="right") - 1]
    away = (pause > 12 * 3600) | ((since_door <= 300) & (pause > 3600))
    return np.sort(at[~away][:n])


def run(home: Home, collapses: np.ndarray) -> tuple[Counter[str], list[float | None], int]:
    """Alarms raised after the warm-up by type; each collapse's delay in hours or None; how many came amid an alarm."""
    still, night = InactivityDetector(0), NightDetector(0)
    alarms: Counter[str] = Counter()
    delays: list[float | None] = []
    amid = fed = cut = 0
    now = float(np.ceil(home.time[0] / STEP_SECONDS) * STEP_SECONDS)
    while now < home.time[-1]:
        while cut < len(collapses) and collapses[cut] <= now:
            delay = _delay(still, home, fed, float(collapses[cut]), now)
            amid += delay == -1
            delays += [] if delay == -1 else [delay]
            cut += 1
        until = int(np.searchsorted(home.time, now, side="right"))
        found = []
        if until > fed:
            batch = home.batch(fed, until)
            found, fed = still.consume(batch) + night.consume(batch), until
        for finding in found + still.tick(now) + night.tick(now):
            if finding.phase == "raised" and now > home.time[0] + WARM_UP_DAYS * DAY_SECONDS:
                alarms[finding.type] += 1
        now += STEP_SECONDS
    return alarms, delays, amid


def _delay(detector: InactivityDetector, home: Home, fed: int, cut: float, now: float) -> float | None:
    """Hours from `cut` to `inactivity` in a copy of the detector; None if missed, -1 if one is raised already."""
    copy = InactivityDetector(0)
    copy.restore(detector.state())
    until = int(np.searchsorted(home.time, cut, side="right"))
    if until > fed:
        copy.consume(home.batch(fed, until))
    if copy.state()["raised"][:, 0].any():
        return -1.0
    while now <= cut + LONGEST_SECONDS:
        if any(f.type == "inactivity" and f.phase == "raised" for f in copy.tick(now)):
            return (now - cut) / 3600
        now += STEP_SECONDS
    return None


def figures(homes: list[Home], seed: int, collapses: int) -> dict[str, Any]:
    """False alarms a resident-day, and the delay of simulated collapses in hours."""
    rng = np.random.default_rng(seed)
    alarms: Counter[str] = Counter()
    delays: list[float | None] = []
    amid = 0
    for home in homes:
        raised, late, begun = run(home, cuts(home, collapses, rng))
        alarms, delays, amid = alarms + raised, delays + late, amid + begun
    judged = sum(home.judged_days for home in homes)
    hours = np.array([LONGEST_SECONDS / 3600 if delay is None else delay for delay in delays])
    out: dict[str, Any] = {
        "homes": len(homes),
        "resident_days": round(judged),
        "alarms": {kind: [n, round(n / judged, 4)] for kind, n in sorted(alarms.items())},
        "collapses": len(delays),
        "collapses_amid_an_alarm_left_out": amid,
        "missed_within_72_h": sum(delay is None for delay in delays),
    }
    if len(hours):
        quantiles = np.percentile(hours, [50, 90, 100])
        out["delay_hours"] = {"mean": round(float(hours.mean()), 2)}
        out["delay_hours"] |= {
            k: round(float(v), 2) for k, v in zip(("median", "p90", "longest"), quantiles, strict=True)
        }
    return out
