"""The vitals detector agrees with its slow twin and keeps what it promises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from alerts.detectors.base import Finding, make_batch
from alerts.detectors.parameters import VITAL_RULES
from alerts.detectors.vitals import VitalsDetector
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import ALERT_TYPES, Severity
from tests.unit.alerts.detectors.naive_vitals import NaiveVitals

HEART_RATE, SPO2, BP_SYS, GLUCOSE = (BY_CODE[code].id for code in ("heart_rate", "spo2", "bp_sys", "glucose"))
T0 = 1_764_000_000.0


def told(findings: list[Finding]) -> list[tuple[Any, ...]]:
    return sorted(
        (f.subject, f.type, f.time, f.phase, f.severity.value, f.evidence["value"], round(f.score, 12))
        for f in findings
    )


def feed(
    detector: VitalsDetector, metric: int, values: list[float], *, step: float = 60.0, start: float = T0
) -> list[Finding]:
    """One reading after another, each in its own batch."""
    return [
        finding
        for i, value in enumerate(values)
        for finding in detector.consume(make_batch([(1, metric, start + i * step, value)]))
    ]


def random_rows(rng: np.random.Generator, now: float) -> list[tuple[int, int, float, float]]:
    """Readings around and across the limits: late, doubled, broken and unknown ones among them."""
    rows = []
    for _ in range(int(rng.integers(1, 30))):
        rule = VITAL_RULES[rng.integers(len(VITAL_RULES))]
        marks = [p.value for p in (rule.low_critical, rule.low, rule.high, rule.high_critical) if p is not None]
        value = float(np.round(rng.choice(marks) + rng.normal(0, 0.1 * np.ptp(marks)), 1))
        late = rng.choice([0.0, -30.0, -200.0, -5000.0, 40.0], p=[0.6, 0.2, 0.1, 0.05, 0.05])
        time = now + float(late) + float(rng.integers(0, 12)) * 5
        if rng.random() < 0.03:
            value = float(rng.choice([math.nan, math.inf]))
        rows.append((int(rng.integers(-1, 4)), BY_CODE[rule.metric].id, time, value))
        if rng.random() < 0.1:
            rows.append(rows[-1])
        if rng.random() < 0.2:
            walked = float(rng.choice([0.0, 30.0, 3000.0]))
            rows.append((int(rng.integers(-1, 4)), BY_CODE["steps"].id, time, (now - T0) / 2 + walked))
    return [rows[i] for i in rng.permutation(len(rows))]


@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow = VitalsDetector(), NaiveVitals()
    now, alarms = T0, 0
    for _ in range(80):
        kind = rng.random()
        now += float(rng.choice([20, 60, 150, 4000], p=[0.4, 0.4, 0.18, 0.02]))
        if rng.random() < 0.02:
            now -= 7200  # a clock set back
        if kind < 0.1:
            limits = {"low": 88.0, "low_critical": float(rng.choice([80.0, math.nan]))}
            fast.set_limits(2, SPO2, **limits)
            slow.set_limits(2, SPO2, **limits)
        if kind < 0.3:
            a, b = told(fast.tick(now)), sorted((*t[:-1], round(t[-1], 12)) for t in slow.tick(now))
        else:
            rows = random_rows(rng, now)
            a = told(fast.consume(make_batch(rows)))
            b = sorted((*t[:-1], round(t[-1], 12)) for t in slow.consume(rows))
        assert a == b
        alarms += len(a)
    assert alarms > 10


@pytest.mark.parametrize("rule", VITAL_RULES, ids=lambda rule: rule.metric)
def test_every_limit_raises_its_own_alert_and_clears(rule: Any) -> None:
    metric = BY_CODE[rule.metric].id
    normal = (rule.low.value + (rule.high.value if rule.high else 100)) / 2
    for word, side, critical in (("low", rule.low, rule.low_critical), ("high", rule.high, rule.high_critical)):
        if side is None:
            continue
        detector = VitalsDetector()
        beyond = critical.value + (critical.value - side.value) * 0.1
        raised = feed(detector, metric, [normal, normal, *[beyond] * 8])
        assert {f.type for f in raised} == {f"{rule.metric}_{word}"} <= set(ALERT_TYPES)
        assert raised[-1].severity is Severity.CRITICAL
        cleared = feed(detector, metric, [normal] * 8, start=T0 + 3600 if rule.sporadic else T0 + 700)
        assert [f.phase for f in cleared] == ["cleared"]


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        (HEART_RATE, [62, 58, 47, 46, 52, 71, 88, 104, 109, 96] * 3),
        (SPO2, [97, 95, 94, 93, 92, 93, 96] * 4),
        (BP_SYS, [128, 142, 155, 168, 118, 104]),
        (GLUCOSE, [5.1, 7.9, 11.2, 6.0, 4.2]),
    ],
)
def test_ordinary_residents_raise_nothing(metric: int, values: list[float]) -> None:
    detector = VitalsDetector()
    assert feed(detector, metric, values, step=300) == []
    assert detector.tick(T0 + 1e6) == []


def test_a_lone_spike_raises_nothing_and_clears_nothing() -> None:
    detector = VitalsDetector()
    assert feed(detector, HEART_RATE, [70, 71, 180, 70, 72, 71]) == []
    assert detector.tick(T0 + 1e6) == []
    raised = feed(detector, HEART_RATE, [125] * 8, start=T0 + 1000)
    assert [f.type for f in raised] == ["heart_rate_high"]
    assert feed(detector, HEART_RATE, [70, 126, 125, 126, 125], start=T0 + 1480) == []


def test_pain_43_a_duration_ends_without_another_message() -> None:
    detector = VitalsDetector()
    assert feed(detector, HEART_RATE, [124]) == []
    assert detector.tick(T0 + 299) == []
    (finding,) = detector.tick(T0 + 300)
    assert (finding.type, finding.severity, finding.phase) == ("heart_rate_high", Severity.HIGH, "raised")
    assert finding.evidence["since"] == T0
    assert detector.tick(T0 + 301) == []


def test_worse_is_raised_again_better_is_not() -> None:
    detector = VitalsDetector()
    findings = feed(detector, HEART_RATE, [112] * 8 + [140] * 4 + [112] * 8)
    assert [f.severity for f in findings] == [Severity.MEDIUM, Severity.CRITICAL]


def test_silence_never_clears() -> None:
    detector = VitalsDetector()
    assert feed(detector, SPO2, [85] * 4)[0].severity is Severity.CRITICAL
    assert detector.tick(T0 + 30 * 86_400) == []
    # After the pause one good reading is not yet proof for a continuous metric; two minutes of them are.
    cleared = feed(detector, SPO2, [97, 97, 97, 97], start=T0 + 31 * 86_400)
    assert [(f.phase, f.time) for f in cleared] == [("cleared", T0 + 31 * 86_400 + 120)]


def test_pain_42_hysteresis_keeps_a_value_at_the_limit_from_flapping() -> None:
    detector = VitalsDetector()
    swings = ([109] * 30 + [111] * 8) * 4  # the quiet parts outlast the time that clearing takes
    findings = feed(detector, HEART_RATE, [112] * 8 + swings)
    assert [f.phase for f in findings] == ["raised"]
    assert [f.phase for f in feed(detector, HEART_RATE, [105] * 30, start=T0 + 1e5)] == ["cleared"]


def test_a_sporadic_reading_counts_for_itself() -> None:
    detector = VitalsDetector()
    (low,) = feed(detector, GLUCOSE, [2.8])
    assert (low.type, low.severity) == ("glucose_low", Severity.CRITICAL)
    (cleared,) = feed(detector, GLUCOSE, [5.0], start=T0 + 900)
    assert (cleared.type, cleared.phase) == ("glucose_low", "cleared")


def test_personal_limits_win_and_are_judged_at_once() -> None:
    detector = VitalsDetector()
    assert feed(detector, SPO2, [90, 90]) == []
    detector.set_limits(1, SPO2, low=88, low_critical=84)
    assert detector.tick(T0 + 1e4) == []
    detector.set_limits(1, SPO2, low=91)
    (finding,) = detector.tick(T0 + 1e4)
    assert finding.evidence["limit"] == 91
    detector.set_limits(1, SPO2, low=math.nan, low_critical=math.nan)
    assert feed(detector, SPO2, [40] * 5, start=T0 + 1.1e4)[0].phase == "cleared"
    assert detector.limits(1, SPO2)["low"] != detector.limits(1, SPO2)["low"]


@pytest.mark.parametrize(
    ("metric", "limits"),
    [
        (HEART_RATE, {"low": 120}),
        (HEART_RATE, {"high_critical": 100}),
        (HEART_RATE, {"low": -math.inf}),
        (14, {}),
        (-1, {}),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(metric: int, limits: dict[str, float]) -> None:
    detector = VitalsDetector()
    with pytest.raises(BadInput):
        detector.set_limits(1, metric, **limits)


def test_a_device_clock_set_back_does_not_make_it_deaf() -> None:
    detector = VitalsDetector()
    feed(detector, HEART_RATE, [70] * 5)
    findings = feed(detector, HEART_RATE, [140] * 8, start=T0 - 7200)
    assert [f.severity for f in findings] == [Severity.CRITICAL]


def test_pain_16_a_late_reading_among_the_newest_three_takes_its_place() -> None:
    in_order, late = VitalsDetector(), VitalsDetector()
    rows = [(1, HEART_RATE, T0 + 60 * i, v) for i, v in enumerate([70, 140, 70, 140])]
    for row in rows:
        in_order.consume(make_batch([row]))
    for row in [rows[0], rows[1], rows[3], rows[2]]:
        late.consume(make_batch([row]))
    assert np.array_equal(in_order.state()["value"], late.state()["value"], equal_nan=True)


def test_a_fast_pulse_while_walking_is_no_alarm_as_at_rest() -> None:
    def findings(*, walking: bool, pulse: float) -> list[str]:
        detector, steps, found = VitalsDetector(), 0.0, []
        for minute in range(20):
            steps += 90 if walking else 0
            at = T0 + 60 * minute
            found += detector.consume(make_batch([(1, BY_CODE["steps"].id, at, steps), (1, HEART_RATE, at, pulse)]))
        return [f.type for f in found]

    assert findings(walking=False, pulse=120) == ["heart_rate_high"]
    assert findings(walking=True, pulse=120) == []
    assert findings(walking=True, pulse=150) == ["heart_rate_high"], "the critical limit holds all the same"


def test_the_pulse_must_settle_after_walking() -> None:
    detector = VitalsDetector()
    found = []
    for minute in range(30):
        steps = 90.0 * min(minute, 5)
        at = T0 + 60 * minute
        found += detector.consume(make_batch([(1, BY_CODE["steps"].id, at, steps), (1, HEART_RATE, at, 120)]))
    (one,) = found
    assert T0 + 5 * 60 + 600 < one.time < T0 + 5 * 60 + 600 + 420


class WithoutShortcut(VitalsDetector):
    """Every reading goes the long way."""

    def _note_calm(self, r: Any, m: Any) -> None:
        self._calm[r, m] = False


@pytest.mark.parametrize("seed", range(8))
def test_the_shortcut_for_calm_readings_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    short, long, now, calm = VitalsDetector(), WithoutShortcut(), T0, 0
    for _ in range(60):
        now += 30
        rows = [(s, HEART_RATE, now + s, 70 + rng.normal() * rng.choice([2, 30], p=[0.9, 0.1])) for s in range(4)]
        rows += random_rows(rng, now) if rng.random() < 0.2 else []
        assert short.consume(make_batch(rows)) == long.consume(make_batch(rows))
        assert all(array.tobytes() == long.state()[name].tobytes() for name, array in short.state().items())
        calm += int(short._calm.sum())
    assert calm > 60
