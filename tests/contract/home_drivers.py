"""Drivers of the detectors of homes and habits, for the contract that every detector keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alerts.detectors.aftermath import FallAftermath
from alerts.detectors.base import Detector, Finding, make_batch
from alerts.detectors.home import HomeDetector
from alerts.detectors.inactivity import InactivityDetector
from alerts.detectors.night import NightDetector
from alerts.detectors.place import Fence, PlaceDetector
from alerts.detectors.routine_day import RoutineDay
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.contract.detector_drivers import T0, Driver, Readings, Step, Tick


def readings(rows: list[tuple[int, str, float, float]]) -> Readings:
    """A batch from (subject, metric code, time, value) rows."""
    return Readings(make_batch([(subject, BY_CODE[code].id, time, value) for subject, code, time, value in rows]))


class HomeDriver:
    kind = HomeDetector

    def build(self) -> Detector:
        return HomeDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(0, 900, 10):
            t = T0 + 60 * minute
            rows = []
            for device in range(3):
                cold, smoke = 12.0 + 8 * (minute // 150 % 2), float(rng.random() < 0.02)
                rows += [(device, "room_temp", t, cold + rng.normal(0, 0.3)), (device, "smoke", t, smoke)]
                rows += [
                    (device, "co_ppm", t, float(rng.choice([0, 60, 120]))),
                    (device, "gas_lel", t, rng.uniform(0, 11)),
                ]
                rows += [(device, "water_flow", t, float(minute // 120 % 2))]
            out += [readings(rows), Tick(t + 300)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [readings([(77, "co_ppm", t, 400.0)]), readings([(77, "co_ppm", t + 60, 400.0)]), Tick(t + 90)]


class PlaceDriver:
    kind = PlaceDetector

    def build(self) -> Detector:
        detector = PlaceDetector()
        square = Fence(((29.5, 106.5), (29.5, 106.51), (29.51, 106.51), (29.51, 106.5)))
        circle = Fence(((29.505, 106.505),), 300.0)
        detector.set_fences({0: [square], 1: [circle], 2: [square, circle], 77: [circle]})
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(0, 180, 3):
            away = 0.02 * (minute // 30 % 2)
            rows: list[tuple[int, str, float, float]] = []
            for subject in range(-1, 4):
                t = T0 + 60 * minute + subject
                rows += [(subject, "lat", t, 29.505 + away + rng.normal(0, 1e-3)), (subject, "lon", t, 106.505)]
                rows += [(subject, "loc_acc", t, float(rng.uniform(5, 200)))] * int(rng.random() < 0.8)
            out += [readings(rows), Tick(T0 + 60 * minute + 30)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [readings([(77, "lat", t + 60 * i, 30.0), (77, "lon", t + 60 * i, 106.0)]) for i in range(4)]


def lived_days(rng: np.random.Generator, days: int) -> list[Step]:
    """Batches of two hours: movement by day, some at night, a door, a bed; on the last day nothing any more."""
    out: list[Step] = []
    for slot in range(days * 12):
        t = T0 + 7200 * slot
        hour = (t + 8 * 3600) % 86_400 / 3600
        busy = 25 if 7 <= hour < 22 else int(rng.choice([1, 12]))
        if slot >= (days - 1) * 12:
            busy = 0
        n = int(rng.poisson(busy))
        rows = [(int(rng.integers(-1, 4)), str(rng.choice(["motion", "motion", "motion", "door", "bed"])),
                 t + rng.uniform(0, 7200), float(rng.random() < 0.7)) for _ in range(n)]  # fmt: skip
        rows += [(subject, "motion", t + 7100.0, 0.0) for subject in range(4)]  # the sensors live
        out += [readings(rows), Tick(t + 7200)]
    return out


class InactivityDriver:
    kind = InactivityDetector

    def build(self) -> Detector:
        return InactivityDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        return lived_days(rng, 12)

    def alarm(self, t: float) -> list[Step]:
        return [readings([(77, "motion", t, 2.0)]), Tick(t + 11 * 3600)]


class NightDriver:
    kind = NightDetector

    def build(self) -> Detector:
        return NightDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        return lived_days(rng, 12)

    def alarm(self, t: float) -> list[Step]:
        midnight = t + (16 * 3600 - t) % 86_400  # at 0:00 in Shanghai
        return [readings([(77, "door", midnight, 1.0)]), Tick(midnight + 400)]


class RoutineDayDriver:
    kind = RoutineDay

    def build(self) -> Detector:
        return RoutineDay()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        return [*lived_days(rng, 12), *self._pacing(5, T0 + 12 * 86_400)]

    def alarm(self, t: float) -> list[Step]:
        return self._pacing(77, t)

    def _pacing(self, subject: int, t: float) -> list[Step]:
        """A day and night between door and hallway."""
        rows = [(subject, ("motion", "door")[i % 2], t + 30 * i, 1.0) for i in range(2880)]
        return [readings(rows), Tick(t + 2 * 86_400 + 1)]


def a_fall(device: int, time: float, score: float, still_share: float, *, complete: bool = True) -> Finding:
    """A fall as `falls` finds it, with what the weighing looks at."""
    evidence = {"value": 3.1, "unit": "g", "limit": 0.5, "rule": "fall score >= 0.5"}
    evidence |= {"still_share": still_share, "aftermath_complete": complete}
    return Finding("falls", "3", device, "fall", time, score, Severity.CRITICAL, "raised", evidence)


@dataclass(frozen=True)
class Fell:
    """A fall handed to `weigh`."""

    resident: int
    fall: Finding

    def arrays(self) -> list[np.ndarray]:
        return []

    def run(self, detector: Any) -> list[Finding]:
        detector.weigh(self.resident, self.fall)
        return []

    def permuted(self, rng: np.random.Generator) -> Fell:
        return self

    def shifted(self, seconds: float) -> Fell:
        fall = self.fall
        return Fell(
            self.resident,
            a_fall(fall.subject, fall.time + seconds, fall.score, fall.evidence["still_share"]),
        )

    def broken(self, rng: np.random.Generator) -> Fell:
        return self


class AftermathDriver:
    kind = FallAftermath

    def build(self) -> Detector:
        return FallAftermath()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        steps = np.zeros(4)
        for slot in range(120):
            t = T0 + 60 * slot
            rows = [(-1, "motion", t, 1.0)]
            for subject in range(4):
                steps[subject] += float(rng.choice([0, 0, 30]))
                rows += [(subject, "steps", t + float(rng.uniform(-20, 20)), steps[subject])]
                busy = slot // 20 % 2 == subject % 2
                rows += [(subject, str(rng.choice(["motion", "door"])), t + subject, 1.0)] * int(busy)
                if rng.random() < 0.1:
                    fall = a_fall(subject + 100, t, float(rng.uniform(0.5, 1)), float(rng.choice([0.1, 0.4, 0.9])))
                    out.append(Fell(subject, fall))
            out += [readings(rows), Tick(t + 30)]
        return out

    def alarm(self, t: float) -> list[Step]:
        home = readings([(77, "motion", t, 1.0)])
        return [home, Fell(77, a_fall(177, t + 60, 0.6, 0.0)), Tick(t + 100), Tick(t + 190)]


HOME_DRIVERS: tuple[type[Driver], ...] = (
    HomeDriver, PlaceDriver, InactivityDriver, NightDriver, RoutineDayDriver, AftermathDriver,
)  # fmt: skip
