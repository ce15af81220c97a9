"""NEWS2 is the published chart in every cell, says what is missing, and agrees with its slow twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from alerts.detectors.base import Finding, make_batch
from alerts.detectors.news2 import MEASURED, PARTS, News2Detector, news2, risk_ranks, score_parts
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.unit.alerts.detectors import naive_news2
from tests.unit.alerts.detectors.naive_news2 import NaiveNews2, Row

T0 = 1_764_000_000.0
WELL = {"resp_rate": 16.0, "spo2": 97.0, "bp_sys": 130.0, "heart_rate": 70.0, "body_temp": 36.6}

# Both edges of every cell of the RCP's chart 1.
CHART: dict[str, list[tuple[float, int]]] = {
    "resp_rate": [(1, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (60, 3)],
    "spo2": [(50, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)],
    "bp_sys": [(50, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3), (280, 3)],
    "heart_rate": [(20, 3), (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2),
                   (131, 3), (200, 3)],
    "body_temp": [(33.0, 3), (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2),
                  (42.0, 2)],
}  # fmt: skip
SCALE2_AIR = [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (95, 0), (97, 0), (100, 0)]
SCALE2_OXYGEN = [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 1), (94, 1), (95, 2), (96, 2),
                 (97, 3), (100, 3)]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "value", "points"), [(code, value, points) for code, cells in CHART.items() for value, points in cells]
)
def test_every_edge_of_the_chart(code: str, value: float, points: int) -> None:
    assert news2({**WELL, code: value}).parts[code] == points


@pytest.mark.parametrize(("oxygen", "cells"), [(False, SCALE2_AIR), (True, SCALE2_OXYGEN)])
def test_every_edge_of_scale_2(oxygen: bool, cells: list[tuple[float, int]]) -> None:
    for value, points in cells:
        assert news2({"spo2": value}, scale2=True, oxygen=oxygen).parts["spo2"] == points, value


def test_scale_2_above_the_target_needs_to_know_of_oxygen() -> None:
    assert news2({"spo2": 93}, scale2=True).parts["spo2"] is None
    assert "spo2" in news2({"spo2": 93}, scale2=True).missing
    assert news2({"spo2": 90}, scale2=True).parts["spo2"] == 0
    assert news2({"spo2": 93}, scale2=True, oxygen=True).score == 1 + 2


@pytest.mark.parametrize(
    ("code", "value", "points"),
    [("body_temp", 38.05, 1), ("body_temp", 38.04, 0), ("body_temp", 35.05, 1), ("body_temp", 39.05, 2),
     ("resp_rate", 20.5, 2), ("resp_rate", 20.4, 0), ("spo2", 91.5, 2), ("bp_sys", 90.5, 2), ("heart_rate", 130.5, 3)],
)  # fmt: skip
def test_values_between_the_cells_are_rounded_half_up(code: str, value: float, points: int) -> None:
    assert news2({code: value}).parts[code] == points


def test_oxygen_and_consciousness() -> None:
    assert news2(WELL, oxygen=False, altered=False).parts["oxygen"] == 0
    assert news2(WELL, oxygen=True, altered=False).score == 2
    confused = news2(WELL, oxygen=False, altered=True)
    assert (confused.score, confused.single_3, confused.risk, confused.partial) == (3, True, "low-medium", False)


@pytest.mark.parametrize(
    ("points", "risk"),
    [([0] * 7, 0), ([1, 1, 1, 1, 0, 0, 0], 0), ([1, 1, 1, 1, 0, 0, -1], 0), ([0, 0, 3, 0, 0, 0, 0], 1),
     ([1, 0, 3, 0, 0, 0, 0], 1), ([2, 2, 0, 1, 0, 0, 0], 2), ([3, 2, 0, 1, 0, 0, 0], 2), ([3, 2, 0, 2, 0, 0, -1], 3),
     ([3, 3, 3, 3, 3, 2, 3], 3)],
)  # fmt: skip
def test_risk_by_aggregate_and_by_a_single_three(points: list[int], risk: int) -> None:
    assert risk_ranks(np.array([points])).tolist() == [risk]


def test_missing_is_not_zero() -> None:
    told = news2({"heart_rate": 120})
    assert (told.score, told.partial) == (2, True)
    assert set(told.missing) == set(PARTS) - {"heart_rate"}
    whole = news2(WELL, oxygen=False, altered=False)
    assert (whole.score, whole.risk, whole.partial, whole.missing) == (0, "low", False, ())


def test_the_chart_agrees_with_the_sentences_everywhere() -> None:
    rng = np.random.default_rng(1)
    low, high = [1, 50, 40, 20, 33.0], [40, 100, 260, 180, 42.0]
    values = np.round(rng.uniform(low, high, (4000, 5)), 2)
    values[rng.random(values.shape) < 0.2] = np.nan
    flags = rng.integers(-1, 2, (3, 4000))
    got = score_parts(values, scale2=flags[0], oxygen=flags[1], altered=flags[2])
    for row, parts, (scale2, oxygen, altered) in zip(values, got, flags.T, strict=True):
        known = {code: float(x) for code, x in zip(MEASURED, row, strict=True) if not math.isnan(x)}
        expected = naive_news2.parts(known, scale2 == 1, *(None if f < 0 else bool(f) for f in (oxygen, altered)))
        assert dict(zip(PARTS, parts, strict=True)) == {
            name: -1 if expected[name] is None else expected[name] for name in PARTS
        }


def told(findings: list[Finding]) -> list[tuple[Any, ...]]:
    ranks = {Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3}
    return sorted(
        (f.subject, f.time, f.phase, ranks[f.severity], f.evidence["value"], tuple(f.evidence["missing"]))
        for f in findings
    )


@pytest.mark.parametrize("seed", range(15))
def test_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fast, slow = News2Detector(), NaiveNews2()
    for subject in range(3):
        flags = [None if f < 0 else bool(f) for f in rng.integers(-1, 2, 2)]
        fast.set_clinical(subject, scale2=subject == 1, oxygen=flags[0], altered=flags[1])
        slow.settings[subject] = (subject == 1, flags[0], flags[1])
    findings = 0
    for minute in range(0, 600, 4):
        ill = (minute // 100) % 2
        rows: list[Row] = []
        for _ in range(int(rng.integers(0, 10))):
            code = str(rng.choice(MEASURED))
            cells = CHART[code]
            value = cells[rng.integers(len(cells))][0] if ill and rng.random() < 0.7 else WELL[code]
            time = T0 + minute * 60 + float(rng.choice([0, 10, -400, 90]))
            rows.append((int(rng.integers(-1, 3)), code, time, math.nan if rng.random() < 0.02 else value))
        rows += rows[:1]
        batch = make_batch([(s, BY_CODE[c].id, t, v) for s, c, t, v in rows])
        now = T0 + minute * 60 + 120 + (7200 if minute == 400 else 0)
        got, want = told(fast.consume(batch)), sorted(slow.consume(rows))
        assert got == want
        got, want = told(fast.tick(now)), sorted(slow.tick(now))
        assert got == want
        findings += len(got)
    assert findings > 0


def test_the_alert_names_every_parameter_it_rests_on() -> None:
    detector = News2Detector()
    ill = {**WELL, "resp_rate": 25.0, "heart_rate": 115.0, "spo2": 93.0}
    detector.consume(make_batch([(4, BY_CODE[code].id, T0, value) for code, value in ill.items()]))
    assert detector.tick(T0 + 299) == []
    (found,) = detector.tick(T0 + 300)
    assert (found.severity, found.evidence["value"], found.evidence["limit"]) == (Severity.CRITICAL, 7, 7)
    assert found.evidence["partial"] is True
    assert found.evidence["missing"] == ["oxygen", "consciousness"]
    assert found.evidence["parts"]["resp_rate"] == {"points": 3, "value": 25.0, "unit": "/min", "time": T0}


def test_a_lone_spike_scores_nothing_and_a_value_taken_by_hand_counts_as_it_is() -> None:
    """A wearable's wrong reading between right ones is never seen; the same value measured alone is."""
    for metric, wrong in (("heart_rate", 190.0), ("spo2", 60.0), ("resp_rate", 45.0)):
        detector = News2Detector()
        ill = {"bp_sys": 95.0, "body_temp": 38.5, "heart_rate": 80.0, "spo2": 97.0, "resp_rate": 16.0}  # 3 points
        for minute in range(20):
            now = {code: x for code, x in ill.items() if BY_CODE[code].id != BY_CODE[metric].id or minute != 9}
            now |= {metric: wrong} if minute == 9 else {}
            rows = [(4, BY_CODE[code].id, T0 + 60 * minute, x) for code, x in now.items()]
            # after the spike nothing more is measured for six minutes: the spike itself must not fill the time
            if not 9 < minute < 16:
                assert detector.consume(make_batch(rows)) == []
            assert detector.tick(T0 + 60 * minute + 59) == []
        alone = [(5, BY_CODE[code].id, T0, x) for code, x in (ill | {metric: wrong}).items()]
        detector.consume(make_batch(alone))
        assert [f.phase for f in detector.tick(T0 + 300) if f.subject == 5] == ["raised"]


def test_pain_38_what_has_grown_too_old_clears_nothing() -> None:
    detector = News2Detector()
    ill, well = {"spo2": 90.0, "resp_rate": 24.0}, {"spo2": 97.0, "resp_rate": 16.0}
    detector.consume(make_batch([(4, BY_CODE[code].id, T0, value) for code, value in ill.items()]))
    assert [f.phase for f in detector.tick(T0 + 300)] == ["raised"]
    assert detector.tick(T0 + 90_000) == []
    start = T0 + 90_060
    half = [(4, BY_CODE["spo2"].id, start + i * 60, 97.0) for i in range(12)]
    assert detector.consume(make_batch(half)) == [], "the breathing is still unknown"
    good = [(4, BY_CODE[code].id, start + 720 + i * 60, x) for code, x in well.items() for i in range(12)]
    assert [f.phase for f in detector.consume(make_batch(good))] == ["cleared"]


def test_one_reading_does_not_page_twice() -> None:
    detector = News2Detector()
    detector.consume(make_batch([(4, BY_CODE["spo2"].id, T0, 80.0)]))
    assert detector.tick(T0 + 600) == []
    assert news2({"spo2": 80.0}).risk == "low-medium"


def test_a_resident_without_a_key_has_no_settings() -> None:
    with pytest.raises(BadInput):
        News2Detector().set_clinical(-1)
