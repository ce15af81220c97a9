"""Features of an impact: windows of acceleration around it enter, numbers leave.

No turning of the device changes them, but for the four that tell how far the sensor's own axes were driven: a sensor
is cut off at its range axis by axis, and a peak that was cut off means another thing than a small one.

All is computed at 20 Hz from 3 s before to 4 s after the impact, vectorised over impacts. What is missing at either
edge (a stream that begins or ends) is filled with the mean of the nearest 0.4 s.

Two kinds: `statistics`, which have names (level, spread and jerk by sub-window, posture, dip, stillness), and
`patterns`, the shares of time during which short fixed kernels, dilated, exceed a bias, per part of the window (after
MiniRocket, Dempster et al. 2021, arXiv 2012.08791: kernels of nine taps, three of them 2 and six of them -1).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.detectors.base import Bools, Floats, Ints
from alerts.detectors.parameters import FALL_AFTER, FALL_BEFORE, FALL_PEAK_APART, FALL_RATE, FALL_TRIGGER

HZ: Final = FALL_RATE.value
BEFORE: Final = round(FALL_BEFORE.value * HZ)
AFTER: Final = round(FALL_AFTER.value * HZ)
WIDTH: Final = BEFORE + 1 + AFTER
APART: Final = round(FALL_PEAK_APART.value * HZ)
_EDGE: Final = 8
CEILING_G: Final = 8.0
# An axis within this share of the largest value seen counts as driven to the end of its range.
_FULL: Final = 0.97

# Parts of the window, in samples from the impact, end excluded.
_SPANS: Final = (
    (-60, -40), (-40, -20), (-20, -10), (-10, -4), (-4, 5), (5, 11), (11, 21), (21, 41), (41, 61), (61, 81),
)  # fmt: skip
_POSTURES: Final = ((-60, -20), (-20, -6), (6, 20), (20, 40), (40, 81))
_SPREADS: Final = ((-60, -10), (-10, 20), (20, 81))

CHANNELS: Final = 7
TAPS: Final = 9
KERNELS: Final = np.array(
    [[2.0 if tap in chosen else -1.0 for tap in range(TAPS)] for chosen in combinations(range(TAPS), 3)], np.float32
)
POOLS: Final = ((0, 141), (20, 54), (50, 72), (68, 100), (100, 141))
# Where a signal rests every kernel answers 0; rounding must not decide on which side of a bias near 0 that lies.
_ABOVE: Final = np.float32(1e-4)
_POOLING: Final = np.zeros((WIDTH, len(POOLS)), np.float32)
for _column, (_start, _end) in enumerate(POOLS):
    _POOLING[_start:_end, _column] = 1 / (_end - _start)


def impacts(magnitude: Floats) -> Ints:
    """Indices where |a| (n,), g, is at least the trigger and the largest within 0.6 s; NaN is no impact."""
    m = np.nan_to_num(magnitude, nan=0.0)
    if not len(m):
        return np.empty(0, np.int64)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(m, APART), 2 * APART + 1).max(1)
    found: Ints = np.flatnonzero((m >= FALL_TRIGGER.value) & (m >= around))
    # Of equal neighbours (a clipped sensor) the first stands for all.
    return found[np.diff(found, prepend=-WIDTH) > APART] if len(found) else found


def cut(samples: Floats, at: Ints) -> Floats:
    """Windows (k, WIDTH, 3) around the samples `at` of (n, 3); NaN where there is nothing."""
    index = at[:, None] + np.arange(-BEFORE, AFTER + 1)
    inside = (index >= 0) & (index < len(samples))
    return np.where(inside[:, :, None], samples[np.clip(index, 0, len(samples) - 1)], np.nan)


def fill(windows: Floats) -> Floats:
    """Windows without NaN: what lies beyond a hole is cut off, and edges get the mean of the samples beside them."""
    w = np.array(windows, np.float64)
    n = len(w)
    known: Bools = np.asarray(np.isfinite(w).all(2))
    known[:, : BEFORE + 1] = np.logical_and.accumulate(known[:, BEFORE::-1], 1)[:, ::-1]
    known[:, BEFORE:] = np.logical_and.accumulate(known[:, BEFORE:], 1)
    first, last = known.argmax(1), WIDTH - 1 - known[:, ::-1].argmax(1)
    total = np.concatenate([np.zeros((n, 1, 3)), np.cumsum(np.where(known[:, :, None], w, 0.0), 1)], 1)
    row, index = np.arange(n), np.arange(WIDTH)
    end, start = np.minimum(first + _EDGE, last + 1), np.maximum(last + 1 - _EDGE, first)
    head = (total[row, end] - total[row, first]) / (end - first)[:, None]
    tail = (total[row, last + 1] - total[row, start]) / (last + 1 - start)[:, None]
    w = np.where((index < first[:, None])[:, :, None], head[:, None], w)
    return np.where((index > last[:, None])[:, :, None], tail[:, None], w)


def statistics(filled: Floats) -> dict[str, Floats]:
    """Named features, each (k,), of filled windows (k, WIDTH, 3) in g."""
    m = _magnitude(filled)
    jerk = _jerk(filled)
    c = BEFORE
    out: dict[str, Floats] = {}
    for a, b in _SPANS:
        s, q = m[:, c + a : c + b], jerk[:, c + a : c + b]
        for name, x in (("mean", s.mean(1)), ("std", s.std(1)), ("max", s.max(1)), ("min", s.min(1))):
            out[f"{name}_g[{a},{b})"] = x
        out[f"jerk_mean[{a},{b})"], out[f"jerk_max[{a},{b})"] = q.mean(1), q.max(1)
    out |= _posture(filled) | _dip(filled, m) | _impact(m, jerk) | _stillness(jerk) | _range(filled)
    for lag in range(-12, 17):
        out[f"g_at_{lag}"] = m[:, c + lag]
    return out


def shown(named: Mapping[str, Floats]) -> dict[str, Floats]:
    """The few features that evidence shows to people."""
    cosine = np.clip(named["cos_4_0"], -1, 1)
    return {
        "peak_g": named["g_at_0"],
        "dip_g": named["dip_min_g"],
        "posture_change_deg": np.degrees(np.arccos(cosine)),
        "still_share": named["still<0.12"],
    }


def channels(filled: Floats) -> NDArray[np.float32]:
    """Seven signals (k, CHANNELS, WIDTH) that turning the device leaves as they are.

    |a|, jerk, a along the mean direction before and after, cosine of the tilt against either, turning within 0.4 s.
    """
    w = filled
    before, after = _unit(w[:, : BEFORE - 10].mean(1)), _unit(w[:, BEFORE + 20 :].mean(1))
    total = np.cumsum(np.pad(w, ((0, 0), (TAPS // 2 + 1, TAPS // 2), (0, 0)), mode="edge"), axis=1)
    tilt = _unit(total[:, TAPS:] - total[:, :-TAPS])
    turning = np.zeros(w.shape[:2])
    turning[:, 8:] = 1 - (tilt[:, 8:] * tilt[:, :-8]).sum(2)
    signals = (
        np.log1p(_magnitude(w)),
        1.5 * np.log1p(_jerk(w)),
        _squeezed((w * before[:, None]).sum(2)),
        _squeezed((w * after[:, None]).sum(2)),
        (tilt * before[:, None]).sum(2),
        (tilt * after[:, None]).sum(2),
        turning,
    )
    return np.stack(signals, 1).astype(np.float32)


def responses(signals: NDArray[np.float32], weights: NDArray[np.float32], dilation: int) -> NDArray[np.float32]:
    """Kernel outputs (k, kernels, WIDTH) of signals (k, CHANNELS, WIDTH) under weights (kernels, CHANNELS * TAPS)."""
    reach = dilation * (TAPS // 2)
    padded = np.pad(signals, ((0, 0), (0, 0), (reach, reach)), mode="edge")
    taps = np.stack([padded[:, :, i * dilation : i * dilation + WIDTH] for i in range(TAPS)], 2)
    return np.asarray(weights @ taps.reshape(len(signals), CHANNELS * TAPS, WIDTH), np.float32)


def patterns(signals: NDArray[np.float32], kernels: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Shares (k, features) of each part of the window in which each kernel's output exceeds its bias.

    `kernels`: dilation (q,), kernel (q,) index into KERNELS, mask (q, CHANNELS) of the channels summed, bias (q,).
    """
    parts = []
    for dilation in np.unique(kernels["dilation"]):
        mine = kernels["dilation"] == dilation
        weights = kernel_weights(kernels["kernel"][mine], kernels["mask"][mine])
        above = responses(signals, weights, int(dilation)) > kernels["bias"][mine][:, None] + _ABOVE
        parts.append((above.astype(np.float32) @ _POOLING).reshape(len(signals), -1))
    return np.concatenate(parts, 1)


def kernel_weights(kernel: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.float32]:
    """Weights (q, CHANNELS * TAPS) of kernels applied to the sum of the masked channels."""
    joined = mask.astype(np.float32)[:, :, None] * KERNELS[kernel][:, None, :]
    return np.asarray(joined.reshape(len(kernel), CHANNELS * TAPS), np.float32)


def _magnitude(w: Floats) -> Floats:
    return np.asarray(np.minimum(np.linalg.norm(w, axis=2), CEILING_G))


def _jerk(w: Floats) -> Floats:
    """Length of the change between samples, g per sample; the first is 0."""
    jerk = np.zeros(w.shape[:2])
    jerk[:, 1:] = np.minimum(np.linalg.norm(np.diff(w, axis=1), axis=2), CEILING_G)
    return jerk


def _unit(v: Floats) -> Floats:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6))


def _squeezed(x: Floats) -> Floats:
    x = np.clip(x, -CEILING_G, CEILING_G)
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))


def _posture(w: Floats) -> dict[str, Floats]:
    """Mean directions by part, the angles between them, and how fast the direction turns."""
    c = BEFORE
    out: dict[str, Floats] = {}
    mean = [w[:, c + a : c + b].mean(1) for a, b in _POSTURES]
    for i, v in enumerate(mean):
        out[f"mean_length_{i}"] = np.linalg.norm(v, axis=1)
        for k in range(i):
            out[f"cos_{i}_{k}"] = (_unit(v) * _unit(mean[k])).sum(1)
    for a, b in _SPREADS:
        part = w[:, c + a : c + b] - w[:, c + a : c + b].mean(1, keepdims=True)
        axes = np.linalg.eigvalsh(np.einsum("nti,ntj->nij", part, part) / (b - a))
        for i in range(3):
            out[f"spread_{i}[{a},{b})"] = np.sqrt(np.maximum(axes[:, i], 0))
    total = np.cumsum(w, 1)
    tilt = _unit(total[:, 10:] - total[:, :-10])
    cosine = (tilt * _unit(mean[0])[:, None]).sum(2)
    out["cos_min_after"], out["cos_end"] = cosine[:, c : c + 40].min(1), cosine[:, -10:].mean(1)
    turn = np.arccos(np.clip((tilt[:, 5:] * tilt[:, :-5]).sum(2), -1, 1))
    out["turn_before"], out["turn_impact"] = turn[:, c - 45 : c - 10].max(1), turn[:, c - 15 : c + 10].max(1)
    out["turn_after"], out["turn_after_mean"] = turn[:, c + 20 :].max(1), turn[:, c + 20 :].mean(1)
    return out


def _dip(w: Floats, m: Floats) -> dict[str, Floats]:
    """Weightlessness in the 1.2 s up to the impact, and the speed gained in it."""
    near = m[:, BEFORE - 24 : BEFORE + 1]
    up = _unit(w[:, :40].mean(1))
    vertical = (w[:, BEFORE - 24 : BEFORE + 1] * up[:, None]).sum(2) - 1
    out = {"dip_min_g": near.min(1), "dip_time": near.argmin(1).astype(np.float64)}
    out |= {f"dip_samples<{g}": (near < g).sum(1).astype(np.float64) for g in (0.5, 0.7, 0.85)}
    out["speed_lost"] = np.minimum(np.cumsum((near - 1)[:, ::-1], 1), 0).min(1) / HZ
    out["speed_vertical_min"], out["speed_vertical"] = np.cumsum(vertical, 1).min(1) / HZ, vertical.sum(1) / HZ
    return out


def _impact(m: Floats, jerk: Floats) -> dict[str, Floats]:
    """Size and width of the impact, and how it stands out from the rest."""
    c = BEFORE
    near, peak = m[:, c - 10 : c + 16], m[:, c]
    out = {f"above_{g}g": np.maximum(near - g, 0).sum(1) for g in (1.3, 1.6, 2.0, 2.5, 3.0)}
    out["wide_1.3g"] = (near > 1.3).sum(1).astype(np.float64)
    out["wide_60%"] = (near > 0.6 * peak[:, None]).sum(1).astype(np.float64)
    out["peak_before"], out["peak_after"] = m[:, : c - 20].max(1) / peak, m[:, c + 20 :].max(1) / peak
    for g in (1.2, 1.5, 2.0):
        out[f"busy_before>{g}"] = (m[:, : c - 10] > g).sum(1).astype(np.float64)
        out[f"busy_after>{g}"] = (m[:, c + 16 :] > g).sum(1).astype(np.float64)
    out["jerk_peak"] = jerk[:, c - 3 : c + 4].max(1)
    return out


def _stillness(jerk: Floats) -> dict[str, Floats]:
    c = BEFORE
    out = {f"still<{g}": (jerk[:, c + 16 :] < g).mean(1) for g in (0.03, 0.06, 0.12, 0.25)}
    out["still_before"] = (jerk[:, : c - 20] < 0.06).mean(1)
    for q in (10, 50, 90):
        out[f"jerk_after_q{q}"] = np.percentile(jerk[:, c + 20 :], q, axis=1)
        out[f"jerk_before_q{q}"] = np.percentile(jerk[:, : c - 16], q, axis=1)
    return out


def _range(w: Floats) -> dict[str, Floats]:
    """How far the most driven axis went near the impact and at all, and how long it and its equals stayed there."""
    axes = np.minimum(np.abs(w), CEILING_G)
    near, largest = axes[:, BEFORE - 10 : BEFORE + 16], axes.max(2)
    top, top_near = largest.max(1), near.max((1, 2))
    return {
        "axis_max_near_g": top_near,
        "axis_max_g": top,
        "axis_full_near": (near.max(2) >= _FULL * top_near[:, None]).sum(1).astype(np.float64),
        "axis_full": (largest >= _FULL * top[:, None]).sum(1).astype(np.float64),
    }
