"""The trained fall model: windows around impacts and the sensor's position enter, scores 0-1 leave.

Per position (wrist, waist) a few small networks with one hidden layer look at the features of `fall_features`; at the
wrist two convolutional ones (`fall_convolution`) look at the signals and count for half. The mean log-odds less the
operating point give the score, so that 0.5 is the operating point. An unknown position gets the mean of both.
`bench/falls/train.py` makes the weights; NumPy alone runs them.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.detectors import fall_convolution
from alerts.detectors import fall_features as ff
from alerts.detectors.base import Floats
from core.errors import BadInput

WEIGHTS: Final = Path(__file__).parent / "weights" / "falls.npz"
POSITIONS: Final = ("wrist", "waist")
_CLIP: Final = 4.0
_LOGIT_MAX: Final = 30.0
_NAMES: Final = (
    *("dilation", "kernel", "mask", "bias", "quantile", "mean", "scale"),
    *("w1", "w1_step", "b1", "w2", "b2", "operating_point"),
)
"""Arrays of a position; w1 is stored as whole steps of one byte, w1_step (nets, hidden) is the size of a step."""

Arrays = dict[str, NDArray[Any]]


class FallModel:
    """Weights for every position; holds no state."""

    def __init__(self, arrays: Arrays) -> None:
        """`arrays`: see `bench/falls/train.py`; raises BadInput where one is missing."""
        try:
            self.version = str(arrays["version"])
            self.parts = {position: _part(arrays, position) for position in POSITIONS}
        except KeyError as error:
            raise BadInput(f"fall model lacks {error}") from error

    def score(self, windows: Floats, position: str) -> tuple[Floats, dict[str, Floats]]:
        """Scores (k,) of windows (k, WIDTH, 3) in g with NaN for what is missing, and the features worth showing."""
        filled = ff.fill(windows)
        named, signals = ff.statistics(filled), ff.channels(filled)
        used = [position] if position in POSITIONS else list(POSITIONS)
        logits = [logit(self.parts[name], named, signals, filled) for name in used]
        mean = np.clip(np.mean(logits, axis=0), -_LOGIT_MAX, _LOGIT_MAX)
        return 1 / (1 + np.exp(-mean)), ff.shown(named)


def inputs(part: Arrays, named: dict[str, Floats], signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network sees (k, features): statistics as their rank among the training impacts, then patterns."""
    table = np.stack(list(named.values()), 1)
    steps = np.linspace(0, 1, part["quantile"].shape[1])
    ranks = [np.interp(table[:, i], part["quantile"][i], steps) for i in range(table.shape[1])]
    both = np.concatenate([np.stack(ranks, 1).astype(np.float32), ff.patterns(signals, part)], 1)
    return np.clip((both - part["mean"]) / part["scale"], -_CLIP, _CLIP)


def logit(part: Arrays, named: dict[str, Floats], signals: NDArray[np.float32], filled: Floats) -> Floats:
    """Log-odds (k,) less the operating point, by one position's weights."""
    odds = network(part, inputs(part, named, signals))
    if _has_convolutions(part):
        odds = (odds + fall_convolution.log_odds(part, fall_convolution.inputs(filled, signals))) / 2
    return np.asarray(odds - part["operating_point"], np.float64)


def network(part: Arrays, x: NDArray[np.float32]) -> Floats:
    """Mean log-odds (k,) over the networks: w1 (nets, features, hidden), b1 (nets, hidden), w2 (nets, hidden), b2."""
    hidden = np.maximum(np.einsum("kf,nfh->nkh", x, part["w1"], optimize=True) + part["b1"][:, None], 0)
    return np.asarray((np.einsum("nkh,nh->nk", hidden, part["w2"]) + part["b2"][:, None]).mean(0), np.float64)


def _part(arrays: Arrays, position: str) -> Arrays:
    mine = {name.removeprefix(f"{position}_") for name in arrays if name.startswith(f"{position}_")}
    names = (*_NAMES, *(fall_convolution.NAMES if _has_convolutions(mine) else ()))
    part = {name: np.asarray(arrays[f"{position}_{name}"]) for name in names}
    part["w1"] = part["w1"].astype(np.float32) * part["w1_step"][:, None]
    return part


def _has_convolutions(names: Container[str]) -> bool:
    return "conv_mean" in names


@cache
def production() -> FallModel:
    """The model shipped with the product."""
    with np.load(WEIGHTS, allow_pickle=False) as archive:
        return FallModel(dict(archive))
