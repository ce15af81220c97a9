"""A small network with one hidden layer, trained in NumPy: features and labels enter, weights leave.

Adam, drop-out on input and hidden layer, label smoothing and a cosine schedule; examples are drawn by weight. Seeded.
"""

from __future__ import annotations

import numpy as np

HIDDEN = 64
STEPS = 1500
_BATCH = 256
_RATE = 1e-3
_DECAY = 1e-3
_DROP_INPUT, _DROP_HIDDEN = 0.2, 0.4
_SMOOTH = 0.02


def train(x: np.ndarray, y: np.ndarray, weight: np.ndarray, seed: int, steps: int = STEPS) -> list[np.ndarray]:
    """Weights [w1 (features, hidden), b1, w2 (hidden,), b2 (1,)] for x (n, features), y (n,) of 0 and 1."""
    rng = np.random.default_rng(seed)
    f = np.float32
    width = x.shape[1]
    p = [
        rng.normal(0, 1 / np.sqrt(width), (width, HIDDEN)).astype(f),
        np.zeros(HIDDEN, f),
        rng.normal(0, 0.1, HIDDEN).astype(f),
        np.zeros(1, f),
    ]
    mean, square = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p]
    drawn = np.cumsum(weight / weight.sum())
    for step in range(1, steps + 1):
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        i = np.minimum(np.searchsorted(drawn, rng.random(_BATCH)), len(x) - 1)
        a = x[i] * _kept(rng, (_BATCH, width), _DROP_INPUT)
        z = a @ p[0] + p[1]
        keep = _kept(rng, z.shape, _DROP_HIDDEN)
        h = np.maximum(z, 0) * keep
        target = y[i] * (1 - 2 * _SMOOTH) + _SMOOTH
        error = ((1 / (1 + np.exp(-(h @ p[2] + p[3]))) - target) / _BATCH).astype(f)
        back = np.outer(error, p[2]) * keep * (z > 0)
        for k, gradient in enumerate((a.T @ back, back.sum(0), h.T @ error, error.sum(keepdims=True))):
            mean[k] += f(0.1) * (gradient - mean[k])
            square[k] += f(0.001) * (gradient**2 - square[k])
            move = (mean[k] / f(1 - 0.9**step)) / (np.sqrt(square[k] / f(1 - 0.999**step)) + f(1e-8))
            p[k] -= f(rate) * (move + f(_DECAY if p[k].ndim > 1 or k == 2 else 0.0) * p[k])
    return p


def _kept(rng: np.random.Generator, shape: tuple[int, ...], dropped: float) -> np.ndarray:
    """0 for the share that is dropped (to 1/256), and what makes up for it in the rest; bytes are drawn quicker."""
    limit = round(256 * dropped)
    return (rng.integers(0, 256, shape, np.uint8) >= limit) * np.float32(256 / (256 - limit))


def log_odds(p: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Log-odds (n,) of x (n, features)."""
    return np.asarray(np.maximum(x @ p[0] + p[1], 0) @ p[2] + p[3])
