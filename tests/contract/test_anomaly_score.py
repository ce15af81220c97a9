"""The generic anomaly score against a slow twin, and what every caller may rely on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from alerts.detectors.anomaly import AnomalyScore
from alerts.detectors.parameters import ANOMALY_SERIES, BASELINE_SERIES, AnomalySizes, parameter
from core.errors import BadInput

MEMORY = 240


def sizes(memory: int) -> AnomalySizes:
    """The usual sizes with less memory."""
    return ANOMALY_SERIES._replace(memory=parameter(memory, "rows", "so that the tests are quick"))


def slow_twin(rows: list[tuple[float, float]], of: AnomalySizes, kept: Callable[[float], float] = float) -> list[float]:
    """The score of one series in plain loops: lists of everything seen, no arrays; `kept`: as it is remembered."""
    memory, warm_up, short_rows, day_bins, quiet = (int(part.value) for part in of)
    values: list[float] = []
    strange: list[tuple[float, float, float]] = []
    raws: list[float] = []
    bins: dict[int, tuple[int, float]] = {}
    level = 0.0
    out: list[float] = []
    for time, value in rows:
        novelty = min((abs(value - old) for old in values[-memory:]), default=0.0)
        values.append(kept(value))
        short, long = values[-short_rows:], values[-10 * short_rows :]
        shift = abs(sum(short) / len(short) - sum(long) / len(long))
        level += (value - level) / min(len(values), 200)
        at = int(time % 86_400 / 86_400 * day_bins)
        seen, mean = bins.get(at, (0, 0.0))
        habit = abs(value - (mean if seen else level))
        bins[at] = (seen + 1, mean + (value - mean) / min(seen + 1, 60))
        raw = 0.0
        for kind, quantile in enumerate((0.997, 1.0, 1.0)):
            raw += (
                _share([old[kind] for old in strange[-memory:]], (novelty, shift, habit)[kind], quantile, warm_up) / 3
            )
        out.append(raw if raw > max(raws[-quiet:], default=0.0) else 0.0)
        strange.append((kept(novelty), kept(shift), kept(habit)))
        raws.append(kept(raw))
    return out


def _share(past: list[float], now: float, quantile: float, warm_up: int) -> float:
    n = len(past)
    if n < warm_up:
        return 0.0
    past = sorted(past)
    median = past[n // 2]
    span = past[min(n - 1, int(quantile * n))] - median
    if span <= 1e-9:
        span = past[-1] - median
    if span <= 1e-9:
        excess = 1000.0 if now - median > 1e-9 else 0.0
    else:
        excess = min(1000.0, max(0.0, (now - median) / span))
    return excess**2 / (1 + excess**2)


def wave(rng: np.random.Generator, n: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Five-minute rows of a daily wave with noise, a spike and a step; the clock repeats, steps back and jumps."""
    time = 300.0 * np.arange(n)
    value = np.sin(2 * np.pi * time / 86_400) + rng.normal(0, 0.05, n)
    value[n * 5 // 9] += 4.0
    value[n * 7 // 9 :] += 1.5
    time[n // 3] = time[n // 3 - 1]
    time[n * 4 // 9 :] -= 3600.0
    time[n * 2 // 3 :] += 5 * 86_400.0
    return time, value


def test_it_agrees_with_the_slow_twin() -> None:
    for seed in range(3):
        time, value = wave(np.random.default_rng(seed))
        if seed == 2:
            value = np.round(value)
        fast = AnomalyScore(sizes(MEMORY)).score(np.zeros(len(time), np.int64), time, value)
        assert np.allclose(fast, slow_twin(list(zip(time, value, strict=True)), sizes(MEMORY)), atol=1e-9)


def test_in_the_sizes_of_personal_baselines_it_agrees_too() -> None:
    def half(x: float) -> float:
        return float(np.float16(x))

    time, value = wave(np.random.default_rng(7))
    fast = AnomalyScore(BASELINE_SERIES, precision=np.float16).score(np.zeros(len(time), np.int64), time, value)
    assert np.allclose(fast, slow_twin(list(zip(time, value, strict=True)), BASELINE_SERIES, half), atol=1e-6)
    assert fast.max() > 0.5


def test_spike_and_step_stand_out_and_are_told_once() -> None:
    rng = np.random.default_rng(1)
    for change in (slice(700, 701), slice(700, None)):
        value = rng.normal(0, 0.05, 900)
        value[change] += 1.5
        score = AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), 300.0 * np.arange(900), value)
        assert score[700] > 0.6
        assert np.all(score[701:760] < 0.98)
        assert np.count_nonzero(score[701:] > 0.6) <= 1 + 30 * (change.stop is None)
        assert np.count_nonzero(score[300:700] > 0.6) <= 2


def test_nothing_looks_ahead() -> None:
    time, value = wave(np.random.default_rng(2))
    whole = AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), time, value)
    changed = value.copy()
    changed[620:] = 99.0
    assert np.array_equal(whole[:620], AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), time, changed)[:620])


def test_many_series_at_once_are_each_as_if_alone() -> None:
    waves = [wave(np.random.default_rng(seed), 400) for seed in range(4)]
    series = np.tile(np.arange(4), 400)
    time = np.stack([t for t, _ in waves], axis=1).ravel()
    value = np.stack([v for _, v in waves], axis=1).ravel()
    together = AnomalyScore(sizes(MEMORY))
    cut = 611
    got = np.concatenate(
        [together.score(series[:cut], time[:cut], value[:cut]), together.score(series[cut:], time[cut:], value[cut:])]
    )
    for one, (t, v) in enumerate(waves):
        alone = AnomalyScore(sizes(MEMORY)).score(np.zeros(400, np.int64), t, v)
        assert np.array_equal(got[series == one], alone)


def test_scores_are_the_same_in_any_unit() -> None:
    time, value = wave(np.random.default_rng(3))
    one = AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), time, value)
    other = AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), time, 1024 * value)
    assert np.allclose(one, other, atol=1e-6)


def test_checkpoint_and_restore_bit_for_bit() -> None:
    time, value = wave(np.random.default_rng(4))
    series = np.zeros(900, np.int64)
    score = AnomalyScore(sizes(MEMORY))
    score.score(series[:450], time[:450], value[:450])
    copy = AnomalyScore(sizes(MEMORY))
    copy.restore(score.state())
    assert np.array_equal(
        score.score(series[450:], time[450:], value[450:]), copy.score(series[450:], time[450:], value[450:])
    )
    assert all(a.tobytes() == b.tobytes() for a, b in zip(score.state().values(), copy.state().values(), strict=True))
    with pytest.raises(BadInput):
        AnomalyScore(sizes(MEMORY + 1)).restore(score.state())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_scores_nothing_and_teaches_nothing(bad: float) -> None:
    time, value = wave(np.random.default_rng(5))
    plain = AnomalyScore(sizes(MEMORY)).score(np.zeros(900, np.int64), time, value)
    at = np.arange(0, 900, 7)
    mixed = AnomalyScore(sizes(MEMORY)).score(
        np.zeros(900 + len(at), np.int64), np.insert(time, at, time[at]), np.insert(value, at, bad)
    )
    broken = at + np.arange(len(at))
    assert not mixed[broken].any()
    assert np.array_equal(np.delete(mixed, broken), plain)
    assert AnomalyScore(sizes(MEMORY)).score(np.array([-1]), np.zeros(1), np.ones(1)).tolist() == [0.0]


def test_a_constant_series_is_never_strange_until_it_moves() -> None:
    series, time = np.zeros(300, np.int64), 60.0 * np.arange(300)
    value = np.full(300, 21.5)
    value[299] = 21.6
    score = AnomalyScore(sizes(MEMORY)).score(series, time, value)
    assert not score[:299].any()
    assert score[299] > 0.9


def test_a_memory_too_short_is_refused() -> None:
    with pytest.raises(BadInput):
        AnomalyScore(sizes(50))
