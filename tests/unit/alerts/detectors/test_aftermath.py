"""What corroborates a fall: which severity it has at once, what the home says of it later, and that nothing is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from alerts.detectors.aftermath import SAYS, FallAftermath, at_once
from alerts.detectors.base import Finding, make_batch
from core.metrics import BY_CODE
from core.vocabulary import Severity
from tests.contract.home_drivers import a_fall

T0 = 1_764_000_000.0
WHO, BAND = 5, 42


def home(*rows: tuple[str, float, float]) -> tuple[np.ndarray, ...]:
    """A batch of (metric code, seconds after T0, value) of one resident."""
    return make_batch([(WHO, BY_CODE[code].id, T0 + at, value) for code, at, value in rows])


def watched(score: float = 0.6, still_share: float = 0.0, *, sensors: bool = True) -> FallAftermath:
    """A detector that has just been told of a fall at T0, in a home that moved a minute before."""
    detector = FallAftermath()
    if sensors:
        detector.consume(home(("motion", -60, 1.0)))
    detector.weigh(WHO, a_fall(BAND, T0, score, still_share))
    return detector


def until(detector: FallAftermath, seconds: float, begin: float = 0.0) -> list[Finding]:
    return [f for at in np.arange(begin, seconds, 5) for f in detector.tick(T0 + at)]


def what(finding: Finding) -> list[str]:
    return [one["what"] for one in finding.evidence["corroboration"]]


@pytest.mark.parametrize(
    ("score", "still_share", "complete", "bathroom", "severity", "counted"),
    [
        (0.6, 0.8, True, False, Severity.CRITICAL, ("still",)),
        (0.6, 0.3, True, False, Severity.CRITICAL, ()),
        (0.6, 0.1, True, False, Severity.HIGH, ("moving",)),
        (0.95, 0.1, True, False, Severity.CRITICAL, ("moving",)),
        (0.6, 0.1, True, True, Severity.CRITICAL, ("bathroom", "moving")),
        (0.6, 0.0, False, False, Severity.CRITICAL, ("signal_ended",)),
        (0.6, 0.9, False, False, Severity.CRITICAL, ("signal_ended",)),
    ],
)
def test_severity_at_once(
    score: float, still_share: float, complete: bool, bathroom: bool, severity: Severity, counted: tuple[str, ...]
) -> None:
    weighed = at_once(score, still_share, complete=complete, bathroom=bathroom)
    assert (weighed.severity, weighed.counted) == (severity, counted)


def test_a_fall_keeps_all_that_it_was_but_severity_and_says_what_counted_in_two_languages() -> None:
    fall = a_fall(BAND, T0, 0.6, 0.1)
    weighed = FallAftermath().weigh(WHO, fall)
    assert (weighed.subject, weighed.time, weighed.score, weighed.detector) == (BAND, T0, 0.6, "falls")
    assert weighed.severity is Severity.HIGH
    assert fall.severity is Severity.CRITICAL, "the finding itself is left as it is"
    assert {k: v for k, v in weighed.evidence.items() if k != "corroboration"} == fall.evidence
    assert weighed.evidence["corroboration"] == [
        {"what": "moving", "effect": "lowers", "zh": "跌倒后仍在活动", "en": "goes on moving after it"}
    ]
    assert {effect for effect, _ in SAYS.values()} == {"raises", "lowers"}


def test_a_fall_of_nobody_known_is_weighed_by_the_device_alone_and_not_followed() -> None:
    detector = FallAftermath()
    assert detector.weigh(-1, a_fall(BAND, T0, 0.6, 0.1)).severity is Severity.HIGH
    assert len(detector.state()["subject"]) == 0


def test_in_the_bathroom_a_fall_stays_critical() -> None:
    for code in ("door", "motion"):
        detector = FallAftermath()
        detector.consume(home((code, -300, 1.0)), np.array([True]))
        assert what(detector.weigh(WHO, a_fall(BAND, T0, 0.6, 0.1))) == ["bathroom", "moving"]
        detector.consume(home(("motion", 100, 1.0)), np.array([False]))  # out again
        assert what(detector.weigh(WHO, a_fall(BAND, T0 + 200, 0.6, 0.1))) == ["moving"]
    detector.consume(home(("door", 300, 1.0)), np.array([True]))
    late = a_fall(BAND, T0 + 300 + 1801, 0.6, 0.1)
    assert what(detector.weigh(WHO, late)) == ["moving"], "half an hour later nobody knows"


def test_nothing_moves_in_the_home_so_a_high_fall_becomes_critical_once() -> None:
    detector = watched()
    (finding,) = until(detector, 400)
    assert (finding.type, finding.phase, finding.severity) == ("fall", "raised", Severity.CRITICAL)
    assert (finding.subject, what(finding)) == (BAND, ["no_motion"])
    assert finding.evidence["value"] == 120.0


@pytest.mark.parametrize("code", ["motion", "door"])
@pytest.mark.parametrize("at", [20.0, 60.0, 115.0])
def test_movement_or_a_door_keeps_it_as_it_is(code: str, at: float) -> None:
    detector = watched()
    detector.consume(home((code, at, 1.0)), np.array([True]))
    assert until(detector, 400) == []


def test_what_moves_at_the_fall_itself_and_a_door_that_closes_say_nothing() -> None:
    detector = watched()
    detector.consume(home(("motion", 5.0, 1.0), ("door", 60.0, 0.0), ("motion", 61.0, 0.0)))
    assert len(until(detector, 400)) == 1


def test_pain_38_a_home_without_working_sensors_is_not_taken_for_quiet() -> None:
    assert until(watched(sensors=False), 400) == []
    detector = FallAftermath()
    detector.consume(home(("motion", -90_000, 1.0)))
    detector.weigh(WHO, a_fall(BAND, T0, 0.6, 0.0))
    assert until(detector, 400) == []


def test_a_critical_fall_is_not_told_a_second_time() -> None:
    assert until(watched(still_share=0.9), 400) == []
    assert until(watched(score=0.99), 400) == []


def test_whoever_walks_has_got_up_and_a_person_still_closes_it() -> None:
    for still_share in (0.0, 0.9):
        detector = watched(still_share=still_share)
        detector.consume(home(("steps", -10, 1000), ("steps", 50, 1100), ("steps", 110, 1112)))
        assert until(detector, 115) == [], "the first hundred may have been made before the fall"
        detector.consume(home(("steps", 170, 1125), ("steps", 230, 1160)))
        (finding,) = until(detector, 400, begin=240)
        assert (finding.phase, finding.severity, what(finding)) == ("cleared", Severity.CRITICAL, ["walking"])
        assert finding.evidence["value"] == 60.0


def test_a_counter_that_begins_anew_makes_no_steps() -> None:
    detector = watched()
    detector.consume(home(("steps", 10, 1000), ("steps", 30, 0), ("steps", 60, 5)))
    assert until(detector, 115) == []
    assert detector.state()["steps"].tolist() == [5.0]


def test_the_watch_ends_and_a_new_fall_begins_a_new_one() -> None:
    detector = watched()
    assert len(until(detector, 301)) == 1
    detector.consume(home(("steps", 310, 0), ("steps", 370, 100)))
    assert until(detector, 600, begin=301) == []
    detector.consume(home(("motion", 900, 1.0)))
    detector.weigh(WHO, a_fall(BAND, T0 + 1000, 0.6, 0.0))
    assert [what(f) for f in until(detector, 1400, begin=1000)] == [["no_motion"]]


def test_the_same_fall_told_again_does_not_begin_anew() -> None:
    detector = watched()
    assert len(until(detector, 200)) == 1
    detector.weigh(WHO, a_fall(BAND, T0, 0.6, 0.0))
    assert until(detector, 280, begin=200) == []


def test_a_fall_that_is_told_late_is_judged_by_what_has_come_since() -> None:
    detector = FallAftermath()
    detector.consume(home(("motion", -60, 1.0), ("motion", 40, 1.0)))
    detector.weigh(WHO, a_fall(BAND, T0, 0.6, 0.0))
    assert until(detector, 1000, begin=600) == []


def naive(events: list[tuple[str, float, float]], falls: list[tuple[float, float, float]], end: int) -> list[str]:
    """Second by second, with lists: what is told, and when."""
    out, critical, over = [], {}, set()
    for now in range(end):
        begun = [fall for fall in falls if fall[0] <= now]
        if not begun:
            continue
        at, score, still = begun[-1]
        critical.setdefault(at, not (still < 0.2 and score < 0.9))
        if now - at > 300:
            continue
        seen = [event for event in events if event[1] <= now]
        moved = [t for code, t, v in seen if code == "motion" and v > 0]
        counts = sorted((t, v) for code, t, v in seen if code == "steps" and at <= t <= at + 300)
        steps = sum(max(b - a, 0) for (_, a), (_, b) in pairwise(counts))
        quiet = not any(at + 15 < t <= at + 300 for t in moved) and any(t >= at - 86_400 for t in moved)
        if steps >= 20:
            if at not in over:
                over.add(at)
                out.append(f"walking {now}")
        elif now - at >= 120 and quiet and steps == 0 and not critical[at]:
            critical[at] = True
            out.append(f"no_motion {now}")
    return out


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events: list[tuple[str, float, float]] = [("motion", 0.5, 1.0)]
    events += [("motion", float(t), 1.0) for t in rng.integers(0, 6000, 12)]
    walks = np.cumsum(np.where(rng.random(100) < 0.15, 12.0, 0.0))
    events += [("steps", 60.0 * i + 7, float(count)) for i, count in enumerate(walks)]
    falls = [(float(400 * i + 3), float(rng.uniform(0.5, 1)), float(rng.choice([0.05, 0.4]))) for i in range(1, 14)]
    detector, got = FallAftermath(), []
    for now in range(6000):
        rows = [event for event in events if now - 1 < event[1] <= now]
        if rows:
            detector.consume(home(*rows))
        for at, score, still in falls:
            if at == now:
                detector.weigh(WHO, a_fall(BAND, T0 + at, score, still))
        got += [f"{what(f)[0]} {now}" for f in detector.tick(T0 + now)]
    assert got == naive(events, falls, 6000)
    assert got
