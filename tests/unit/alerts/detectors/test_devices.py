"""The detectors about devices agree with their slow twins and keep what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from alerts.detectors.base import Finding, make_batch
from alerts.detectors.battery import BatteryDetector
from alerts.detectors.flatline import FlatlineDetector
from alerts.detectors.outage import OutageDetector
from alerts.detectors.parameters import FLAT_RULES, OUTAGE_MIN
from alerts.detectors.sensors import SensorDetector
from alerts.detectors.silence import SilenceDetector
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.unit.alerts.detectors.naive_devices import (
    NaiveBattery,
    NaiveFlatline,
    NaiveOutage,
    NaiveSensors,
    Row,
    Told,
)

T0 = 1_764_000_000.0
HR, SPO2, DOOR, BATTERY, TEMP = (BY_CODE[c].id for c in ("heart_rate", "spo2", "door", "battery", "room_temp"))


def told(findings: list[Finding]) -> list[Told]:
    return sorted((f.subject, f.type, f.phase) for f in findings)


def level(value: float, at: float, device: int = 5) -> Any:
    return make_batch([(device, BATTERY, at, value)])


@pytest.mark.parametrize("seed", range(15))
def test_sensors_agree_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, now, count = SensorDetector(), NaiveSensors(), T0, 0
    for _ in range(300):
        now += float(rng.choice([30, 120, 3000], p=[0.6, 0.35, 0.05]))
        kind = rng.random()
        if kind < 0.1:
            device, metric = int(rng.integers(0, 5)), int(rng.integers(1, 4))
            interval = float(rng.choice([400, 900, 0], p=[0.5, 0.4, 0.1]))
            fast.register(device, metric, interval, now)
            slow.register(device, metric, interval, now)
        elif kind < 0.7:
            rows: list[Row] = [
                (int(d), int(m), now - float(rng.integers(-60, 90)), float(rng.choice([70, math.nan], p=[0.9, 0.1])))
                for d, m in zip(
                    rng.integers(-1, 6, 4), rng.choice([1, 2, 3, 25], 4, p=[0.5, 0.1, 0.1, 0.3]), strict=True
                )
            ]
            a = told(fast.consume(make_batch(rows)))
            assert a == sorted(slow.consume(rows))
            count += len(a)
        else:
            a = told(fast.tick(now))
            assert a == sorted(slow.tick(now))
            count += len(a)
    assert count > 5


def test_pain_21_a_device_that_only_says_that_it_lives_is_blind() -> None:
    """Its battery comes every minute and its pulse no more: the device lives, the sensor does not."""
    detector = SensorDetector()
    detector.register(5, HR, 1800, T0)
    detector.consume(make_batch([(5, HR, T0 + 10, 70)]))
    found = []
    for minute in range(1, 60):
        detector.consume(level(80, T0 + 60 * minute))
        found += detector.tick(T0 + 60 * minute)
    (finding,) = found
    assert (finding.type, finding.phase, finding.evidence["metrics"]) == ("sensor_silent", "raised", ["heart_rate"])
    assert 1800 <= finding.time - T0 - 10 <= 1860
    (over,) = detector.consume(make_batch([(5, HR, T0 + 3700, 70)]))
    assert over.phase == "cleared"


def test_a_dead_device_and_one_that_comes_back_have_no_silent_sensors() -> None:
    detector = SensorDetector()
    detector.register(5, HR, 1800, T0)
    detector.consume(make_batch([(5, HR, T0 + 10, 70)]))
    assert detector.tick(T0 + 90_000) == []
    detector.consume(level(80, T0 + 90_000))
    assert detector.tick(T0 + 90_001) == [], "it has just come back: its pulse has its interval"
    for minute in range(31):
        detector.consume(level(80, T0 + 90_000 + 60 * minute))
    assert [f.phase for f in detector.tick(T0 + 92_000)] == ["raised"]


def test_an_alert_of_two_sensors_is_over_with_the_second() -> None:
    detector = SensorDetector()
    for metric in (HR, SPO2, TEMP):
        detector.register(5, metric, 600, T0)
    detector.register(5, TEMP, 0, T0)
    assert detector.supervised() == {(5, HR), (5, SPO2)}
    for at in range(0, 1300, 100):
        detector.consume(level(80, T0 + at))
    (raised,) = detector.tick(T0 + 1300)
    assert raised.evidence["metrics"] == ["heart_rate", "spo2"]
    assert raised.evidence["never_heard"] is True
    assert detector.consume(make_batch([(5, HR, T0 + 1310, 70)])) == []
    assert [f.phase for f in detector.consume(make_batch([(5, SPO2, T0 + 1320, 97)]))] == ["cleared"]


@pytest.mark.parametrize("seed", range(15))
def test_batteries_agree_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, count = BatteryDetector(), NaiveBattery(), 0
    for device in range(4):
        fast.register(device, 20, 10, 5)
        slow.register(device, 20, 10, 5)
    for step in range(200):
        rows: list[Row] = [
            (int(d), int(m), T0 + 600 * step + float(rng.integers(-900, 900)), float(v))
            for d, m, v in zip(
                rng.integers(-1, 6, 5),
                rng.choice([BATTERY, HR], 5),
                rng.choice([5, 11, 19, 21, 24, 26, 90], 5),
                strict=True,
            )
        ]
        a = told(fast.consume(make_batch(rows)))
        assert a == sorted(slow.consume(rows))
        count += len(a)
    assert count > 20


def test_pain_24_a_battery_that_is_not_heard_of_any_more_stays_low() -> None:
    detector = BatteryDetector()
    detector.register(5, 20, 10, 5)
    detector.consume(level(20, T0))
    (raised,) = detector.consume(level(19, T0 + 3600))
    assert (raised.severity, raised.evidence["limit"]) == (Severity.LOW, 20)
    assert detector.tick(T0 + 40 * 86_400) == []
    assert detector.consume(level(math.nan, T0 + 41 * 86_400)) == []
    assert detector.consume(level(24, T0 + 42 * 86_400)) == [], "a warm day is no new cell"
    assert [f.phase for f in detector.consume(level(100, T0 + 43 * 86_400))] == ["cleared"]


def test_one_dip_is_no_low_battery_and_the_last_word_of_one_is() -> None:
    detector = BatteryDetector()
    detector.register(5, 20, 10, 5)
    for n, value in enumerate((60, 18, 60, 18, 60)):
        assert detector.consume(level(value, T0 + n)) == []
    (critical,) = detector.consume(level(8, T0 + 10))
    assert (critical.severity, critical.evidence["rule"]) == (Severity.MEDIUM, "at or below 10 %, critical")


def test_days_left_are_the_level_over_its_pace_since_the_last_charge() -> None:
    detector = BatteryDetector()
    detector.register(5, 20, 10, 5)
    assert detector.days_left(5) is None
    for day, value in enumerate((40, 100, 95, 90, 85, 80)):
        detector.consume(level(value, T0 + 86_400 * day))
    assert detector.days_left(5) == pytest.approx(80 / 5)
    assert detector.days_left(6) is None
    with pytest.raises(BadInput):
        detector.register(5, 10, 20, 5)


@pytest.mark.parametrize("seed", range(8))
def test_flatline_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, count, now = FlatlineDetector(), NaiveFlatline(), 0, T0
    tape = rng.integers(60, 90, 40)
    for step in range(500):
        now += 60
        rows: list[Row] = [(1, HR, now, 71.0 if step % 200 > 60 else float(rng.integers(60, 90)))]
        rows.append((2, HR, now, float(tape[step % 40] if step % 250 > 100 else rng.integers(60, 90))))
        rows.append((2, SPO2, now + float(rng.integers(-200, 200)), float(rng.integers(90, 99))))
        rows += [(3, DOOR, now, 0.0), (int(rng.integers(-1, 1)), HR, now, math.nan)]
        order = rng.permutation(len(rows))
        a = told(fast.consume(make_batch([rows[i] for i in order])))
        assert a == sorted(slow.consume(rows))
        count += len(a)
    assert count >= 6


def test_pain_19_a_cached_value_under_fresh_times_is_found_and_a_door_may_rest() -> None:
    detector = FlatlineDetector()
    found: list[Finding] = []
    for minute in range(90):
        found += detector.consume(
            make_batch(
                [(5, HR, T0 + 60 * minute, 72.0), (6, DOOR, T0 + 60 * minute, 0.0), (7, TEMP, T0 + 60 * minute, 21.5)]
            )
        )
    (finding,) = found
    assert (finding.subject, finding.type, finding.evidence["metric"]) == (5, "sensor_flatline", "heart_rate")
    assert finding.time == T0 + 3600
    assert [f.phase for f in detector.consume(make_batch([(5, HR, T0 + 5400, 73.0)]))] == ["cleared"]


def test_pain_19_a_recording_played_again_is_found_and_a_resting_pulse_is_not() -> None:
    rng = np.random.default_rng(1)
    tape = [float(v) for v in rng.integers(60, 95, 48)]
    detector, found = FlatlineDetector(), []
    for n in range(96):
        found += detector.consume(make_batch([(5, HR, T0 + 60 * n, tape[n % 48]), (6, HR, T0 + 60 * n, 60.0 + n % 4)]))
    (finding,) = found
    assert (finding.subject, finding.type) == (5, "sensor_replayed")
    assert finding.time == T0 + 60 * (48 + 15), "as soon as sixteen values have come again"
    fresh = [f for n in range(16) for f in detector.consume(make_batch([(5, HR, T0 + 60 * (96 + n), 100.5 + n)]))]
    assert [f.phase for f in fresh] == ["cleared"]


@pytest.mark.parametrize("rule", FLAT_RULES, ids=lambda rule: rule.metric)
def test_every_flat_rule_is_met_at_its_count_and_span_and_not_before(rule: Any) -> None:
    n, span = int(rule.readings.value), rule.span.value
    metric, step = BY_CODE[rule.metric].id, span / (n - 1)
    value = (BY_CODE[rule.metric].low + BY_CODE[rule.metric].high) / 2
    detector = FlatlineDetector()
    found = [detector.consume(make_batch([(1, metric, T0 + step * i, value)])) for i in range(n + 1)]
    assert [len(f) for f in found[: n - 1]] == [0] * (n - 1)
    assert sum(len(f) for f in found) == 1


@pytest.mark.parametrize("seed", range(25))
def test_outages_agree_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, now, count = OutageDetector(), NaiveOutage(), T0, 0
    quiet_until = 0.0
    for _ in range(250):
        now += float(rng.choice([30, 90, 400], p=[0.5, 0.4, 0.1]))
        kind = rng.random()
        if kind < 0.15:
            device = int(rng.integers(0, 9))
            given = {
                "site": 0 if device < 5 else 5,
                "gateway": int(rng.choice([1, -1])) if 0 < device < 5 else -1,
                "offline": bool(rng.random() < 0.2),
            }
            interval = float(rng.choice([600, 900, 3600, 0]))
            fast.register(device, interval, **given)
            slow.register(device, interval, **given)
        elif kind < 0.6:
            if rng.random() < 0.05:
                quiet_until = now + 2000
            if now < quiet_until:
                continue
            rows = [(int(d), HR, now - float(rng.integers(-30, 30)), 70.0) for d in rng.integers(-1, 11, 5)]
            assert fast.consume(make_batch(rows)) == []
            slow.consume(rows)
        else:
            listening = bool(rng.random() < 0.9)
            a = told(fast.tick(now, listening=listening))
            assert a == sorted(slow.tick(now, listening=listening))
            count += len(a)
    assert count > 0


def test_pain_25_forty_devices_that_lose_their_power_are_one_outage_before_the_first_is_missed() -> None:
    outage, silence = OutageDetector(), SilenceDetector()
    for device in range(40):
        outage.register(device, 900, site=0)
        silence.register(device, 900, T0)
        outage.consume(level(80, T0 + device, device))
        silence.consume(level(80, T0 + device, device))
    found = []
    for second in range(40, 880):
        found += outage.tick(T0 + second) + silence.tick(T0 + second)
    (finding,) = found
    assert (finding.type, finding.evidence["devices"], finding.severity) == ("site_offline", 40, Severity.HIGH)
    outage.consume(level(80, T0 + 881, 17))
    assert [f.phase for f in outage.tick(T0 + 882)] == ["cleared"]


def test_a_dead_band_among_quiet_door_contacts_is_no_outage() -> None:
    """The band's short interval must not become the house's once the band itself is dead."""
    outage = OutageDetector()
    outage.register(0, 900, site=0)
    outage.consume(level(80, T0, 0))
    for device in (1, 2, 3):
        outage.register(device, 4 * 3600, site=0)
        outage.consume(level(80, T0 + 2000, device))
    assert outage.tick(T0 + 2000 + 7199) == []
    assert len(outage.tick(T0 + 2000 + 7200)) == 1


def test_what_the_platform_did_not_hear_counts_against_nobody() -> None:
    outage, silence = OutageDetector(), SilenceDetector()
    for device in range(3):
        silence.register(device, 900, T0)
        outage.register(device, 900, site=0)
        for detector in (outage, silence):
            detector.consume(level(80, T0, device))
    found: list[Finding] = outage.tick(T0 + 1) + silence.tick(T0 + 1)
    for minute in range(1, 60):
        now = T0 + 60 * minute
        found += outage.tick(now, listening=False) + silence.tick(now, listening=False)
    found += outage.tick(T0 + 3600 + 200) + silence.tick(T0 + 3600 + 800)
    assert found == []
    assert [f.type for f in outage.tick(T0 + 3600 + 460)] == ["site_offline"]
    assert len(silence.tick(T0 + 3600 + 960)) == 3
    assert OUTAGE_MIN.value < 450
