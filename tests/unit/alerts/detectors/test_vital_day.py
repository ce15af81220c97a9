"""The score of a day agrees with its slow twin, and a day that reached the mark is put before a person."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alerts.detectors.base import make_batch
from alerts.detectors.parameters import VITAL_DAY_RULES
from alerts.detectors.vital_day import VitalDayScore
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.unit.alerts.detectors.naive_vital_day import Row, day_score

DAY = 20_000
MIDNIGHT = DAY * 86_400.0


def feed(days: VitalDayScore, rows: list[Row]) -> None:
    days.consume(make_batch([(subject, BY_CODE[code].id, time, value) for subject, code, time, value in rows]))


def score(rows: list[Row], day: int = DAY) -> float:
    days = VitalDayScore(0)
    feed(days, rows)
    return float(days.day_scores(np.array([1]), day)[0][0])


def random_day(rng: np.random.Generator, day: int) -> list[Row]:
    rows: list[Row] = []
    for _ in range(int(rng.integers(0, 12))):
        rule = VITAL_DAY_RULES[rng.integers(len(VITAL_DAY_RULES))]
        side = rule.high if rule.low is None or (rule.high is not None and rng.random() < 0.5) else rule.low
        assert side is not None
        value = float(np.round(side.value + rng.normal(0, 1.2) * rule.scale.value, 1))
        time = day * 86_400.0 + float(rng.choice([rng.integers(0, 86_400), 73_800, 73_799, 30_000]))
        rows.append((int(rng.integers(0, 3)), rule.metric, time, math.nan if rng.random() < 0.03 else value))
    return [rows[i] for i in rng.permutation(len(rows))] + rows[:1]


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, seen = VitalDayScore(0), []
    for day in range(DAY, DAY + 12):
        if rng.random() < 0.2:
            continue
        rows = random_day(rng, day)
        seen += rows
        feed(days, rows)
        for subject in range(3):
            got, _ = days.day_scores(np.array([subject]), day)
            assert got[0] == pytest.approx(day_score(seen, subject, day), abs=1e-12)


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [("bp_sys", 160, 0.5), ("bp_sys", 150, 0.0), ("bp_sys", 180, 0.982), ("bp_dia", 54, 0.5), ("heart_rate", 50, 0.5)],
)
def test_half_at_the_limit_nothing_half_a_unit_inside(code: str, value: float, expected: float) -> None:
    assert score([(1, code, MIDNIGHT + 36_000, value)]) == pytest.approx(expected, abs=1e-3)


def test_measured_again_counts_more_and_a_repetition_of_the_message_does_not() -> None:
    reading = (1, "bp_sys", MIDNIGHT + 36_000, 165.0)
    once, again = score([reading]), score([reading, (1, "bp_sys", MIDNIGHT + 39_600, 130.0)])
    assert score([reading, reading]) == once
    assert again > once


def test_a_late_evening_reading_is_the_next_days_matter() -> None:
    evening = (1, "bp_sys", MIDNIGHT + 22 * 3600, 175.0)
    assert score([evening]) == 0.0
    calm = (1, "bp_sys", MIDNIGHT + 86_400 + 36_000, 120.0)
    assert score([evening, calm], DAY + 1) > 0.9
    assert score([evening], DAY + 1) == 0.0, "a day without readings scores 0"


def test_scores_nothing_for_the_unknown_and_says_why_for_the_known() -> None:
    days = VitalDayScore(0)
    assert days.day_scores(np.array([5]), DAY)[0].tolist() == [0.0]
    feed(days, [(5, "heart_rate", MIDNIGHT + 36_000, 118.0)])
    scores, reasons = days.day_scores(np.array([5, 6]), DAY)
    assert scores[0] > 0.9
    assert reasons == ["heart_rate 118 /min, limit >= 100", ""]


def test_the_day_is_put_before_a_person_once_it_has_ended() -> None:
    days = VitalDayScore()
    midnight = MIDNIGHT - 8 * 3600  # Shanghai's midnight
    feed(days, [(1, "bp_sys", midnight + 36_000, 171.0), (2, "bp_sys", midnight + 36_000, 130.0)])
    assert days.tick(midnight + 86_399) == []
    (found,) = days.tick(midnight + 86_400)
    assert (found.subject, found.type, found.phase, found.severity) == (1, "vitals_review", "raised", Severity.LOW)
    assert found.evidence["value"] == 171.0
    assert found.evidence["limit"] == 160.0
    assert days.tick(midnight + 86_460) == []
    feed(days, [(2, "bp_sys", midnight + 40_000, 190.0)])  # came late
    (late,) = days.tick(midnight + 90_000)
    assert (late.subject, late.severity) == (2, Severity.MEDIUM)
    for rest in (1, 2):
        feed(days, [(1, "bp_sys", midnight + rest * 86_400 + 36_000, 125.0)])
    (over,) = days.tick(midnight + 3 * 86_400)
    assert (over.subject, over.phase) == (1, "cleared")
