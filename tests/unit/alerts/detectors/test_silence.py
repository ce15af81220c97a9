"""The silence detector agrees with its slow twin and keeps what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alerts.detectors.base import Finding, make_batch
from alerts.detectors.parameters import SILENCE_HIGH_AFTER
from alerts.detectors.silence import SilenceDetector
from core.errors import BadInput
from core.vocabulary import Severity

T0 = 1_764_000_000.0


class NaiveSilence:
    """The slow obvious twin: a dictionary per device."""

    def __init__(self) -> None:
        self.devices: dict[int, dict[str, float]] = {}
        self.now = -math.inf

    def register(self, device: int, interval: float, since: float) -> None:
        known = self.devices.setdefault(device, {"heard": math.nan, "rank": 0})
        known |= {"interval": interval, "since": since}

    def consume(self, rows: list[tuple[int, int, float, float]]) -> list[tuple[int, str, float, str]]:
        out = []
        newest: dict[int, float] = {}
        for device, _, time, value in rows:
            if device in self.devices and math.isfinite(time) and math.isfinite(value):
                newest[device] = max(time, newest.get(device, -math.inf))
        for device, time in newest.items():
            known = self.devices[device]
            if time > known["heard"] or math.isnan(known["heard"]):
                known["heard"] = time
                if known["rank"] and self.now - time < known["interval"]:
                    out.append((device, "cleared", time, ["", "medium", "high"][int(known["rank"])]))
                    known["rank"] = 0
        return out

    def tick(self, now: float) -> list[tuple[int, str, float, str]]:
        out = []
        for device, known in self.devices.items():
            if known["heard"] > max(now, self.now):
                known["heard"] = max(now, self.now)
            last = known["since"] if math.isnan(known["heard"]) else max(known["heard"], known["since"])
            quiet = now - last
            rank = 0
            if known["interval"] > 0 and quiet >= known["interval"]:
                rank = 2 if quiet >= max(SILENCE_HIGH_AFTER.value, known["interval"]) else 1
            if rank > known["rank"]:
                known["rank"] = rank
                out.append((device, "raised", now, ["", "medium", "high"][rank]))
            if known["rank"] and known["interval"] <= 0:
                out.append((device, "cleared", now, ["", "medium", "high"][int(known["rank"])]))
                known["rank"] = 0
        self.now = now
        return out


def told(findings: list[Finding]) -> list[tuple[int, str, float, str]]:
    return sorted((f.subject, f.phase, f.time, f.severity.value) for f in findings)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow = SilenceDetector(), NaiveSilence()
    now, findings = T0, 0
    for _ in range(150):
        now += float(rng.choice([30, 600, 20_000, -900], p=[0.5, 0.35, 0.1, 0.05]))
        kind = rng.random()
        if kind < 0.15:
            device, interval = int(rng.integers(0, 12)), float(rng.choice([90, 180, 3600, 0], p=[0.3, 0.3, 0.3, 0.1]))
            fast.register(device, interval, now)
            slow.register(device, interval, now)
        elif kind < 0.6:
            rows = [
                (int(d), 1, now + float(rng.integers(-300, 60)), float(rng.choice([70, math.nan], p=[0.9, 0.1])))
                for d in rng.integers(-2, 14, rng.integers(0, 6))
            ]
            a, b = told(fast.consume(make_batch(rows))), sorted(slow.consume(rows))
            assert a == b
            findings += len(a)
        else:
            a, b = told(fast.tick(now)), sorted(slow.tick(now))
            assert a == b
            findings += len(a)
    assert findings > 10


def test_pain_20_a_device_that_never_spoke_is_silent_after_its_interval() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0)
    assert detector.tick(T0 + 179) == []
    (finding,) = detector.tick(T0 + 180)
    assert (finding.subject, finding.type, finding.severity) == (5, "device_silent", Severity.MEDIUM)
    assert finding.evidence["never_heard"] is True
    assert finding.score == pytest.approx(0.5)
    assert detector.tick(T0 + 181) == []


def test_heard_again_clears_and_a_day_of_silence_is_raised_higher() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0)
    detector.tick(T0 + 200)
    (higher,) = detector.tick(T0 + SILENCE_HIGH_AFTER.value)
    assert higher.severity is Severity.HIGH
    (cleared,) = detector.consume(make_batch([(5, 1, T0 + SILENCE_HIGH_AFTER.value + 1, 70.0)]))
    assert cleared.phase == "cleared"


def test_boot_from_last_seen_raises_at_the_first_tick() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0, heard=T0 + 50)
    detector.register(6, 180, T0, heard=T0 + 900)
    (finding,) = detector.tick(T0 + 1000)
    assert (finding.subject, finding.evidence["since"]) == (5, T0 + 50)


def test_old_buffered_readings_do_not_clear() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0)
    detector.tick(T0 + 10_000)
    assert detector.consume(make_batch([(5, 1, T0 + 100, 70.0)])) == []
    assert detector.tick(T0 + 10_001) == []


def test_a_clock_that_runs_ahead_buys_no_time() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0)
    detector.consume(make_batch([(5, 1, T0 + 300, 70.0)]))
    detector.tick(T0 + 1)
    assert [f.subject for f in detector.tick(T0 + 182)] == [5]


def test_ending_supervision_clears() -> None:
    detector = SilenceDetector()
    detector.register(5, 180, T0)
    detector.tick(T0 + 180)
    detector.register(5, 0, T0)
    assert [f.phase for f in detector.tick(T0 + 200)] == ["cleared"]
    assert detector.tick(T0 + 10_000) == []


def test_bad_registrations_are_refused() -> None:
    with pytest.raises(BadInput):
        SilenceDetector().register(-1, 180, T0)
    with pytest.raises(BadInput):
        SilenceDetector().register(1, math.nan, T0)
