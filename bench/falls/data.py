"""Labelled trials of the recorded sets enter, windows around impacts with what is known of their trials leave.

Every trial is resampled to the detector's rate, so that the rate cannot tell the label. Beside the plain copy there are
varied ones: other phases of the grid, other speeds and strengths, gentler movements, other sensors (turned, ill
calibrated, noisy, cut off at 2 to 6 g), contexts cut short, so that neither a set's sampling and sensor nor the length
of what surrounds a movement is worth learning.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alerts.detectors import fall_features as ff

SETS = ("weda_fall", "umafall", "smartfallmm", "sisfall", "spsw_har")
VARIANTS = 7
_VARIED_FROM = 3
# Ranges at which axes are cut off: usual ones of wearables, and some between. One recorded sensor has 2 g, one 4 g.
_RANGES_G = (2.0, 3.0, 4.0, 6.0)
_CUT_OFF_SHARE = 0.5
# Some movements are made gentler or a little harder. Not at the wrist: there the sets differ in just that, and a model
# that cannot tell it wants an operating point for each (docs/detectors.md).
_GENTLER_SHARE = {"wrist": 0.0, "waist": 0.4}
_GENTLER = (0.6, 1.15)


class Trial(NamedTuple):
    """One recording with its label; samples (n, 3) in g."""

    set: str
    position: str
    person: str
    older: bool
    fall: bool
    activity: str
    hz: float
    samples: np.ndarray


@dataclass(frozen=True)
class Impacts:
    """Windows (k, WIDTH, 3) with, for each: its trial, variant, label, and whether it is the trial's largest."""

    windows: np.ndarray
    trial: np.ndarray
    variant: np.ndarray
    fall: np.ndarray
    largest: np.ndarray

    def take(self, index: np.ndarray) -> Impacts:
        fields = (self.windows, self.trial, self.variant, self.fall, self.largest)
        return Impacts(*(field[index] for field in fields))


def read(root: Path, position: str) -> list[Trial]:
    """All trials of all sets at a position ("wrist" or "waist"); a set that is absent is an error."""
    return [trial for name in SETS for trial in _read_set(root / name) if trial.position == position]


def _read_set(folder: Path) -> Iterator[Trial]:
    with np.load(folder / "signals.npz") as archive:
        acc = archive["acc_mg"]
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            start, n = int(row["acc_start"]), int(row["acc_n"])
            yield Trial(
                set=folder.name,
                position=row["position"].split("_")[0],
                person=f"{folder.name}/{row['subject']}",
                older=row["group"] == "older",
                fall=row["is_fall"] == "1",
                activity=row["activity_name"],
                hz=float(row["fs_hz"]),
                samples=acc[start : start + n].astype(np.float64) / 1000,
            )


def resampled(samples: np.ndarray, hz: float, phase: float) -> np.ndarray:
    """Samples (n, 3) at `hz` on the detector's grid, which begins `phase` of a step after the first sample."""
    at = np.arange(len(samples)) / hz
    grid = np.arange(phase / ff.HZ, at[-1] + 1e-9, 1 / ff.HZ)
    return np.stack([np.interp(grid, at, samples[:, axis]) for axis in range(3)], 1)


def impacts(trials: list[Trial], seed: int) -> Impacts:
    """Every impact of every trial in all its variants; variant 0 is the plain one."""
    rng = np.random.default_rng(seed)
    windows, rows = [], []
    for number, trial in enumerate(trials):
        for variant in range(VARIANTS):
            varied = variant >= _VARIED_FROM
            hz = trial.hz * (rng.uniform(0.88, 1.12) if varied else 1.0)
            samples = _other_sensor(_gentler(trial, rng), rng) if varied else trial.samples
            samples = resampled(samples, hz, rng.uniform(0.15, 0.95) if variant else 0.0)
            magnitude = np.linalg.norm(samples, axis=1)
            at = ff.impacts(magnitude)
            if not len(at):
                continue
            cut = ff.cut(samples, at)
            if varied:
                _shorten(cut, rng)
            windows.append(cut.astype(np.float32))
            top = magnitude[at].max()
            rows += [(number, variant, trial.fall, magnitude[i] == top) for i in at]
    table = np.array(rows)
    return Impacts(np.concatenate(windows), table[:, 0], table[:, 1], table[:, 2] > 0, table[:, 3] > 0)


def _gentler(trial: Trial, rng: np.random.Generator) -> np.ndarray:
    """Samples (n, 3); in a share of the trials what differs from the mean of a second around is scaled."""
    if rng.random() >= _GENTLER_SHARE[trial.position]:
        return trial.samples
    width = round(trial.hz) | 1
    padded = np.pad(trial.samples, ((width // 2 + 1, width // 2), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=0)
    slow = (total[width:] - total[:-width]) / width
    return np.asarray(slow + rng.uniform(*_GENTLER) * (trial.samples - slow))


def _other_sensor(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same movement as another sensor might give it: turned, ill calibrated, noisy, with a smaller range."""
    out = samples * rng.uniform(0.93, 1.07)
    out = out * rng.uniform(0.95, 1.05, 3) + rng.normal(0, 0.025, 3)
    out = out @ _rotation(rng)
    if rng.random() < _CUT_OFF_SHARE:
        limit = rng.choice(_RANGES_G)
        out = np.clip(out, -limit, limit)
    return np.asarray(out + rng.normal(0, 0.03 * rng.random(), out.shape))


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix, all turns equally likely, from a random unit quaternion."""
    q = rng.normal(size=4)
    w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _shorten(windows: np.ndarray, rng: np.random.Generator) -> None:
    """Cut the context of three in ten windows on either side, in place."""
    for window in windows:
        if rng.random() < 0.3:
            window[: ff.BEFORE - rng.integers(8, ff.BEFORE)] = np.nan
        if rng.random() < 0.3:
            window[ff.BEFORE + 1 + rng.integers(15, ff.AFTER) :] = np.nan
