"""Slow change: a value a day of weight, resting pulse, temperature and pressure enters, findings of drift leave.

A day's value is the middle of its lowest and highest reading (pulse: of the small hours). It is compared with the
person's own five weeks before the newest week by a two-sided CUSUM over clipped robust residuals: no single day
decides, a small lasting shift does. While a drift is raised its baseline is kept as it was. Weight has two quick rules
of its own.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics
from alerts.detectors.parameters import (
    DRIFT_ALLOWANCE,
    DRIFT_BASE_DAYS,
    DRIFT_CAP,
    DRIFT_CLEAR,
    DRIFT_CLIP,
    DRIFT_FLOORS,
    DRIFT_FREEZE_DAYS,
    DRIFT_LAG_DAYS,
    DRIFT_LIMIT,
    DRIFT_NIGHT_HOURS,
    DRIFT_VALUES_MIN,
    WEIGHT_GAIN,
    WEIGHT_GAIN_DAYS,
    WEIGHT_LOSS,
)
from core.metrics import BY_CODE
from core.vocabulary import Severity

DAY_SECONDS: Final = 86_400
_NEVER: Final = -(2**40)
_CODES: Final = tuple(DRIFT_FLOORS)
_METRICS: Final = len(_CODES)
_COLUMN: Final = column_of(_CODES)
_FLOOR: Final = np.array([floor.value for floor in DRIFT_FLOORS.values()])
_PULSE: Final = _CODES.index("heart_rate")
_WEIGHT: Final = _CODES.index("weight")
_LAG: Final = int(DRIFT_LAG_DAYS.value)
_DAYS: Final = int(DRIFT_BASE_DAYS.value) + _LAG
_SIGN: Final = np.array([-1.0, 1.0])
_CUSUM, _QUICK = 1, 2


class DailyDrift(Keyed):
    """Raises `<metric>_rising` and `<metric>_falling` once a day has ended; takes readings of the newest day only."""

    name = "drift"
    version = "1"
    fields: ClassVar = {
        "day": ((_METRICS,), _NEVER, np.int64),
        "low": ((_METRICS,), np.nan, np.float64),
        "high": ((_METRICS,), np.nan, np.float64),
        "past": ((_METRICS, _DAYS), np.nan, np.float64),  # one a day, the newest last
        "sums": ((_METRICS, 2), 0.0, np.float64),
        "rank": ((_METRICS, 2), 0, np.int8),
        "raised_day": ((_METRICS,), _NEVER, np.int64),
        "center": ((_METRICS,), np.nan, np.float64),
        "spread": ((_METRICS,), np.nan, np.float64),
    }

    def __init__(self, utc_offset_seconds: float = 8 * 3600) -> None:
        super().__init__()
        self._offset = utc_offset_seconds

    def consume(self, batch: Batch) -> list[Finding]:
        """Take readings in, a day's after the other's; those of days that have ended already are passed over."""
        batch, column = of_metrics(batch, _COLUMN)
        local = batch.time + self._offset
        hour = local % DAY_SECONDS / 3600
        night = (hour >= DRIFT_NIGHT_HOURS[0].value) & (hour < DRIFT_NIGHT_HOURS[1].value)
        kept = (column != _PULSE) | night
        if not kept.any():
            return []
        row, column, value = self._row(batch.subject[kept]), column[kept], batch.value[kept]
        day = np.floor(local[kept] / DAY_SECONDS).astype(np.int64)
        findings: list[Finding] = []
        for one in np.unique(day) if day.min() != day.max() else day[:1]:
            at = np.flatnonzero(day == one)
            findings += self._begin(row[at], column[at], int(one))
            place = row[at] * _METRICS + column[at]
            today = self._s["day"].reshape(-1)[place] == one
            at, place = at[today], place[today]
            # The middle of the extremes, so that neither order nor repetition of readings plays a part.
            np.fmin.at(self._s["low"].reshape(-1), place, value[at])
            np.fmax.at(self._s["high"].reshape(-1), place, value[at])
        return findings

    def tick(self, now: float) -> list[Finding]:
        """End the days that are over by `now`."""
        if not np.isfinite(now):
            return []
        today = int(np.floor((now + self._offset) / DAY_SECONDS))
        n, s = len(self._rows), self._s
        r, m = np.nonzero((s["day"][:n] < today) & ~np.isnan(s["low"][:n]))
        return self._begin(r, m, today)

    def _begin(self, row: Ints, column: Ints, day: int) -> list[Finding]:
        """End the days before `day` of these people and metrics, and make room for it."""
        pairs = row * _METRICS + column
        pairs = pairs[self._s["day"].reshape(-1)[pairs] < day]
        if not len(pairs):
            return []
        pairs = np.unique(pairs)
        r, m = pairs // _METRICS, pairs % _METRICS
        open_day = ~np.isnan(self._s["low"][r, m])
        findings = self._end(r[open_day], m[open_day])
        s = self._s
        passed = np.minimum(day - s["day"][r, m], _DAYS)
        past = s["past"][r, m]
        at = np.arange(_DAYS) + passed[:, None]
        s["past"][r, m] = np.where(at < _DAYS, np.take_along_axis(past, np.minimum(at, _DAYS - 1), 1), np.nan)
        s["day"][r, m] = day
        return findings

    def _end(self, r: Ints, m: Ints) -> list[Finding]:
        """Judge the open day of each (row, metric), each pair once."""
        s = self._s
        value = (s["low"][r, m] + s["high"][r, m]) / 2
        s["low"][r, m] = s["high"][r, m] = np.nan
        past = s["past"][r, m]
        past[:, -1] = value
        s["past"][r, m] = past
        center, spread, known = self._baseline(r, m, past)
        z = np.clip((value - center) / spread, -DRIFT_CLIP.value, DRIFT_CLIP.value)
        sums = s["sums"][r, m] + np.where(known, z, 0.0)[:, None] * _SIGN - DRIFT_ALLOWANCE.value * known[:, None]
        sums = np.clip(sums, 0.0, DRIFT_CAP.value)
        s["sums"][r, m] = sums
        quick = self._quick(m, past, value)
        reached = np.maximum(np.where(sums >= DRIFT_LIMIT.value, _CUSUM, 0), np.where(quick, _QUICK, 0))
        rank = s["rank"][r, m]
        worse = reached > rank
        over = (rank > 0) & (sums <= DRIFT_CLEAR.value) & ~quick
        findings = []
        for i, side in np.argwhere(worse | over):
            where = int(r[i]), int(m[i]), int(side)
            if worse[i, side]:
                s["rank"][where] = reached[i, side]
                self._keep_baseline(where[0], where[1], float(center[i]), float(spread[i]))
            findings.append(self._finding(where, past[i], (center[i], spread[i]), cleared=bool(over[i, side])))
            if over[i, side]:
                s["rank"][where] = 0
        return findings

    def _baseline(self, r: Ints, m: Ints, past: Floats) -> tuple[Floats, Floats, Bools]:
        """Median, spread and whether there are enough days; while raised, as they were then."""
        s = self._s
        base = past[:, : _DAYS - _LAG]
        known = (~np.isnan(base)).sum(1) >= DRIFT_VALUES_MIN.value
        center = _median(base)
        spread = np.maximum(1.4826 * _median(np.abs(base - center[:, None])), _FLOOR[m])
        raised = (s["rank"][r, m] > 0).any(1) & (s["day"][r, m] - s["raised_day"][r, m] < DRIFT_FREEZE_DAYS.value)
        raised &= ~np.isnan(s["center"][r, m])
        center = np.where(raised, s["center"][r, m], center)
        spread = np.where(raised, s["spread"][r, m], spread)
        return center, spread, known | raised

    def _keep_baseline(self, row: int, column: int, center: float, spread: float) -> None:
        if (self._s["rank"][row, column] > 0).sum() == 1:
            self._s["center"][row, column], self._s["spread"][row, column] = center, spread
            self._s["raised_day"][row, column] = self._s["day"][row, column]

    def _quick(self, m: Ints, past: Floats, value: Floats) -> Bools:
        """Weight alone: a gain within days, a loss over a week or a month; shape (n, 2)."""
        quick = np.zeros((len(m), 2), bool)
        days = int(WEIGHT_GAIN_DAYS.value)
        before = _median(past[:, -3 - days : -days])  # three to five days ago: one light day must not make a gain
        quick[:, 1] = value - before >= WEIGHT_GAIN.value
        for begin, end in ((-10, -5), (-35, -25)):
            before = _median(past[:, begin:end])
            quick[:, 0] |= value <= (1 - WEIGHT_LOSS.value) * before
        quick[m != _WEIGHT] = False
        return quick

    def _finding(
        self, where: tuple[int, int, int], past: Floats, baseline: tuple[float, float], *, cleared: bool
    ) -> Finding:
        s, (row, column, side) = self._s, where
        code, rank = _CODES[column], int(self._s["rank"][where])
        total, day = float(s["sums"][where]), int(s["day"][row, column])
        quick = f"{code}: + {WEIGHT_GAIN.value:g} kg in {WEIGHT_GAIN_DAYS.value:g} days, or - 5 % in a week or a month"
        evidence: dict[str, Any] = {
            "metric": code,
            "value": round(float(past[-1]), 3),
            "unit": BY_CODE[code].unit,
            "baseline": None if np.isnan(baseline[0]) else round(float(baseline[0]), 3),
            "spread": None if np.isnan(baseline[1]) else round(float(baseline[1]), 3),
            "cusum": round(total, 3),
            "limit": DRIFT_LIMIT.value,
            "rule": quick if rank == _QUICK else f"CUSUM of daily {code} over {DRIFT_LIMIT.value:g}",
            "day": str(np.datetime64(day, "D")),
            "days_known": int((~np.isnan(past)).sum()),
        }
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type=f"{code}_{('falling', 'rising')[side]}",
            time=float((day + 1) * DAY_SECONDS - self._offset),
            score=float(np.clip(max(total / DRIFT_CAP.value, 0.5 * (rank == _QUICK)), 0.0, 1.0)),
            severity=Severity.MEDIUM if rank == _QUICK else Severity.LOW,
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )


def _median(values: Floats) -> Floats:
    """Of each row's known values; NaN where there are none."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    n = (~np.isnan(values)).sum(1)
    rows = np.arange(len(values))
    lower, upper = ordered[rows, np.maximum((n - 1) // 2, 0)], ordered[rows, np.minimum(n // 2, values.shape[1] - 1)]
    return np.where(n > 0, (lower + upper) / 2, np.nan)
