"""Firings of recorded homes enter, false alarms and delays of simulated collapses leave.

All homes are lived through at once, an hour of the day at the same time, and the production detectors are fed every
five minutes, as the platform does. A collapse is all activity cut at a random time at which somebody was at home: not
within a pause of over 12 h, nor in one of over 1 h that began within 5 min of the way out. From the cut on a copy of
the home's memory is told of nothing but time. It is looked for during 72 h, and counts as 72 h in the mean where it is
missed. Alarms are counted one by one and by stillness: whatever is raised until somebody stirs is one.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from alerts.detectors.base import Batch
from alerts.detectors.inactivity import STILLNESS, InactivityDetector, StillnessRule
from alerts.detectors.night import NightDetector
from cli.recorded_homes import ACTIVITY, DOOR, LOCATIONS, MOTION, read_activity

STEP_SECONDS, DAY_SECONDS = 300.0, 86_400.0
WARM_UP_DAYS, LEAST_DAYS = 7, 15
LONGEST_SECONDS = 72 * 3600.0
WAYS_OUT: Final = {
    "front_and_back_door": ("front-door", "back-door"),
    "front_door_only": ("front-door",),
    "every_contact": ("front-door", "back-door", "fridge-door"),
}
"""Which contacts are ways out, as different installations name them; the others count as movement."""


class Home(NamedTuple):
    """One home's firings (n,): seconds in order, shifted by whole days so that all homes begin on the first day."""

    name: str
    time: np.ndarray
    out: np.ndarray
    """Whether each was of a way out."""

    @property
    def judged_days(self) -> float:
        return float(self.time[-1] - self.time[0]) / DAY_SECONDS - WARM_UP_DAYS


class Outcome(NamedTuple):
    """What became of one home."""

    alarms: Counter[str]
    """Alerts opened after the warm-up, by type; one that becomes more severe stays one."""
    delays: list[float | None]
    """Hours of each collapse until the alert, None where there was none."""
    amid: list[float]
    """Times of collapses that came while an alert stood; left out of the delays."""


def homes_of(data: Path, ways_out: tuple[str, ...]) -> list[Home]:
    """Homes with at least 15 days. Raises BadInput for bad files."""
    homes = []
    doors = [LOCATIONS.index(location) for location in ways_out]
    for name, of_home in groupby(sorted(read_activity(data / ACTIVITY)), key=lambda row: row.home):
        rows = [row for row in of_home if row.metric >= 0]
        if not rows or rows[-1].time - rows[0].time < LEAST_DAYS * DAY_SECONDS:
            continue
        time = np.array([row.time for row in rows])
        homes.append(Home(name, time - time[0] // DAY_SECONDS * DAY_SECONDS, np.isin([r.sensor for r in rows], doors)))
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


class Cut(NamedTuple):
    """A collapse that is being waited for."""

    home: int
    time: float


class _Fallen:
    """Copies of homes' memories from their cuts on: nothing stirs in them any more."""

    def __init__(self, rule: StillnessRule) -> None:
        self._rule = rule
        self._detector = InactivityDetector(0, rule)
        self._cuts: list[Cut] = []
        self._waiting: set[int] = set()

    def add(self, cut: Cut, state: dict[str, np.ndarray], tail: Batch) -> bool:
        """Take in one home's row of a checkpoint and its firings before the cut; False where an alarm stands."""
        one = InactivityDetector(0, self._rule)
        one.restore(state | {"subject": np.zeros(1, np.int64)})
        one.consume(tail._replace(subject=np.zeros(len(tail.time), np.int64)))
        own, held = one.state(), self._detector.state()
        if own["raised"].any():
            return False
        own["subject"] = np.array([len(self._cuts)])
        self._detector.restore({name: np.concatenate([held[name], own[name]]) for name in held})
        self._waiting.add(len(self._cuts))
        self._cuts.append(cut)
        return True

    def tick(self, now: float) -> list[tuple[Cut, float | None]]:
        """Collapses that have been seen, with their delay in hours, and those waited for in vain."""
        if not self._waiting:
            return []
        told: list[tuple[Cut, float | None]] = []
        for finding in self._detector.tick(now):
            if finding.phase == "raised" and finding.subject in self._waiting:
                self._waiting.discard(finding.subject)
                cut = self._cuts[finding.subject]
                told.append((cut, (now - cut.time) / 3600))
        late = [number for number in self._waiting if now > self._cuts[number].time + LONGEST_SECONDS]
        self._waiting.difference_update(late)
        return told + [(self._cuts[number], None) for number in late]


def run(homes: list[Home], collapses: list[np.ndarray], rule: StillnessRule = STILLNESS) -> list[Outcome]:
    """Live through all homes at once; `collapses` are each home's cuts, in order."""
    still, night, fallen = InactivityDetector(0, rule), NightDetector(0), _Fallen(rule)
    outcomes = [Outcome(Counter(), [], []) for _ in homes]
    whole = _whole(homes)
    cut_times = sorted((float(t), i) for i, some in enumerate(collapses) for t in some)
    begin = [home.time[0] + WARM_UP_DAYS * DAY_SECONDS for home in homes]
    fed, now, last = 0, 0.0, max(home.time[-1] for home in homes) + LONGEST_SECONDS + STEP_SECONDS
    standing: set[tuple[int, str]] = set()
    while now < last:
        while cut_times and cut_times[0][0] <= now:
            at, i = cut_times.pop(0)
            before = slice(fed, int(np.searchsorted(whole.time, at, side="right")))
            mine = whole.subject[before] == i
            if not fallen.add(Cut(i, at), _row_of(still, i), Batch(*(part[before][mine] for part in whole))):
                outcomes[i].amid.append(at)
        until = int(np.searchsorted(whole.time, now, side="right"))
        found = []
        if until > fed:
            batch = Batch(*(part[fed:until] for part in whole))
            found, fed = still.consume(batch) + night.consume(batch), until
        for finding in found + still.tick(now) + night.tick(now):
            i, alert = finding.subject, (finding.subject, finding.type)
            if finding.phase == "cleared":
                standing.discard(alert)
            elif alert not in standing:
                standing.add(alert)
                outcomes[i].alarms[finding.type] += int(begin[i] < now <= homes[i].time[-1])
        for cut, delay in fallen.tick(now):
            outcomes[cut.home].delays.append(delay)
        now += STEP_SECONDS
    return outcomes


def _whole(homes: list[Home]) -> Batch:
    """All firings of all homes in order of time, the home's number as the subject."""
    number = np.concatenate([np.full(len(home.time), i) for i, home in enumerate(homes)])
    time = np.concatenate([home.time for home in homes])
    metric = np.where(np.concatenate([home.out for home in homes]), DOOR, MOTION).astype(np.int16)
    order = np.argsort(time, kind="stable")
    return Batch(number[order], metric[order], time[order], np.ones(len(time)))


def _row_of(detector: InactivityDetector, home: int) -> dict[str, np.ndarray]:
    """One home's part of a checkpoint."""
    state = detector.state()
    at = np.flatnonzero(state["subject"] == home)
    return {name: array[at] for name, array in state.items()}


def figures(homes: list[Home], seed: int, collapses: int) -> dict[str, Any]:
    """False alarms a resident-day and the delay of simulated collapses in hours, with 95 % intervals by homes."""
    draws = [np.random.default_rng([seed, i]) for i in range(len(homes))]
    outcomes = run(homes, [cuts(home, collapses, rng) for home, rng in zip(homes, draws, strict=True)])
    judged = np.array([home.judged_days for home in homes])
    alarms = sum((outcome.alarms for outcome in outcomes), Counter())
    together = np.array([outcome.alarms.total() for outcome in outcomes])
    hours = [np.array([LONGEST_SECONDS / 3600 if d is None else d for d in one.delays]) for one in outcomes]
    every = np.concatenate(hours)
    out: dict[str, Any] = {
        "homes": len(homes),
        "resident_days": round(float(judged.sum())),
        "alarms": {kind: [n, round(n / judged.sum(), 4)] for kind, n in sorted(alarms.items())},
        "alarms_together_a_day": by_homes(together, judged, seed),
        "alarms_a_day_of_homes": [round(float(x), 3) for x in np.percentile(together / judged, [10, 50, 90])],
        "collapses": len(every),
        "collapses_amid_an_alarm_left_out": sum(len(one.amid) for one in outcomes),
        "missed_within_72_h": sum(delay is None for one in outcomes for delay in one.delays),
    }
    if len(every):
        out["delay_hours"] = {"mean": by_homes(*(np.array([f(h) for h in hours], float) for f in (np.sum, len)), seed)}
        quantiles = zip(("median", "p90", "longest"), np.percentile(every, [50, 90, 100]), strict=True)
        out["delay_hours"] |= {name: round(float(value), 2) for name, value in quantiles}
    return out


def by_homes(total: np.ndarray, weight: np.ndarray, seed: int, draws: int = 2000) -> list[float]:
    """Sum of total over sum of weight, and its 95 % interval by drawing whole homes anew; both (homes,)."""
    at = np.random.default_rng(seed).integers(0, len(total), (draws, len(total)))
    drawn = total[at].sum(1) / np.maximum(weight[at].sum(1), 1e-9)
    return [round(float(x), 4) for x in (total.sum() / weight.sum(), *np.percentile(drawn, [2.5, 97.5]))]
