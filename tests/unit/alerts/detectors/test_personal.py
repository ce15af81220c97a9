"""The personal baseline, the daily drift and the fever rules agree with their slow twins and keep what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alerts.detectors.base import Finding, make_batch
from alerts.detectors.baseline import PersonalBaseline
from alerts.detectors.drift import DailyDrift
from alerts.detectors.fever import FeverDetector
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.unit.alerts.detectors.naive_personal import NaiveBaseline, NaiveDrift, NaiveFever, Row

DAY = 86_400
T0 = 20_000.0 * DAY


def feed(detector: PersonalBaseline | DailyDrift | FeverDetector, rows: list[Row]) -> list[Finding]:
    return detector.consume(make_batch([(s, BY_CODE[code].id, t, v) for s, code, t, v in rows]))


def pulse(day: int, value: float, rng: np.random.Generator, *, minutes: int = 70, hour: int = 10) -> list[Row]:
    start = T0 + DAY * day + 3600 * hour
    return [(1, "heart_rate", start + 60 * i, value + rng.normal(0, 2)) for i in range(minutes)]


def spot(rng: np.random.Generator, day: int, shift: float) -> list[Row]:
    rows: list[Row] = []
    for _ in range(int(rng.integers(0, 12))):
        code = str(rng.choice(["bp_sys", "body_temp", "spo2"]))
        usual, spread = {"bp_sys": (130.0, 6.0), "body_temp": (36.5, 0.2), "spo2": (96.0, 1.0)}[code]
        value = usual + spread * float(rng.normal(shift if rng.random() < 0.8 else 0, 1))
        time = T0 + DAY * day + float(rng.integers(0, DAY) if code != "spo2" else 7200 + rng.integers(0, 900))
        rows.append((int(rng.integers(-1, 3)), code, time, math.nan if rng.random() < 0.02 else value))
    return rows + rows[:1]


@pytest.mark.parametrize("seed", range(12))
def test_the_baseline_agrees_with_its_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, count = PersonalBaseline(0), NaiveBaseline(), 0
    ranks = {Severity.LOW: 1, Severity.MEDIUM: 2}
    for day in range(40):
        shift = 7.0 if 20 <= day < 26 else 0.0
        rows = spot(rng, day, shift) + (pulse(day, 70 + 4 * shift, rng) if seed < 4 else [])
        got = sorted((f.subject, f.type, f.time, f.phase, ranks[f.severity]) for f in feed(fast, rows))
        assert got == sorted(slow.consume(rows))
        count += len(got)
    assert count > 0


def minutes(day: int, shift: float, rng: np.random.Generator, hours: range) -> list[Row]:
    """A reading every five minutes with day-to-day noise, of subject 5."""
    start, level = T0 + DAY * day, 70 + float(rng.normal(0, 1.5)) + shift
    return [(5, "heart_rate", start + 300 * i, round(level + float(rng.normal(0, 3))))
            for i in range(12 * hours.start, 12 * hours.stop)]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_whole_days_agree_with_the_slow_twin_where_the_generic_score_speaks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, told = PersonalBaseline(0), NaiveBaseline(), []
    for day in range(20):
        hours = range(24)
        rows = minutes(day, 0.0, rng, hours) if day < 18 else minutes(day, 10.0, rng, hours)
        found = feed(fast, rows)
        told += found
        assert [(f.time, f.phase) for f in found] == [(t[2], t[3]) for t in slow.consume(rows)]
    assert any("unlike those of a week" in f.evidence["rule"] for f in told)


def test_an_afternoon_that_is_not_like_the_week_is_told_though_no_reading_is_far_out() -> None:
    """A pulse 10 above the usual for hours: below the limit of 3.5 robust z, yet unlike any two hours of the week."""
    rng = np.random.default_rng(4)
    detector = PersonalBaseline(0)
    calm = [f for day in range(16) for f in feed(detector, minutes(day, 0.0, rng, range(24)))]
    shifted = feed(detector, minutes(16, 10.0, rng, range(8, 20)))
    assert calm == []
    (found,) = [f for f in shifted if f.phase == "raised"]
    assert found.severity is Severity.LOW
    assert "anomaly score" in found.evidence["rule"]
    assert found.evidence["limit"] == 2.5 <= abs(found.evidence["robust_z"]) < 3.5
    assert 0.5 <= found.evidence["anomaly"] == pytest.approx(found.score, abs=1e-4)
    assert found.time - (T0 + 16 * DAY + 8 * 3600) <= 5 * 3600


def test_nothing_is_judged_before_the_person_is_known_and_the_evidence_says_how_well() -> None:
    rng = np.random.default_rng(1)
    detector = PersonalBaseline(0)
    early = [f for day in range(6) for f in feed(detector, pulse(day, 70 + 20 * day, rng))]
    assert early == []
    detector, found = PersonalBaseline(0), []
    for day in range(12):
        found += feed(detector, pulse(day, 105 if day == 11 else 72, rng))
    assert [f.severity for f in found] == [Severity.LOW, Severity.MEDIUM]
    evidence = found[0].evidence
    assert evidence["hour"] == 10
    assert abs(evidence["baseline"] - 72) < 2
    assert evidence["warm_up"]["readings"] >= 60
    assert evidence["warm_up"]["days"] >= 7


def test_the_usual_is_that_of_the_hour() -> None:
    rng = np.random.default_rng(2)
    detector, found = PersonalBaseline(0), []
    for day in range(12):
        night, noon = pulse(day, 52, rng, hour=3), pulse(day, 88, rng, hour=12)
        found += feed(detector, night + noon)
    assert found == []
    assert [f.phase for f in feed(detector, pulse(12, 86, rng, hour=3))][:1] == ["raised"]


def test_one_wild_reading_is_not_unusual_and_learns_nothing_much() -> None:
    rng = np.random.default_rng(3)
    detector = PersonalBaseline(0)
    for day in range(10):
        feed(detector, pulse(day, 70, rng))
    before = detector.state()["center"].copy()
    rows = pulse(10, 70, rng)
    rows[30] = (1, "heart_rate", rows[30][2], 190.0)
    assert feed(detector, rows) == []
    moved = np.nanmax(np.abs(detector.state()["center"] - before))
    assert moved < 2


def test_what_is_raised_is_not_learned_until_it_has_lasted_for_days() -> None:
    rng = np.random.default_rng(4)
    detector = PersonalBaseline(0)
    for day in range(10):
        feed(detector, pulse(day, 70, rng))
    for day in range(10, 12):
        feed(detector, pulse(day, 95, rng))
    assert abs(float(detector.state()["center"][0, 0, 10]) - 70) < 2


def test_a_pulse_on_a_walk_is_neither_judged_nor_learned() -> None:
    rng = np.random.default_rng(5)
    detector, found = PersonalBaseline(0), []
    for day in range(12):
        rows = pulse(day, 120 if day == 11 else 70, rng)
        rows += [(1, "steps", t, 90.0 * i + (day == 11)) for i, (_, _, t, _) in enumerate(rows)] if day == 11 else []
        found += feed(detector, rows)
    assert found == []


def test_feedback_moves_the_limit_within_bounds() -> None:
    rng = np.random.default_rng(6)

    def raised(factor: float) -> int:
        detector = PersonalBaseline(0)
        detector.set_sensitivity(1, "heart_rate", factor)
        return sum(
            f.phase == "raised" for day in range(12) for f in feed(detector, pulse(day, 84 if day == 11 else 70, rng))
        )

    assert raised(1.0) > raised(1.5)
    with pytest.raises(BadInput):
        PersonalBaseline().set_sensitivity(1, "heart_rate", 3.0)


@pytest.mark.parametrize("seed", range(10))
def test_the_drift_agrees_with_its_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, count = DailyDrift(0), NaiveDrift(), 0
    for day in range(20_000, 20_100):
        values = {}
        for subject in range(3):
            for code, usual, spread in (("weight", 62.0, 0.3), ("bp_sys", 130.0, 5.0)):
                if rng.random() < 0.85:
                    bend = max(0, day - 20_040) * 0.25 * (subject == 1) * (day < 20_070)
                    values[subject, code] = usual + spread * float(rng.normal(bend * 2, 1))
        rows = [(s, code, day * DAY + 30_000.0, v) for (s, code), v in values.items()]
        assert feed(fast, rows) == []
        got = sorted((f.subject, f.type, round(f.time / DAY) - 1, f.phase) for f in fast.tick((day + 1) * DAY + 5.0))
        expected = sorted(told for (s, code), v in values.items() for told in slow.end_day(s, code, day, v))
        assert got == expected
        count += len(got)
    assert count > 0


def weigh(kilograms: list[float]) -> list[Finding]:
    detector, found = DailyDrift(0), []
    for day, value in enumerate(kilograms):
        found += feed(detector, [(1, "weight", T0 + DAY * day + 30_000, value)])
        found += detector.tick(T0 + DAY * (day + 1))
    return found


def test_a_kilogram_in_three_days_is_seen_at_once_and_a_slow_loss_within_a_month() -> None:
    (quick,) = weigh([70.0, 70.2, 70.1, 71.2])
    assert (quick.type, quick.severity) == ("weight_rising", Severity.MEDIUM)
    rng = np.random.default_rng(7)
    slow = weigh([float(70 + rng.normal(0, 0.2) - 0.08 * max(0, day - 40)) for day in range(75)])
    assert "weight_falling" in {f.type for f in slow if f.phase == "raised"}
    assert slow[0].evidence["cusum"] >= 5


def test_a_steady_weight_is_told_of_at_most_once_a_year() -> None:
    rng = np.random.default_rng(8)
    found = weigh([float(70 + rng.normal(0, 0.25)) for _ in range(3 * 365)])
    assert sum(f.phase == "raised" for f in found) <= 3


def test_the_pulse_at_rest_is_that_of_the_small_hours() -> None:
    rng = np.random.default_rng(9)
    detector, found = DailyDrift(0), []
    for day in range(60):
        rest = 58 + (6 if day > 45 else 0)
        rows: list[Row] = [
            (1, "heart_rate", T0 + DAY * day + 7200 + 600 * i, rest + rng.normal(0, 1)) for i in range(12)
        ]
        rows += [(1, "heart_rate", T0 + DAY * day + 50_000 + 600 * i, 100 + day % 9) for i in range(6)]
        found += feed(detector, rows) + detector.tick(T0 + DAY * (day + 1))
    assert [f.type for f in found if f.phase == "raised"] == ["heart_rate_rising"]


@pytest.mark.parametrize("seed", range(12))
def test_the_fever_rules_agree_with_their_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow, count = FeverDetector(), NaiveFever(), 0
    for day in range(30):
        ill = 1.0 if 12 <= day < 15 else 0.0
        rows: list[Row] = [
            (int(rng.integers(-1, 3)), "body_temp", T0 + DAY * day + float(rng.integers(0, DAY)),
             round(float(36.4 + ill + rng.normal(0, 0.25)), 1))
            for _ in range(int(rng.integers(0, 9)))
        ]  # fmt: skip
        rows += rows[:1]
        got = sorted((f.subject, f.time, f.phase) for f in feed(fast, rows))
        assert got == sorted(slow.consume(rows))
        count += len(got)
    assert count > 0


def temperatures(*values: float, hours: float = 4.0) -> list[Finding]:
    return feed(FeverDetector(), [(1, "body_temp", T0 + 3600 * hours * i, v) for i, v in enumerate(values)])


def test_repeated_and_risen_are_fever_and_a_lone_warm_reading_is_not() -> None:
    assert temperatures(36.5, 37.5, 36.5) == []
    assert [f.evidence["limit"] for f in temperatures(36.5, 37.4, 37.4)] == [37.2]
    low = temperatures(35.6, 35.7, 35.6, 35.5, 35.6, 36.8)
    assert [(f.evidence["baseline"], round(f.evidence["limit"], 1)) for f in low] == [(35.6, 36.7)]
    assert temperatures(37.4, 37.4, hours=1.0) == [], "two looks at the same time are one"
