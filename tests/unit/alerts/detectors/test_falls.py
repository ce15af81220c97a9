"""The fall detector agrees with its slow twin and keeps what it promises."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from alerts.detectors import fall_features as ff
from alerts.detectors.base import Finding
from alerts.detectors.fall_model import WEIGHTS, FallModel, production
from alerts.detectors.falls import FallDetector
from core.errors import BadInput
from core.vocabulary import Severity
from tests.contract.detector_drivers import fall_signal
from tests.unit.alerts.detectors import naive_falls

T0 = 1_764_000_000.0
RNG = np.random.default_rng


def busy(seed: int, seconds: float, hz: float = 20.0) -> np.ndarray:
    """Vigorous movement of no kind in particular, with many impacts, (n, 3) in g."""
    rng = RNG(seed)
    t = np.arange(round(seconds * hz)) / hz
    gravity = np.stack([np.sin(t / 7), np.cos(t / 7), np.zeros_like(t)], 1)
    bursts = (rng.random(len(t)) < 0.12)[:, None] * rng.normal(0, 1.5, (len(t), 3))
    return gravity + bursts + rng.normal(0, 0.08, (len(t), 3))


def stream(
    samples: np.ndarray, hz: float, position: str = "wrist", *, size: int = 40, wait: float = 60.0
) -> tuple[list[Finding], list[tuple[float, float]]]:
    """Findings and judged impacts of a recording fed window by window."""
    judged: list[tuple[float, float]] = []
    detector = FallDetector(observer=lambda _, time, score: judged.append((round(time - T0, 6), score)))
    found = []
    for start in range(0, len(samples), size):
        found += detector.consume_window(3, T0 + start / hz, hz, samples[start : start + size], position)
    found += detector.tick(T0 + len(samples) / hz + wait)
    return found, judged


@pytest.mark.parametrize(("seed", "position"), [(1, "wrist"), (2, "waist"), (3, "ankle")])
def test_agrees_with_the_slow_twin(seed: int, position: str) -> None:
    samples = np.concatenate([busy(seed, 9), fall_signal(RNG(seed), 20.0), busy(seed + 9, 5)])
    samples[30:45] = np.nan  # a hole too long to bridge
    samples = samples.astype(np.float32).astype(np.float64)
    _, judged = stream(samples, 20.0, position)
    expected = naive_falls.judge(production(), samples, position)
    assert len(expected) > 8
    assert [t for t, _ in judged] == pytest.approx([t for t, _ in expected], abs=1e-6)
    assert [s for _, s in judged] == pytest.approx([s for _, s in expected], abs=2e-3)


@pytest.mark.parametrize("size", [1, 7, 20, 61, 100, 1000])
def test_the_size_of_windows_plays_no_part(size: int) -> None:
    samples = np.concatenate([busy(5, 20), fall_signal(RNG(5), 20.0)])
    found, judged = stream(samples, 20.0)
    same, judged_same = stream(samples, 20.0, size=size)
    assert np.array(judged) == pytest.approx(np.array(judged_same), abs=1e-5)
    assert [f.time for f in found] == [f.time for f in same]


@pytest.mark.parametrize("hz", [10.0, 20.0, 25.0, 31.7, 50.0, 104.0, 200.0])
@pytest.mark.parametrize("position", ["wrist", "waist", "pocket"])
def test_a_plain_fall_is_found_at_every_rate_and_position(hz: float, position: str) -> None:
    found, _ = stream(fall_signal(RNG(0), hz), hz, position, size=round(2 * hz))
    (finding,) = found
    assert (finding.type, finding.severity, finding.subject) == ("fall", Severity.CRITICAL, 3)
    assert finding.time == pytest.approx(T0 + 6, abs=0.5)
    assert finding.evidence["aftermath_complete"] is True


def test_rest_and_walking_raise_nothing() -> None:
    t = np.arange(0, 60, 0.05)
    still = np.tile([0.0, 0.0, 1.0], (len(t), 1))
    walking = still * (1 + 0.35 * np.sin(2 * np.pi * 1.8 * t))[:, None] + RNG(0).normal(0, 0.03, still.shape)
    for samples in (still, walking):
        assert stream(samples, 20.0)[0] == []


def test_swapping_and_mirroring_axes_changes_nothing() -> None:
    samples = np.concatenate([busy(6, 10), fall_signal(RNG(6), 20.0)])
    _, plain = stream(samples, 20.0)
    _, swapped = stream(samples[:, [2, 0, 1]] * [1, -1, -1], 20.0)
    assert [t for t, _ in swapped] == [t for t, _ in plain]
    assert [s for _, s in swapped] == pytest.approx([s for _, s in plain], abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_a_fall_is_found_however_the_device_is_turned(seed: int) -> None:
    turn, _ = np.linalg.qr(RNG(seed).normal(size=(3, 3)))
    found, judged = stream(fall_signal(RNG(6), 20.0) @ turn, 20.0)
    assert [f.time - T0 for f in found] == [pytest.approx(6, abs=0.5)]
    assert [t for t, _ in judged] == [t for t, _ in stream(fall_signal(RNG(6), 20.0), 20.0)[1]]


@pytest.mark.parametrize("limit_g", [2.0, 4.0, 8.0])
def test_a_fall_is_found_by_a_sensor_of_small_range(limit_g: float) -> None:
    for hz in (20.0, 50.0):
        found, _ = stream(np.clip(fall_signal(RNG(6), hz), -limit_g, limit_g), hz)
        assert len(found) == 1


def test_what_follows_long_after_plays_no_part() -> None:
    samples = fall_signal(RNG(2), 20.0, after=8)
    longer = np.concatenate([samples, np.tile(samples[-1], (1200, 1))])
    assert stream(samples, 20.0)[1][0] == pytest.approx(stream(longer, 20.0)[1][0])


def test_pain_16_a_late_window_finds_its_place() -> None:
    samples = fall_signal(RNG(3), 20.0)
    windows = [(T0 + i / 20, samples[i : i + 40]) for i in range(0, len(samples), 40)]
    expected, _ = stream(samples, 20.0)
    (fall,) = expected
    impact = int((fall.time - T0) * 20) // 40
    assert impact + 2 < len(windows), "what follows is long enough for the impact's place to be passed by"
    detector = FallDetector()
    # The impact stands at the edge of two windows: both are late.
    arriving = windows[: impact - 1] + windows[impact + 1 :] + windows[impact - 1 : impact + 1]
    found = [f for t0, part in arriving for f in detector.consume_window(3, t0, 20.0, part, "wrist")]
    found += detector.tick(T0 + 100)
    assert [f.time for f in found] == [pytest.approx(fall.time, abs=0.1)]


def test_a_stream_that_ends_early_is_judged_after_the_wait() -> None:
    samples = fall_signal(RNG(4), 20.0, after=1.5)
    detector = FallDetector()
    assert detector.consume_window(3, T0, 20.0, samples, "wrist") == []
    end = T0 + len(samples) / 20
    assert detector.tick(end + 1) == []
    (finding,) = detector.tick(end + 6)
    assert finding.evidence["aftermath_complete"] is False
    assert detector.tick(end + 60) == []


def test_waiting_ends_also_when_the_device_clock_is_ahead() -> None:
    samples = fall_signal(RNG(4), 20.0, after=1.5)
    detector = FallDetector()
    detector.consume_window(3, T0 + 280, 20.0, samples, "wrist")
    assert detector.tick(T0) == []
    assert len(detector.tick(T0 + 5)) == 1


def test_one_fall_is_raised_once_and_a_second_one_again() -> None:
    one = fall_signal(RNG(7), 20.0)
    found, _ = stream(np.concatenate([one, one]), 20.0)
    assert [round(f.time - T0) for f in found] == [6, 20]


def test_devices_do_not_mix() -> None:
    detector = FallDetector()
    fall, rest = fall_signal(RNG(0), 20.0), np.tile([0.0, 0.0, 1.0], (280, 1))
    found = []
    for i in range(0, 280, 40):
        found += detector.consume_window(1, T0 + i / 20, 20.0, rest[i : i + 40], "wrist")
        found += detector.consume_window(2, T0 + i / 20, 20.0, fall[i : i + 40], "wrist")
    assert {f.subject for f in found + detector.flush()} == {2}


@pytest.mark.parametrize(
    ("t0", "hz", "samples"),
    [
        (T0, 0.0, np.zeros((5, 3))),
        (T0, math.nan, np.zeros((5, 3))),
        (T0, 1e6, np.zeros((5, 3))),
        (math.inf, 50.0, np.zeros((5, 3))),
        (T0, 50.0, np.zeros((5, 2))),
        (T0, 50.0, np.zeros(5)),
        (T0, 50.0, np.array([["a", "b", "c"]])),
    ],
)
def test_windows_that_no_sensor_can_mean_are_refused(t0: float, hz: float, samples: np.ndarray) -> None:
    with pytest.raises(BadInput):
        FallDetector().consume_window(1, t0, hz, samples, "wrist")


def test_statistics_say_what_their_names_say() -> None:
    window = np.array([naive_falls.window(busy(8, 10), 90)])
    named = ff.statistics(window)
    g = np.linalg.norm(window[0], axis=1)
    assert named["mean_g[5,11)"][0] == pytest.approx(g[65:71].mean())
    assert named["std_g[41,61)"][0] == pytest.approx(g[101:121].std())
    assert named["max_g[-60,-40)"][0] == pytest.approx(g[:20].max())
    assert named["jerk_max[-4,5)"][0] == pytest.approx(
        max(math.dist(window[0][i], window[0][i - 1]) for i in range(56, 65))
    )
    assert named["dip_min_g"][0] == pytest.approx(g[36:61].min())
    before, lying = window[0][:40].mean(0), window[0][100:].mean(0)
    angle = math.degrees(math.acos(before @ lying / np.linalg.norm(before) / np.linalg.norm(lying)))
    assert ff.shown(named)["posture_change_deg"][0] == pytest.approx(angle)
    driven = [max(abs(v) for v in sample) for sample in window[0]]
    assert named["axis_max_g"][0] == pytest.approx(max(driven))
    assert named["axis_full"][0] == sum(d >= 0.97 * max(driven) for d in driven)
    near = driven[50:76]
    assert named["axis_max_near_g"][0] == pytest.approx(max(near))
    assert named["axis_full_near"][0] == sum(d >= 0.97 * max(near) for d in near)


def test_the_model_is_small_and_a_broken_one_is_refused() -> None:
    assert Path(WEIGHTS).stat().st_size < 1_500_000
    with np.load(WEIGHTS) as archive:
        arrays = dict(archive)
    for name in ("waist_w1", "wrist_conv_w1", "version"):
        with pytest.raises(BadInput, match=name):
            FallModel({key: array for key, array in arrays.items() if key != name})
