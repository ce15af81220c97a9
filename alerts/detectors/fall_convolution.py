"""The convolutional part of the fall model: filled windows around impacts enter, log-odds leave.

Three layers over the seven signals of `fall_features` and the size of the most driven axis (which tells where a sensor
is cut off), 20 Hz, 7 s; after each of the first two the larger of two neighbours is kept. What is left is summed up by
part of the window and at its largest, and one hidden layer weighs it. A convolution is one matrix product over unfolded
samples; `bench/falls/convolution.py` trains the same layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.detectors import fall_features as ff
from alerts.detectors.base import Floats

Single = NDArray[np.float32]

CHANNELS: Final = ff.CHANNELS + 1
TAPS: Final = (7, 5, 5)
LAYERS: Final = len(TAPS)
HALVED: Final = LAYERS - 1
"""After so many layers, from the first, the number of samples is halved."""
PARTS: Final = 5
NAMES: Final = (
    *("conv_mean", "conv_scale"),
    *(f"conv_{kind}{layer}" for layer in range(LAYERS) for kind in "wb"),
    *("conv_wh", "conv_bh", "conv_wo", "conv_bo"),
)
"""Arrays of a position: mean and scale (CHANNELS,); then with the networks first, (nets, taps * channels in, channels
out) and (nets, channels out) by layer, and the hidden layer's and the output's weights and biases."""


def inputs(filled: Floats, signals: Single) -> Single:
    """What the network sees (k, WIDTH, CHANNELS), of filled windows (k, WIDTH, 3) in g and their signals."""
    axis = np.log1p(np.minimum(np.abs(filled).max(2), ff.CEILING_G)).astype(np.float32)
    return np.concatenate([signals.transpose(0, 2, 1), axis[:, :, None]], 2)


def log_odds(part: Mapping[str, NDArray[Any]], seen: Single) -> Floats:
    """Mean log-odds (k,) over the networks of a position for inputs (k, WIDTH, CHANNELS)."""
    scaled = np.asarray((seen - part["conv_mean"]) / part["conv_scale"], np.float32)
    each = [forward([part[name][n] for name in NAMES[2:]], scaled) for n in range(len(part["conv_bo"]))]
    return np.asarray(np.mean(each, axis=0), np.float64)


def forward(weights: list[Single], scaled: Single) -> Single:
    """Log-odds (k,) by one network's weights, in the order of NAMES, of scaled inputs."""
    h = scaled
    for layer, taps in enumerate(TAPS):
        count, length, _ = h.shape
        z = (unfolded(h, taps) @ weights[2 * layer] + weights[2 * layer + 1]).reshape(count, length, -1)
        h = np.maximum(z, 0)
        if layer < HALVED:
            h = paired(h).max(2)
    *_, wh, bh, wo, bo = weights
    return np.asarray(np.maximum(summed(h) @ wh + bh, 0) @ wo + bo[0], np.float32)


def unfolded(h: Single, taps: int) -> Single:
    """Each sample of (k, length, channels) with its neighbours, edges repeated: (k * length, taps * channels)."""
    count, length, width = h.shape
    reach = taps // 2
    padded = np.pad(h, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=1)
    return around.transpose(0, 1, 3, 2).reshape(count * length, taps * width)


def paired(h: Single) -> Single:
    """Neighbours side by side: (k, length // 2, 2, channels); an odd last sample is left out."""
    count, length, width = h.shape
    return h[:, : length // 2 * 2].reshape(count, length // 2, 2, width)


def parts(length: int) -> list[tuple[int, int]]:
    """Beginning and end of each part of `length` samples."""
    edges = np.linspace(0, length, PARTS + 1).astype(int).tolist()
    return list(pairwise(edges))


def summed(h: Single) -> Single:
    """Means by part and the largest of (k, length, channels): (k, (parts + 1) * channels)."""
    means = [h[:, a:b].mean(1) for a, b in parts(h.shape[1])]
    return np.concatenate([*means, h.max(1)], 1)
