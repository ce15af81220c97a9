"""Falls from motion windows: accelerometer windows of devices enter, `fall` findings leave.

Every stream is resampled to 20 Hz into a ring buffer of 16 s per device, so that windows join whatever their length,
and late or repeated ones find their place. An impact is judged once 4 s after it have been seen, or when no further
window has come for 5 s, by what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from alerts.detectors import fall_features
from alerts.detectors.base import Batch, Finding, Floats, Ints, Rows, checked, grown
from alerts.detectors.fall_model import FallModel, production
from alerts.detectors.parameters import (
    FALL_AGAIN_AFTER,
    FALL_BUFFER,
    FALL_GAP_BRIDGED,
    FALL_THRESHOLD,
    FALL_WAIT,
)
from core.errors import BadInput
from core.limits import ACCELERATION_G_MAX, MOTION_HZ_MAX, MOTION_HZ_MIN
from core.vocabulary import Severity

HZ: Final = fall_features.HZ
_RING: Final = round(FALL_BUFFER.value * HZ)
_CHUNK: Final = round(4 * HZ)
_POSITIONS: Final = ("unknown", "wrist", "waist")
# A window's start this near to the common grid is taken to lie on it; timestamps are no finer.
_SNAP_SAMPLES: Final = 0.2
_NEVER: Final = np.iinfo(np.int64).min // 2

_FIELDS: Final[dict[str, tuple[tuple[int, ...], float, type]]] = {
    "ring": ((_RING, 3), np.nan, np.float32),
    "origin": ((), np.nan, np.float64),
    "head": ((), 0, np.int64),
    "judged": ((), 0, np.int64),
    "waiting": ((), 0, np.int8),
    "idle_since": ((), np.nan, np.float64),
    "last_fall": ((), -np.inf, np.float64),
    "position": ((), 0, np.int8),
}

Observer = Callable[[int, float, float], None]


class FallDetector:
    """A streaming fall detector for any device that sends motion windows of 10-200 Hz from wrist or waist."""

    name = "falls"

    def __init__(self, observer: Observer | None = None, model: FallModel | None = None) -> None:
        """`observer(device_key, impact_time, score)` is told of every impact judged, fall or not."""
        self._model = model or production()
        self.version = self._model.version
        self._rows = Rows()
        self._s: dict[str, np.ndarray[Any, Any]] = {
            name: np.full((0, *shape), fill, dtype) for name, (shape, fill, dtype) in _FIELDS.items()
        }
        self._observer = observer

    def consume(self, batch: Batch) -> list[Finding]:  # noqa: ARG002 -- the contract has it
        """Readings tell nothing about falls; motion comes in through `consume_window`."""
        return []

    def consume_window(
        self, device_key: int, t0: float, hz: float, samples_g: np.ndarray[Any, Any], position: str = "unknown"
    ) -> list[Finding]:
        """Take a window of acceleration, gravity included, in g: (n, 3), sample i at `t0 + i / hz` Unix seconds.

        `position` is "wrist" or "waist"; anything else counts as unknown. Samples that are not finite are holes.
        Raises BadInput for a rate, time or shape that no sensor can have meant.
        """
        samples = np.asarray(samples_g)
        if samples.ndim != 2 or samples.shape[1] != 3 or samples.dtype.kind not in "fiu":
            raise BadInput(f"a motion window is an array (n, 3) of numbers, got {samples.shape} of {samples.dtype}")
        if not (MOTION_HZ_MIN <= hz <= MOTION_HZ_MAX) or not np.isfinite(t0):
            raise BadInput(f"a motion window cannot have {hz} Hz from {t0}")
        if device_key < 0:
            return []
        row = self._row(device_key)
        self._s["position"][row] = _POSITIONS.index(position) if position in _POSITIONS else 0
        findings: list[Finding] = []
        # Parts of at most 4 s, so that every impact is judged before the ring overwrites it.
        step = max(2, int(_CHUNK / HZ * hz))
        for start in range(0, len(samples), step):
            part = np.clip(
                np.asarray(samples[start : start + step + 1], np.float64), -ACCELERATION_G_MAX, ACCELERATION_G_MAX
            )
            findings += self._take(row, t0 + start / hz, hz, part)
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Judge what has waited 5 s for a further window, by device time or counted from the first tick since."""
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        waiting = s["waiting"][:n] > 0
        s["idle_since"][:n][waiting & np.isnan(s["idle_since"][:n])] = now
        newest = s["origin"][:n] + s["head"][:n] / HZ
        due = waiting & ((now - newest >= FALL_WAIT.value) | (now - s["idle_since"][:n] >= FALL_WAIT.value))
        findings: list[Finding] = []
        for row in np.flatnonzero(due):
            findings += self._judge(int(row), final=True)
            s["waiting"][row] = 0
        return findings

    def flush(self) -> list[Finding]:
        """Judge everything that still waits, as after a long enough pause."""
        return self.tick(float(np.finfo(np.float64).max))

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        n = len(self._rows)
        return {"device": self._rows.keys.copy(), **{name: array[:n].copy() for name, array in self._s.items()}}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self._s = checked(self.name, "device", state, _FIELDS)
        self._rows.load(np.array(state["device"]))

    def _row(self, device_key: int) -> int:
        row = int(self._rows.add(np.array([device_key]))[0])
        for name, (_, fill, _) in _FIELDS.items():
            self._s[name] = grown(self._s[name], len(self._rows), fill)
        return row

    def _take(self, row: int, t0: float, hz: float, samples: Floats) -> list[Finding]:
        """Put up to 4 s of samples into the ring and judge what has become ripe."""
        s = self._s
        findings: list[Finding] = []
        position = (t0 - s["origin"][row]) * HZ  # of the first sample on the device's grid
        ahead = position - s["head"][row]
        if not (-_RING + _CHUNK < ahead < _RING - _CHUNK):
            # First window, long pause, or the device's clock was set: what waits is judged, and a new grid begins.
            if np.isfinite(ahead):
                findings += self._judge(row, final=True)
            s["ring"][row] = np.nan
            s["origin"][row], s["head"][row], s["judged"][row] = t0, -1, -1
            position = 0.0
        if abs(position - round(position)) < _SNAP_SAMPLES:
            position = float(round(position))
        grid, values = _resample(samples, hz, position)
        if not len(grid):
            return findings
        skipped = np.arange(s["head"][row] + 1, grid[-1] + 1)
        s["ring"][row, skipped % _RING] = np.nan
        s["head"][row] = max(int(s["head"][row]), int(grid[-1]))
        free = np.isnan(s["ring"][row, grid % _RING, 0]) & (grid > s["head"][row] - _RING)
        grid, values = grid[free], values[free]
        if not len(grid):
            return findings  # seen before
        s["ring"][row, grid % _RING] = values
        s["waiting"][row], s["idle_since"][row] = 1, np.nan
        # A late window changes what is known around it.
        s["judged"][row] = min(int(s["judged"][row]), int(grid[0]) - 1)
        return findings + self._judge(row, final=False)

    def _judge(self, row: int, *, final: bool) -> list[Finding]:
        """Score the impacts not judged yet; with `final` also those whose aftermath is not complete."""
        s = self._s
        head, judged = int(s["head"][row]), int(s["judged"][row])
        ripe = head if final else head - fall_features.AFTER
        if ripe <= judged:
            return []
        first = max(head - _RING + 1, 0)
        grid = np.arange(first, head + 1)
        samples = _bridged(s["ring"][row, grid % _RING].astype(np.float64))
        at = fall_features.impacts(np.linalg.norm(samples, axis=1))
        at = at[(grid[at] > judged) & (grid[at] <= ripe)]
        if not final:
            s["judged"][row] = ripe
        if not len(at):
            return []
        position = _POSITIONS[int(s["position"][row])]
        score, known = self._model.score(fall_features.cut(samples, at), position)
        findings = []
        for i, index in enumerate(at):
            time = float(s["origin"][row] + grid[index] / HZ)
            if self._observer:
                self._observer(int(self._rows.keys[row]), time, float(score[i]))
            if score[i] >= FALL_THRESHOLD.value and abs(time - s["last_fall"][row]) > FALL_AGAIN_AFTER.value:
                s["last_fall"][row] = time
                evidence = {name: round(float(value[i]), 3) for name, value in known.items()}
                findings.append(
                    self._finding(
                        row, time, float(score[i]), evidence, complete=grid[index] + fall_features.AFTER <= head
                    )
                )
        return findings

    def _finding(self, row: int, time: float, score: float, evidence: dict[str, Any], *, complete: bool) -> Finding:
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="fall",
            time=time,
            score=score,
            severity=Severity.CRITICAL,
            phase="raised",
            evidence={
                "value": evidence["peak_g"],
                "unit": "g",
                "limit": FALL_THRESHOLD.value,
                "rule": f"fall score >= {FALL_THRESHOLD.value:g}",
                "position": _POSITIONS[int(self._s["position"][row])],
                "aftermath_complete": bool(complete),
                **evidence,
            },
        )


def _resample(samples: Floats, hz: float, position: float) -> tuple[Ints, Floats]:
    """Grid indices and values (k, 3) of a window whose first sample lies at `position` on the 20 Hz grid.

    Linear interpolation between finite samples; grid points beside a hole stay away.
    """
    good = np.isfinite(samples).all(1)
    at = position + np.arange(len(samples)) * (HZ / hz)
    at, samples = at[good], samples[good]
    if not len(at):
        return np.empty(0, np.int64), np.empty((0, 3))
    grid = np.arange(int(np.ceil(at[0] - 1e-6)), int(np.floor(at[-1] + 1e-6)) + 1)
    right = np.searchsorted(at, grid - 1e-6)
    near = np.minimum(np.abs(at[np.clip(right, 0, len(at) - 1)] - grid), np.abs(at[np.maximum(right - 1, 0)] - grid))
    grid = grid[near <= max(1.0, HZ / hz) + 1e-6]
    return grid, np.stack([np.interp(grid, at, samples[:, axis]) for axis in range(3)], 1)


def _bridged(samples: Floats) -> Floats:
    """Samples (n, 3) with short holes interpolated; longer ones stay NaN."""
    hole = np.isnan(samples[:, 0])
    if not hole.any() or hole.all():
        return samples
    index = np.arange(len(samples))
    before = np.maximum.accumulate(np.where(hole, -len(samples), index))
    after = np.minimum.accumulate(np.where(hole, 2 * len(samples), index)[::-1])[::-1]
    short = hole & (after - before - 1 <= FALL_GAP_BRIDGED.value * HZ)
    out = samples.copy()
    for axis in range(3):
        out[short, axis] = np.interp(index[short], index[~hole], samples[~hole, axis])
    return out
