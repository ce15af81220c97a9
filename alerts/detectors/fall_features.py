"""Features of an impact: windows of acceleration around it enter, numbers that no turning of the device changes leave.

All is computed at 20 Hz from 3 s before to 4 s after the impact, vectorised over impacts. What is missing at either
edge (a stream that begins or ends) is filled with the mean of the nearest 0.4 s.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from alerts.detectors.base import Bools, Floats, Ints
from alerts.detectors.parameters import FALL_AFTER, FALL_BEFORE, FALL_PEAK_APART, FALL_RATE, FALL_TRIGGER

HZ: Final = FALL_RATE.value
BEFORE: Final = round(FALL_BEFORE.value * HZ)
AFTER: Final = round(FALL_AFTER.value * HZ)
WIDTH: Final = BEFORE + 1 + AFTER
APART: Final = round(FALL_PEAK_APART.value * HZ)
_EDGE: Final = 8
_CEILING_G: Final = 8.0

# Sub-windows around the impact, samples relative to it, end excluded.
_SPANS: Final = (
    (-60, -40), (-40, -20), (-20, -10), (-10, -4), (-4, 5), (5, 11), (11, 21), (21, 41), (41, 61), (61, 81),
)  # fmt: skip
_POSTURES: Final = ((-60, -20), (-20, -6), (6, 20), (20, 40), (40, 81))


def impacts(magnitude: Floats) -> Ints:
    """Indices where |a| (n,), g, is at least the trigger and the largest within 0.6 s; NaN is no impact."""
    m = np.nan_to_num(magnitude, nan=0.0)
    padded = np.pad(m, APART)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * APART + 1).max(1)
    found: Ints = np.flatnonzero((m >= FALL_TRIGGER.value) & (m >= around))
    # Of equal neighbours (a clipped sensor) the first stands for all.
    return found[np.diff(found, prepend=-WIDTH) > APART] if len(found) else found


def cut(samples: Floats, at: Ints) -> Floats:
    """Windows (k, WIDTH, 3) around the samples `at` of (n, 3); NaN where there is nothing."""
    index = at[:, None] + np.arange(-BEFORE, AFTER + 1)
    inside = (index >= 0) & (index < len(samples))
    return np.where(inside[:, :, None], samples[np.clip(index, 0, len(samples) - 1)], np.nan)


def fill(windows: Floats) -> Floats:
    """Windows without NaN: holes around the impact are cut off as edges, edges get the mean beside them."""
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


def features(windows: Floats) -> dict[str, Any]:
    """What is known of each impact, name -> (k,), from windows (k, WIDTH, 3) in g."""
    w = fill(windows)
    m = np.minimum(np.linalg.norm(w, axis=2), _CEILING_G)
    jerk = np.zeros_like(m)
    jerk[:, 1:] = np.minimum(np.linalg.norm(np.diff(w, axis=1), axis=2), _CEILING_G)
    before, lying = w[:, BEFORE - 60 : BEFORE - 20].mean(1), w[:, BEFORE + 40 : BEFORE + 81].mean(1)
    cosine = (before * lying).sum(1) / np.maximum(np.linalg.norm(before, axis=1) * np.linalg.norm(lying, axis=1), 1e-6)
    return {
        "peak_g": m[:, BEFORE],
        "dip_g": m[:, BEFORE - 24 : BEFORE + 1].min(1),
        "posture_change_deg": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        "still_share": (jerk[:, BEFORE + 20 :] < 0.1).mean(1),
    }
