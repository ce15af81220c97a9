"""The convolutional part of the fall model, trained in NumPy: windows' signals and labels enter, weights leave.

The layers are those of `alerts/detectors/fall_convolution.py`; here they are run with what the way back needs. Adam,
drop-out of channels and of the summed values, label smoothing, a warm-up and a cosine schedule; signals are shifted a
little as a whole; examples are drawn by weight. Seeded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alerts.detectors import fall_convolution as fc

WIDTHS = (32, 48, 64)
HIDDEN = 64
STEPS = 1500
_BATCH = 128
_RATE = 2e-3
_WARM_UP_STEPS = 100
_DECAY = 1e-3
_DROP_CHANNEL, _DROP_SUMMED, _DROP_HIDDEN = 0.1, 0.4, 0.4
_SMOOTH = 0.02
_SHIFT = 0.05
F = np.float32


class _Layer(NamedTuple):
    """What a layer's way back needs: unfolded input, its shape, output before the cut at 0, and channels kept."""

    unfolded: np.ndarray
    shape: tuple[int, ...]
    z: np.ndarray
    first: np.ndarray | None
    kept: np.ndarray | None


def scale(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread (CHANNELS,) of inputs (k, WIDTH, CHANNELS)."""
    return seen.mean((0, 1), np.float64).astype(F), seen.std((0, 1), np.float64).astype(F)


def initial(rng: np.random.Generator, channels: int, widths: tuple[int, ...], hidden: int) -> list[np.ndarray]:
    """Random weights in the order of `fall_convolution.NAMES`."""
    out: list[np.ndarray] = []
    for taps, width in zip(fc.TAPS, widths, strict=True):
        spread = np.sqrt(2 / (taps * channels))
        out += [rng.normal(0, spread, (taps * channels, width)).astype(F), np.zeros(width, F)]
        channels = width
    total = (fc.PARTS + 1) * channels
    out += [rng.normal(0, np.sqrt(2 / total), (total, hidden)).astype(F), np.zeros(hidden, F)]
    return [*out, rng.normal(0, 0.1, hidden).astype(F), np.zeros(1, F)]


def train(seen: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, steps: int = STEPS) -> list[np.ndarray]:
    """Weights of one network for scaled inputs (n, WIDTH, CHANNELS) and y (n,) of 0 and 1."""
    rng = np.random.default_rng(seed)
    p = initial(rng, seen.shape[2], WIDTHS, HIDDEN)
    mean, square = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p]
    drawn = np.cumsum(weight / weight.sum())
    for step in range(1, steps + 1):
        rate = _RATE * min(1.0, step / _WARM_UP_STEPS) * 0.5 * (1 + np.cos(np.pi * step / steps))
        i = np.minimum(np.searchsorted(drawn, rng.random(_BATCH)), len(seen) - 1)
        x = seen[i] + rng.normal(0, _SHIFT, (len(i), 1, seen.shape[2])).astype(F)
        for k, gradient in enumerate(gradients(p, x, y[i] * (1 - 2 * _SMOOTH) + _SMOOTH, rng)):
            mean[k] += F(0.1) * (gradient - mean[k])
            square[k] += F(0.001) * (gradient**2 - square[k])
            move = (mean[k] / F(1 - 0.9**step)) / (np.sqrt(square[k] / F(1 - 0.999**step)) + F(1e-8))
            p[k] -= F(rate) * (move + F(_DECAY if p[k].ndim > 1 or k == len(p) - 2 else 0.0) * p[k])
    return p


def gradients(
    p: list[np.ndarray], x: np.ndarray, target: np.ndarray, rng: np.random.Generator | None
) -> list[np.ndarray]:
    """Gradients of the mean cross-entropy by each of the weights; with `rng` something is dropped out."""
    h, layers = _layers(p, x, rng)
    *_, wh, bh, wo, bo = p
    top = h.argmax(1)
    keep_summed = _kept(rng, (len(x), len(wh)), _DROP_SUMMED, x.dtype)
    keep_hidden = _kept(rng, (len(x), len(bh)), _DROP_HIDDEN, x.dtype)
    v = fc.summed(h) * keep_summed
    z = v @ wh + bh
    a = np.maximum(z, 0) * keep_hidden
    error = ((1 / (1 + np.exp(-(a @ wo + bo[0]))) - target) / len(x)).astype(x.dtype)
    back = np.outer(error, wo) * keep_hidden * (z > 0)
    last = [v.T @ back, back.sum(0), a.T @ error, error.sum(keepdims=True)]
    spread = _spread((back @ wh.T) * keep_summed, h.shape, top)
    return [*_layers_back(p, layers, spread), *last]


def _layers(p: list[np.ndarray], x: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, list[_Layer]]:
    """Output (k, length, channels) of the last layer, and what each layer's way back needs."""
    layers = []
    h = x
    for layer, taps in enumerate(fc.TAPS):
        around = fc.unfolded(h, taps)
        z = (around @ p[2 * layer] + p[2 * layer + 1]).reshape(*h.shape[:2], -1)
        shape, first, kept = h.shape, None, None
        h = np.maximum(z, 0)
        if layer < fc.HALVED:
            pair = fc.paired(h)
            first = pair[:, :, 0] >= pair[:, :, 1]
            kept = _kept(rng, (len(h), 1, h.shape[2]), _DROP_CHANNEL, x.dtype)
            h = np.where(first, pair[:, :, 0], pair[:, :, 1]) * kept
        layers.append(_Layer(around, shape, z, first, kept))
    return h, layers


def _layers_back(p: list[np.ndarray], layers: list[_Layer], d: np.ndarray) -> list[np.ndarray]:
    """Gradients of the layers' weights, from the gradient `d` of the last layer's output."""
    out: list[np.ndarray] = []
    for number in reversed(range(len(layers))):
        layer = layers[number]
        if layer.first is not None:
            d = d * layer.kept
            end = 2 * d.shape[1]
            larger = np.zeros_like(layer.z)
            larger[:, 0:end:2], larger[:, 1:end:2] = d * layer.first, d * ~layer.first
            d = larger
        dz = (d * (layer.z > 0)).reshape(-1, d.shape[2])
        out = [layer.unfolded.T @ dz, dz.sum(0), *out]
        if number:
            d = _folded(dz @ p[2 * number].T, layer.shape, fc.TAPS[number])
    return out


def _folded(around: np.ndarray, shape: tuple[int, ...], taps: int) -> np.ndarray:
    """The reverse of `unfolded`: what came of a sample, summed up where it came from."""
    count, length, width = shape
    around = around.reshape(count, length, taps, width)
    padded = np.zeros((count, length + taps - 1, width), around.dtype)
    for tap in range(taps):
        padded[:, tap : tap + length] += around[:, :, tap]
    reach = taps // 2
    out = padded[:, reach : reach + length].copy()
    out[:, 0] += padded[:, :reach].sum(1)
    out[:, -1] += padded[:, reach + length :].sum(1)
    return out


def _spread(summed: np.ndarray, shape: tuple[int, ...], top: np.ndarray) -> np.ndarray:
    """The reverse of `summed`: the gradient (k, length, channels), where `top` (k, channels) held the largest."""
    count, length, width = shape
    out = np.empty(shape, summed.dtype)
    for n, (a, b) in enumerate(fc.parts(length)):
        out[:, a:b] = (summed[:, n * width : (n + 1) * width] / (b - a))[:, None]
    row, channel = np.indices((count, width))
    out[row, top, channel] += summed[:, -width:]
    return out


def _kept(rng: np.random.Generator | None, shape: tuple[int, ...], dropped: float, dtype: np.dtype) -> np.ndarray:
    """0 for the share that is dropped, and what makes up for it in the rest."""
    if rng is None:
        return np.ones(shape, dtype)
    return (rng.random(shape, F) >= dropped) * F(1 / (1 - dropped))
