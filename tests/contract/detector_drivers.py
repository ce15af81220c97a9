"""One driver per detector: how to build it, what to feed it, and what must raise an alert in it.

A detector without a driver fails the contract test, so nobody forgets one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alerts.detectors.base import Batch, Detector, Finding, make_batch
from alerts.detectors.baseline import PersonalBaseline
from alerts.detectors.battery import BatteryDetector
from alerts.detectors.drift import DailyDrift
from alerts.detectors.falls import FallDetector
from alerts.detectors.fever import FeverDetector
from alerts.detectors.flatline import FlatlineDetector
from alerts.detectors.news2 import MEASURED, News2Detector
from alerts.detectors.outage import OutageDetector
from alerts.detectors.parameters import VITAL_DAY_RULES, VITAL_RULES
from alerts.detectors.sensors import SensorDetector
from alerts.detectors.silence import SilenceDetector
from alerts.detectors.vital_day import VitalDayScore
from alerts.detectors.vitals import VitalsDetector
from core.metrics import BY_CODE

T0 = 1_764_000_000.0


@dataclass(frozen=True)
class Readings:
    """A batch handed to `consume`."""

    batch: Batch

    def arrays(self) -> list[np.ndarray]:
        return list(self.batch)

    def run(self, detector: Any) -> list[Finding]:
        return detector.consume(self.batch)

    def permuted(self, rng: np.random.Generator) -> Readings:
        order = rng.permutation(len(self.batch.time))
        return Readings(Batch(*(part[order] for part in self.batch)))

    def shifted(self, seconds: float) -> Readings:
        return Readings(self.batch._replace(time=self.batch.time + seconds))

    def broken(self, rng: np.random.Generator) -> Readings:
        value, time = self.batch.value.copy(), self.batch.time.copy()
        value[rng.random(len(value)) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        time[rng.random(len(time)) < 0.05] = np.nan
        return Readings(self.batch._replace(value=value, time=time))


@dataclass(frozen=True)
class Window:
    """A motion window handed to `consume_window`."""

    device: int
    t0: float
    hz: float
    samples: np.ndarray
    position: str

    def arrays(self) -> list[np.ndarray]:
        return [self.samples]

    def run(self, detector: Any) -> list[Finding]:
        return detector.consume_window(self.device, self.t0, self.hz, self.samples, self.position)

    def permuted(self, rng: np.random.Generator) -> Window:
        return self

    def shifted(self, seconds: float) -> Window:
        return Window(self.device, self.t0 + seconds, self.hz, self.samples, self.position)

    def broken(self, rng: np.random.Generator) -> Window:
        samples = self.samples.copy()
        samples[rng.random(len(samples)) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        return Window(self.device, self.t0, self.hz, samples, self.position)


@dataclass(frozen=True)
class Tick:
    """Time handed to `tick`."""

    now: float

    def arrays(self) -> list[np.ndarray]:
        return []

    def run(self, detector: Any) -> list[Finding]:
        return detector.tick(self.now)

    def permuted(self, rng: np.random.Generator) -> Tick:
        return self

    def shifted(self, seconds: float) -> Tick:
        return Tick(self.now + seconds)

    def broken(self, rng: np.random.Generator) -> Tick:
        return self


class Step(Protocol):
    """Something that a detector is shown, and what the contract does with it."""

    def arrays(self) -> list[np.ndarray]: ...

    def run(self, detector: Any) -> list[Finding]: ...

    def permuted(self, rng: np.random.Generator) -> Step: ...

    def shifted(self, seconds: float) -> Step: ...

    def broken(self, rng: np.random.Generator) -> Step: ...


class Driver(Protocol):
    kind: type

    def build(self) -> Detector: ...

    def steps(self, rng: np.random.Generator) -> list[Step]:
        """An hour or so of input that raises and clears."""
        ...

    def alarm(self, t: float) -> list[Step]:
        """Input from `t` on that must raise an alert for somebody who has none, whatever came before."""
        ...


class VitalsDriver:
    kind = VitalsDetector

    def build(self) -> Detector:
        detector = VitalsDetector()
        detector.set_limits(2, BY_CODE["spo2"].id, low=88)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(60):
            n = int(rng.integers(0, 25))
            rule = rng.integers(0, len(VITAL_RULES), n)
            high = np.array([r.high.value if r.high else 99.0 for r in VITAL_RULES])
            low = np.array([r.low.value for r in VITAL_RULES])
            value = np.where(rng.random(n) < 0.5, high[rule], low[rule]) + rng.normal(0, 0.15, n) * (high - low)[rule]
            metric = np.array([BY_CODE[r.metric].id for r in VITAL_RULES], np.int16)[rule]
            time = T0 + 60 * minute + rng.uniform(-20, 40, n)
            out += [Readings(Batch(rng.integers(-1, 5, n), metric, time, value)), Tick(T0 + 60 * minute + 50)]
        return out

    def alarm(self, t: float) -> list[Step]:
        glucose = np.full(4, BY_CODE["glucose"].id, np.int16)
        batch = Batch(np.full(4, 77), glucose, t + 60 * np.arange(4), np.full(4, 2.0))
        return [Readings(batch), Tick(t + 400)]


class News2Driver:
    kind = News2Detector

    def build(self) -> Detector:
        detector = News2Detector()
        detector.set_clinical(2, scale2=True, oxygen=True, altered=False)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        well, ill = np.array([16, 97, 130, 75, 36.6]), np.array([26, 90, 88, 128, 39.4])
        for minute in range(0, 120, 2):
            n = int(rng.integers(0, 15))
            column = rng.integers(0, len(MEASURED), n)
            value = np.where(minute // 40 == 1, ill[column], well[column]) * rng.normal(1, 0.02, n)
            time = T0 + 60 * minute + rng.uniform(-200, 60, n)
            metric = np.array([BY_CODE[code].id for code in MEASURED], np.int16)[column]
            out += [Readings(Batch(rng.integers(-1, 5, n), metric, time, value)), Tick(T0 + 60 * minute + 61)]
        return out

    def alarm(self, t: float) -> list[Step]:
        metric = np.array([BY_CODE[code].id for code in ("spo2", "resp_rate", "heart_rate")] * 2, np.int16)
        value = np.array([85.0, 28.0, 135.0] * 2)
        return [Readings(Batch(np.full(6, 77), metric, t + 100 * np.arange(6), value)), Tick(t + 900)]


DAY = 86_400.0


def series(subject: int, code: str, time: np.ndarray, value: np.ndarray) -> Batch:
    """One person's readings of one metric."""
    metric = np.full(len(time), BY_CODE[code].id, np.int16)
    return Batch(np.full(len(time), subject), metric, time, value)


def joined(batches: list[Batch]) -> Batch:
    """Several people's readings in one batch."""
    return Batch(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


class BaselineDriver:
    kind = PersonalBaseline

    def build(self) -> Detector:
        detector = PersonalBaseline()
        detector.set_sensitivity(2, "bp_sys", 1.2)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for day in range(24):
            time = T0 + DAY * day + np.sort(rng.uniform(0, DAY, 4))
            shift = 45.0 if 14 <= day < 18 else 0.0
            people = [series(s, "bp_sys", time + s, 130 + 3 * s + shift + rng.normal(0, 4, 4)) for s in range(-1, 4)]
            pulse = series(1, "heart_rate", T0 + DAY * day + 60 * np.arange(70), 70 + shift + rng.normal(0, 2, 70))
            out += [Readings(joined([*people, pulse])), Tick(T0 + DAY * (day + 1))]
        return out

    def alarm(self, t: float) -> list[Step]:
        usual = series(77, "bp_sys", t + DAY / 2 * np.arange(24), 130 + np.arange(24) % 3.0)
        unusual = series(77, "bp_sys", t + 13 * DAY + 3600 * np.arange(4), np.full(4, 210.0))
        return [Readings(usual), Readings(unusual)]


class DriftDriver:
    kind = DailyDrift

    def build(self) -> Detector:
        return DailyDrift()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for day in range(70):
            time = T0 + DAY * day + np.sort(rng.uniform(0, DAY, 3))
            grown = 0.25 * np.clip(day - 25, 0, 12) * (day < 45)
            people = [
                series(s, "weight", time, 60 + s + grown * (s % 2) + rng.normal(0, 0.3, 3)) for s in range(-1, 4)
            ] + [series(s, "bp_sys", time, 130 + 8 * grown * (s == 2) + rng.normal(0, 4, 3)) for s in range(4)]
            out += [Readings(joined(people)), Tick(T0 + DAY * (day + 1))]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [Readings(series(77, "weight", t + DAY * np.arange(4), np.array([70.0, 70, 70, 74]))), Tick(t + 6 * DAY)]


class FeverDriver:
    kind = FeverDetector

    def build(self) -> Detector:
        return FeverDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for half_day in range(40):
            time = T0 + DAY / 2 * half_day + np.sort(rng.uniform(0, DAY / 2, 2))
            ill = 1.0 if 20 <= half_day < 26 else 0.0
            people = [series(s, "body_temp", time, 36.4 + 0.1 * s + ill + rng.normal(0, 0.15, 2)) for s in range(-1, 4)]
            out += [Readings(joined(people)), Tick(T0 + DAY / 2 * (half_day + 1))]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [Readings(series(77, "body_temp", t + 4000 * np.arange(4), np.full(4, 37.6)))]


class VitalDayDriver:
    kind = VitalDayScore

    def build(self) -> Detector:
        return VitalDayScore()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for hour in range(0, 120, 3):
            n = int(rng.integers(0, 6))
            rule = rng.integers(0, len(VITAL_DAY_RULES), n)
            limit = np.array([(r.high or r.low).value for r in VITAL_DAY_RULES])[rule]  # type: ignore[union-attr]
            scale = np.array([r.scale.value for r in VITAL_DAY_RULES])[rule]
            metric = np.array([BY_CODE[r.metric].id for r in VITAL_DAY_RULES], np.int16)[rule]
            time = T0 + 3600 * hour + rng.uniform(-20_000, 3600, n)
            value = limit + scale * rng.normal(-1, 1.5, n)
            out += [Readings(Batch(rng.integers(-1, 5, n), metric, time, value)), Tick(T0 + 3600 * (hour + 1))]
        return out

    def alarm(self, t: float) -> list[Step]:
        # two mornings, so that one of them is in daylight whatever the hour of t
        pressure = np.full(4, BY_CODE["bp_sys"].id, np.int16)
        time = t + 21_600 * np.arange(4)
        return [Readings(Batch(np.full(4, 77), pressure, time, np.full(4, 205.0))), Tick(t + 3 * 86_400)]


class SilenceDriver:
    kind = SilenceDetector

    def build(self) -> Detector:
        detector = SilenceDetector()
        for device in range(6):
            detector.register(device, 120 * (device + 1), T0)
        detector.register(77, 180, T0)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(60):
            n = int(rng.integers(0, 4))
            time = T0 + 60 * minute + rng.uniform(-40, 0, n)
            metric = np.full(n, BY_CODE["heart_rate"].id, np.int16)
            device = np.append(rng.integers(-1, 9, n), 77)
            batch = Batch(device, np.append(metric, metric[:1] if n else 1).astype(np.int16)[: n + 1],
                          np.append(time, T0 + 60 * minute), np.full(n + 1, 70.0))  # fmt: skip
            out += [Readings(batch), Tick(T0 + 60 * minute + 1)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [Tick(t), Tick(t + 400)]


def fall_signal(rng: np.random.Generator, hz: float, *, before: float = 6.0, after: float = 8.0) -> np.ndarray:
    """A made-up fall, (n, 3) in g: walking, flailing while weight is lost, two blows, lying still turned over."""
    t = np.arange(round(before * hz) + round(after * hz)) / hz - before
    angle = (np.clip((t + 0.5) / 0.7, 0, 1) * 0.55 * np.pi)[:, None]
    gravity = np.cos(angle) * [0.1, -0.99, 0.1] + np.sin(angle) * [0.91, 0.13, 0.4]
    lost = 1 - 0.6 * np.exp(-(((t + 0.3) / 0.18) ** 2))
    walking = np.where(t < -0.5, 0.2 * np.sin(2 * np.pi * 1.8 * t), 0.0)
    flailing = np.stack([np.sin(2 * np.pi * f * t + i) for i, f in enumerate((2.3, 3.1, 2.7))], 1)
    flailing *= 1.1 * np.exp(-(((t + 0.1) / 0.45) ** 2))[:, None]
    blows = 4.5 * np.exp(-np.abs(t) / 0.08) + np.exp(-np.abs(t - 0.4) / 0.08)
    signal = gravity * lost[:, None] + flailing + np.outer(blows, [0.5, 0.3, 0.81]) + np.outer(walking, [0.3, 0.9, 0.3])
    return signal + rng.normal(0, 0.015, signal.shape)


class FallsDriver:
    kind = FallDetector

    def build(self) -> Detector:
        return FallDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for device, (hz, position) in enumerate(((20.0, "wrist"), (50.0, "waist"), (31.7, "pocket"))):
            signal = np.concatenate([fall_signal(rng, hz), fall_signal(rng, hz)])
            size = int(rng.integers(15, 90))
            for start in range(0, len(signal), size):
                t0 = T0 + start / hz
                out.append(Window(device, t0, hz, signal[start : start + size], position))
        out.sort(key=lambda step: step.t0 if isinstance(step, Window) else 0.0)
        return [*out, Tick(T0 + 100), Tick(T0 + 200)]

    def alarm(self, t: float) -> list[Step]:
        signal = fall_signal(np.random.default_rng(1), 50.0)
        windows: list[Step] = [
            Window(0, t + i / 50, 50.0, signal[i : i + 100], "waist") for i in range(0, len(signal), 100)
        ]
        return [*windows, Tick(t + 60)]


def _batch(rows: list[tuple[int, str, float, float]]) -> Readings:
    return Readings(make_batch([(device, BY_CODE[code].id, t, value) for device, code, t, value in rows]))


class SensorsDriver:
    kind = SensorDetector

    def build(self) -> Detector:
        detector = SensorDetector()
        for device in (*range(4), 77):
            detector.register(device, BY_CODE["heart_rate"].id, 600, T0)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(60):
            t = T0 + 60 * minute
            rows = [(device, "battery", t + float(rng.uniform(-5, 0)), 80.0) for device in range(6)]
            rows += [
                (device, "heart_rate", t, 70.0) for device in (0, 77, *([1] if minute < 10 or minute > 40 else []))
            ]
            out += [_batch(rows), Tick(t + 1)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [_batch([(77, "battery", t + 60 * minute, 80.0)]) for minute in range(30)] + [Tick(t + 1801)]


class BatteryDriver:
    kind = BatteryDetector

    def build(self) -> Detector:
        detector = BatteryDetector()
        for device in (*range(4), 77):
            detector.register(device, 20, 10, 5)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(60):
            t = T0 + 60 * minute
            level = [100 - 2.0 * minute if minute < 48 else 100.0, 25 + float(rng.normal(0, 8)), 30.0]
            rows = [(device, "battery", t + float(rng.uniform(-90, 30)), level[device]) for device in range(3)]
            out += [_batch(rows), Tick(t + 31)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [_batch([(77, "battery", t, 9.0)]), Tick(t + 1)]


class FlatlineDriver:
    kind = FlatlineDetector

    def build(self) -> Detector:
        return FlatlineDetector()

    def steps(self, rng: np.random.Generator) -> list[Step]:
        tape = rng.integers(60, 90, 24)
        out: list[Step] = []
        for minute in range(90):
            t = T0 + 60 * minute
            rows = [(0, "heart_rate", t, 72.0 if 5 < minute < 80 else float(rng.integers(60, 90)))]
            rows += [(1, "heart_rate", t, float(tape[minute % 24])), (2, "door", t, 0.0)]
            rows += [(3, "heart_rate", t + float(rng.uniform(-90, 20)), float(rng.integers(60, 90)))]
            out += [_batch(rows), Tick(t + 30)]
        return out

    def alarm(self, t: float) -> list[Step]:
        return [_batch([(77, "heart_rate", t + 60 * minute, 71.0)]) for minute in range(62)]


class OutageDriver:
    kind = OutageDetector

    def build(self) -> Detector:
        detector = OutageDetector()
        for device in range(5):
            detector.register(device, 900, site=0, gateway=1 if device < 4 else -1)
        for device in (77, 78, 79):
            detector.register(device, 600, site=77)
        return detector

    def steps(self, rng: np.random.Generator) -> list[Step]:
        out: list[Step] = []
        for minute in range(60):
            t = T0 + 60 * minute
            rows = [(device, "battery", t + float(rng.uniform(-30, 0)), 80.0) for device in (4, 77, 78, 79)]
            if not 20 < minute < 45:
                rows += [(device, "heart_rate", t, 70.0) for device in range(4)]
            out += [_batch(rows), Tick(t + 1)]
        return out

    def alarm(self, t: float) -> list[Step]:
        heard = [(device, "battery", t, 80.0) for device in (77, 78, 79)]
        return [Tick(t), _batch(heard), Tick(t + 1), Tick(t + 400)]


DRIVERS: tuple[Callable[[], Driver], ...] = (
    VitalsDriver,
    News2Driver,
    BaselineDriver,
    DriftDriver,
    FeverDriver,
    VitalDayDriver,
    SilenceDriver,
    FallsDriver,
    SensorsDriver,
    BatteryDriver,
    FlatlineDriver,
    OutageDriver,
)
