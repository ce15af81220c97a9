"""The slow obvious twin of the fall detector: a whole recording at 20 Hz enters, its judged impacts leave, by loops."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from alerts.detectors import fall_features as ff
from alerts.detectors.fall_model import FallModel

BEFORE, AFTER = 60, 80
PARTS = ((0, 141), (20, 54), (50, 72), (68, 100), (100, 141))


def impacts(samples: np.ndarray) -> list[int]:
    size = [math.dist(s, (0, 0, 0)) if np.isfinite(s).all() else 0.0 for s in samples]
    found: list[int] = []
    for i, g in enumerate(size):
        if g >= 1.35 and g >= max(size[max(0, i - 12) : i + 13]) and (not found or i - found[-1] > 12):
            found.append(i)
    return found


def window(samples: np.ndarray, at: int) -> list[list[float]]:
    """The 141 samples around an impact; beyond a hole or the recording's end, the mean of the last 8 known."""

    def known(i: int) -> bool:
        return 0 <= i < len(samples) and bool(np.isfinite(samples[i]).all())

    first = at
    while known(first - 1) and first > at - BEFORE:
        first -= 1
    last = at
    while known(last + 1) and last < at + AFTER:
        last += 1
    head = samples[first : min(first + 8, last + 1)].mean(0)
    tail = samples[max(last - 7, first) : last + 1].mean(0)
    return [list(head if i < first else tail if i > last else samples[i]) for i in range(at - BEFORE, at + AFTER + 1)]


def clamp(i: int, low: int, high: int) -> int:
    return min(max(i, low), high)


def pattern_shares(signals: np.ndarray, part: dict[str, Any]) -> list[float]:
    """Signals (channels, 141): for each kernel and part of the window, the share of samples above the bias."""
    chosen = list(combinations(range(9), 3))
    out = []
    for q in np.argsort(part["dilation"], kind="stable"):
        dilation, taps = int(part["dilation"][q]), chosen[int(part["kernel"][q])]
        joined = signals[part["mask"][q] > 0].sum(0)
        above = []
        for i in range(141):
            total = 0.0
            for tap in range(9):
                weight = 2.0 if tap in taps else -1.0
                total += weight * float(joined[clamp(i + (tap - 4) * dilation, 0, 140)])
            above.append(total > part["bias"][q] + 1e-4)
        out += [sum(above[a:b]) / (b - a) for a, b in PARTS]
    return out


def network(part: dict[str, Any], x: np.ndarray) -> float:
    """Mean log-odds of the networks for one input, unit by unit."""
    odds = []
    for n in range(len(part["w1"])):
        hidden = [
            max(0.0, float(np.dot(x, part["w1"][n][:, h]) + part["b1"][n][h])) for h in range(part["w1"].shape[2])
        ]
        odds.append(sum(h * float(w) for h, w in zip(hidden, part["w2"][n], strict=True)) + float(part["b2"][n]))
    return sum(odds) / len(odds)


def convolution(part: dict[str, Any], n: int, signals: np.ndarray, size: np.ndarray) -> float:
    """Log-odds of one convolutional network, by loops: signals (channels, 141) and the most driven axis (141,)."""
    h = [[float(v) for v in row] for row in np.column_stack([signals.T, size])]
    h = [[(v - m) / s for v, m, s in zip(row, part["conv_mean"], part["conv_scale"], strict=True)] for row in h]
    for layer, taps in enumerate((7, 5, 5)):
        w, b = part[f"conv_w{layer}"][n].astype(float), part[f"conv_b{layer}"][n].astype(float)
        out = []
        for i in range(len(h)):
            around = [v for tap in range(taps) for v in h[clamp(i + tap - taps // 2, 0, len(h) - 1)]]
            out.append([max(0.0, v) for v in np.array(around) @ w + b])
        if layer < 2:
            out = [[max(a, c) for a, c in zip(out[i], out[i + 1], strict=True)] for i in range(0, len(out) - 1, 2)]
        h = out
    assert len(h) == 35
    table = np.array(h)
    v = np.concatenate([*(table[i : i + 7].mean(0) for i in range(0, 35, 7)), table.max(0)])
    hidden = np.maximum(v @ part["conv_wh"][n] + part["conv_bh"][n], 0)
    return float(hidden @ part["conv_wo"][n] + part["conv_bo"][n][0])


def score(model: FallModel, around: list[list[float]], position: str) -> float:
    one = np.array([around])
    named, signals = ff.statistics(one), ff.channels(one)
    logits = []
    for name in [position] if position in ("wrist", "waist") else ["wrist", "waist"]:
        part = model.parts[name]
        steps = np.linspace(0, 1, part["quantile"].shape[1])
        ranks = [float(np.interp(v[0], part["quantile"][i], steps)) for i, v in enumerate(named.values())]
        x = np.array(ranks + pattern_shares(signals[0].astype(np.float64), part))
        x = np.clip((x - part["mean"]) / part["scale"], -4, 4)
        odds = network(part, x)
        if name == "wrist":
            size = np.array([math.log1p(min(8.0, max(abs(v) for v in sample))) for sample in around])
            each = [convolution(part, n, signals[0], size) for n in range(len(part["conv_bo"]))]
            odds = odds / 2 + sum(each) / len(each) / 2
        logits.append(odds - float(part["operating_point"]))
    mean = sum(logits) / len(logits)
    return 1 / (1 + math.exp(-mean))


def judge(model: FallModel, samples: np.ndarray, position: str) -> list[tuple[float, float]]:
    """(seconds from the start, score) of every impact of a recording at 20 Hz."""
    return [(i / 20, score(model, window(samples, i), position)) for i in impacts(samples)]
