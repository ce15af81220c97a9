"""Places: positions with their accuracy and a person's safe areas enter; leaving, coming back and wandering leave.

A person is outside when two fixes in a row say so even if each is wrong by its accuracy, and back when two fixes in a
row lie inside. A fix that could be either changes nothing. Wandering is a walk that goes nowhere: long, turning sharply
again and again, and ending near where it began. No position stands in an alert's evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors import parameters_home as p
from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from alerts.detectors.ordering import order_fields, take
from alerts.detectors.path import METRES_PER_DEGREE, steps_m, tortuosity
from core.errors import BadInput
from core.vocabulary import Severity

SHANGHAI_OFFSET_SECONDS: Final = 8 * 3600
CORNERS_MAX: Final = 64
_CORNERS: Final = int(p.WANDER_CORNERS.value)
_COLUMN: Final = column_of(("lat", "lon", "loc_acc"))
_FENCES: Final = {
    "fence_subject": ((), np.int64),
    "fence_corner": ((CORNERS_MAX, 2), np.float64),
    "fence_radius": ((), np.float64),
    "fence_minutes": ((2,), np.int64),
}


@dataclass(frozen=True, slots=True)
class Fence:
    """A safe area: a circle (one corner and a radius) or a polygon; in force from minute to minute of the local day.

    `corners`: (latitude, longitude) in degrees. A schedule that ends before it begins lasts over midnight; equal ends
    mean always.
    """

    corners: tuple[tuple[float, float], ...]
    radius_m: float = 0.0
    from_minute: int = 0
    to_minute: int = 0


class PlaceDetector(Keyed):
    """Leaving the safe area (`geofence_exit`) and walking about without a goal (`wandering`), per resident."""

    name = "place"
    version = "2"
    fields: ClassVar = {
        **order_fields(()),
        "partial": ((3,), np.nan, np.float64),
        "partial_time": ((), np.nan, np.float64),
        "fix_time": ((), np.nan, np.float64),
        "outside": ((), 0, np.int8),
        "inside": ((), 0, np.int8),
        "rank": ((), 0, np.int8),
        "corner": ((_CORNERS, 3), np.nan, np.float64),  # time, latitude, longitude; the newest last
        "wandering": ((), 0, np.int8),
    }

    def __init__(self, utc_offset_seconds: float = SHANGHAI_OFFSET_SECONDS) -> None:
        super().__init__()
        self._offset = utc_offset_seconds
        self._f: dict[str, np.ndarray[Any, Any]] = {n: np.empty((0, *d), t) for n, (d, t) in _FENCES.items()}

    def set_fences(self, fences: Mapping[int, Sequence[Fence]]) -> None:
        """Replace everybody's fences. Raises BadInput for a fence without corners, area or with too many corners."""
        flat = [(subject, fence) for subject, some in sorted(fences.items()) for fence in some]
        table: dict[str, np.ndarray[Any, Any]] = {n: np.zeros((len(flat), *d), t) for n, (d, t) in _FENCES.items()}
        for i, (subject, fence) in enumerate(flat):
            n = len(fence.corners)
            if subject < 0 or not ((n == 1 and fence.radius_m > 0) or 3 <= n <= CORNERS_MAX):
                raise BadInput(f"a fence is a circle or has 3 to {CORNERS_MAX} corners, got {n}")
            if not np.isfinite(fence.corners).all() or not np.isfinite(fence.radius_m):
                raise BadInput("corners and radius of a fence must be finite")
            corners = np.asarray(fence.corners, float)
            table["fence_subject"][i] = subject
            table["fence_corner"][i, :n] = corners
            table["fence_corner"][i, n:] = corners[0]  # the ring closes on its first corner
            table["fence_radius"][i] = fence.radius_m
            table["fence_minutes"][i] = (fence.from_minute, fence.to_minute)
        self._f = table

    def consume(self, batch: Batch) -> list[Finding]:
        """Latitude, longitude and accuracy of the same moment make a fix; a fix is judged once it is complete."""
        batch, column = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row = self._row(batch.subject)
        moments, which = np.unique(np.stack([row.astype(float), batch.time]), axis=1, return_inverse=True)
        fix = np.full((moments.shape[1], 3), np.nan)
        np.fmax.at(fix, (which.ravel(), column), batch.value)
        rows, times = moments[0].astype(np.int64), moments[1]
        findings: list[Finding] = []
        for at in rounds(rows, times, np.zeros(len(rows))):
            findings += self._moment(rows[at], times[at], fix[at])
        return findings

    def tick(self, now: float) -> list[Finding]:  # noqa: ARG002 -- the contract's
        """Nothing comes of time alone: who sends no position is not known to be outside."""
        return []

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        return {**super().state(), **{name: array.copy() for name, array in self._f.items()}}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        fences = {name: np.array(state[name]) for name in _FENCES if name in state}
        if fences.keys() != _FENCES.keys() or any(
            array.shape != (len(fences["fence_subject"]), *_FENCES[name][0]) or array.dtype != _FENCES[name][1]
            for name, array in fences.items()
        ):
            raise BadInput(f"checkpoint of {self.name} does not fit: fences")
        super().restore(state)
        self._f = fences

    def _moment(self, r: Ints, time: Floats, fix: Floats) -> list[Finding]:
        """One moment of each resident in r; the parts of a fix may come in different batches."""
        s = self._s
        same = s["partial_time"][r] == time
        fix = np.where(np.isnan(fix) & same[:, None], s["partial"][r], fix)
        newer = same | np.isnan(s["partial_time"][r]) | (time > s["partial_time"][r]) | (time < s["newest"][r])
        s["partial"][r[newer]], s["partial_time"][r[newer]] = fix[newer], time[newer]
        whole = np.flatnonzero(np.isfinite(fix[:, :2]).all(1))
        r, time, fix = r[whole], time[whole], fix[whole]
        taken, _ = take(s, (r,), time)
        accuracy = np.where(np.isnan(fix[:, 2]), p.FENCE_ACCURACY.value, fix[:, 2])
        use = np.flatnonzero(taken & (accuracy <= p.FENCE_ACCURACY_MAX.value))
        findings: list[Finding] = []
        for i in use:
            row, at, place, wrong_m = int(r[i]), float(time[i]), fix[i, :2], float(accuracy[i])
            findings += self._judge(row, at, place, wrong_m)
            if wrong_m <= p.WANDER_ACCURACY_MAX.value:
                findings += self._follow_path(row, at, place, wrong_m)
        return findings

    def _follow_path(self, row: int, time: float, at: Floats, accuracy: float) -> list[Finding]:
        """A fix far enough from the last corner of the walk is the next one; judged by the corners of the window."""
        s = self._s
        corner = s["corner"][row]
        corner[~(np.abs(corner[:, 0] - time) <= p.WANDER_WINDOW.value)] = np.nan
        known = corner[~np.isnan(corner[:, 0])]
        leg_m = np.inf if not len(known) else float(np.hypot(*steps_m(np.stack([known[-1, 1:], at]))[0]))
        if leg_m >= max(p.WANDER_LEG.value, p.WANDER_LEG_ACCURACIES.value * accuracy):
            corner[:-1], corner[-1] = corner[1:].copy(), (time, *at)
            known = corner[~np.isnan(corner[:, 0])]
        path = tortuosity(known[:, 1:])
        turns = p.WANDER_TURNS.value
        rank = 3 if self._is_night(time) else 2
        evidence = {"value": path.sharp_turns, "limit": turns, "unit": "turns", "length_m": round(path.length_m),
                    "straightness": round(path.straightness, 3), "minutes": p.WANDER_WINDOW.value / 60,
                    "rule": f"{turns:g} turns by a right angle or more on a walk that goes nowhere"}  # fmt: skip
        tortuous = path.length_m >= p.WANDER_LENGTH.value and path.straightness <= p.WANDER_STRAIGHTNESS.value
        if tortuous and path.sharp_turns >= turns:
            if s["wandering"][row]:
                return []
            s["wandering"][row] = rank
            return [self._wandering(row, time, rank, "raised", evidence)]
        if s["wandering"][row] and path.sharp_turns <= turns / 2:
            rank, s["wandering"][row] = int(s["wandering"][row]), 0
            return [self._wandering(row, time, rank, "cleared", evidence)]
        return []

    def _wandering(self, row: int, at: float, rank: int, phase: Any, evidence: dict[str, Any]) -> Finding:
        severity, score = (Severity.HIGH, 0.75) if rank == 3 else (Severity.MEDIUM, 0.5)
        score = min(1.0, score * evidence["value"] / evidence["limit"]) if phase == "raised" else 0.0
        key = int(self._rows.keys[row])
        return Finding(self.name, self.version, key, "wandering", at, score, severity, phase, evidence)

    def _judge(self, row: int, time: float, at: Floats, accuracy: float) -> list[Finding]:
        s = self._s
        active = self._active(int(self._rows.keys[row]), time)
        if not active.any():
            raised, s["rank"][row], s["outside"][row], s["inside"][row] = int(s["rank"][row]), 0, 0, 0
            evidence: dict[str, Any] = {"value": None, "limit": None, "unit": "m", "rule": "no safe area is in force"}
            return [self._finding(row, time, raised, "cleared", evidence)] if raised else []
        distance = float(_outside_m(at, self._f["fence_corner"][active], self._f["fence_radius"][active]).min())
        if abs(time - s["fix_time"][row]) > p.FENCE_STALE.value:
            s["outside"][row] = s["inside"][row] = 0
        s["fix_time"][row] = time
        s["outside"][row] = min(100, s["outside"][row] + 1) if distance > accuracy else 0
        s["inside"][row] = min(100, s["inside"][row] + 1) if distance <= 0 else 0
        fixes = p.FENCE_FIXES.value
        evidence = {"value": round(distance, 1), "limit": round(accuracy, 1), "unit": "m",
                    "rule": f"beyond the safe area by more than the accuracy on {fixes:g} fixes"}  # fmt: skip
        rank = 3 if self._is_night(time) else 2
        if s["outside"][row] >= fixes and rank > s["rank"][row]:
            s["rank"][row] = rank
            return [self._finding(row, time, rank, "raised", evidence)]
        if s["inside"][row] >= fixes and s["rank"][row]:
            rank, s["rank"][row] = int(s["rank"][row]), 0
            return [self._finding(row, time, rank, "cleared", evidence)]
        return []

    def _active(self, subject: int, time: float) -> Bools:
        minute = (time + self._offset) % 86_400 // 60
        begin, end = self._f["fence_minutes"].T
        through = np.where(begin < end, (begin <= minute) & (minute < end), (begin <= minute) | (minute < end))
        active: Bools = (self._f["fence_subject"] == subject) & (through | (begin == end))
        return active

    def _is_night(self, time: float) -> bool:
        hour = (time + self._offset) % 86_400 / 3600
        return bool(hour >= p.NIGHT_BEGINS.value or hour < p.NIGHT_ENDS.value)

    def _finding(self, row: int, at: float, rank: int, phase: Any, evidence: dict[str, Any]) -> Finding:
        severity = Severity.CRITICAL if rank == 3 else Severity.HIGH
        key = int(self._rows.keys[row])
        return Finding(
            self.name, self.version, key, "geofence_exit", at, (0.75, 1.0)[rank == 3], severity, phase, evidence
        )


def _outside_m(at: Floats, corner: Floats, radius: Floats) -> Floats:
    """How far a point lies outside each fence, metres, negative inside; corner (n, 64, 2) and radius (n,)."""
    scale = np.array([METRES_PER_DEGREE, METRES_PER_DEGREE * np.cos(np.radians(at[0]))])
    east = (corner[..., 1] - at[1] + 180.0) % 360.0 - 180.0  # the short way round, also across the date line
    a = np.stack([corner[..., 0] - at[0], east], axis=-1) * scale
    b = np.roll(a, -1, axis=1)
    side = b - a
    length = (side**2).sum(-1)
    share = np.clip(-(a * side).sum(-1) / np.where(length > 0, length, 1.0), 0.0, 1.0)
    border = np.sqrt(((a + share[..., None] * side) ** 2).sum(-1)).min(1)
    crosses = (a[..., 0] > 0) != (b[..., 0] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = a[..., 1] - a[..., 0] * side[..., 1] / side[..., 0]
    inside = (crosses & (meets > 0)).sum(1) % 2 == 1
    circle = np.sqrt((a[:, 0] ** 2).sum(-1)) - radius
    out: Floats = np.where(radius > 0, circle, np.where(inside, -border, border))
    return out
