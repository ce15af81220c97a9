"""Labelled trials of the recorded sets enter, windows around impacts with what is known of their trials leave.

Every trial is resampled to the detector's rate, so that the rate cannot tell the label. Beside the plain copy there are
varied ones: other phases of the grid, other speeds and strengths, contexts cut short, so that neither a set's sampling
nor the length of what surrounds a movement is worth learning.
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
VARIANTS = 6
_VARIED_FROM = 3


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
            strength = rng.uniform(0.93, 1.07) if varied else 1.0
            samples = resampled(trial.samples * strength, hz, rng.uniform(0.15, 0.95) if variant else 0.0)
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


def _shorten(windows: np.ndarray, rng: np.random.Generator) -> None:
    """Cut the context of three in ten windows on either side, in place."""
    for window in windows:
        if rng.random() < 0.3:
            window[: ff.BEFORE - rng.integers(8, ff.BEFORE)] = np.nan
        if rng.random() < 0.3:
            window[ff.BEFORE + 1 + rng.integers(15, ff.AFTER) :] = np.nan
