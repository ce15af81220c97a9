"""How unusual a day's activity is: firings of movement sensors and doors enter, a score 0-1 per home-day leaves.

Two things are counted: moves, that is firings of another sensor than the one before, and haste, moves per five minutes
in which anything moved. Each is compared with the home's own last days and, while these are few, with homes in general;
so a home that has always been restless still stands out a little, and a new home is judged from its first day.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from alerts.detectors import parameters_home as p
from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics
from core.vocabulary import Severity

SHANGHAI_OFFSET_SECONDS: Final = 8 * 3600
_DAY: Final = 86_400
_BIN_SECONDS: Final = 300
_BINS: Final = _DAY // _BIN_SECONDS
_COLUMN: Final = column_of(("motion", "door"))
_DAYS: Final = int(p.ROUTINE_DAYS.value)
_NEVER: Final = -(2**40)
_NORMAL_SPREAD: Final = 1.4826
"""Standard deviation over median absolute deviation of normal numbers."""


class CommonDay(NamedTuple):
    """A day in homes in general: (ln moves, ln haste), and how much they differ from day to day within a home."""

    level: tuple[float, float] = (p.ROUTINE_MOVES.value, p.ROUTINE_HASTE.value)
    spread: tuple[float, float] = (p.ROUTINE_MOVES_SPREAD.value, p.ROUTINE_HASTE_SPREAD.value)


HOMES_IN_GENERAL: Final = CommonDay()


class RoutineDay(Keyed):
    """Scores of the newest local day of every home; `routine_review` once an unusual day has ended."""

    name = "routine_day"
    version = "1"
    fields: ClassVar = {
        "last_time": ((), np.nan, np.float64),
        "last_sensor": ((), -1, np.int64),
        "day": ((), _NEVER, np.int64),
        "moves": ((), 0, np.int64),
        "visits": ((), 0, np.int64),
        "active": ((_BINS,), False, np.bool_),
        "past": ((_DAYS, 3), np.nan, np.float64),  # ln moves, ln haste, visits to the bathroom; newest last
        "told": ((), _NEVER, np.int64),
        "raised": ((), 0, np.int8),
    }

    def __init__(
        self, utc_offset_seconds: float = SHANGHAI_OFFSET_SECONDS, common: CommonDay = HOMES_IN_GENERAL
    ) -> None:
        super().__init__()
        self._offset = utc_offset_seconds
        self._common, self._common_spread = np.array(common.level), np.array(common.spread)

    def consume(self, batch: Batch, sensor: Ints | None = None, bathroom: Bools | None = None) -> list[Finding]:
        """Take firings in: movement counted and doors opened. `sensor` tells which device each reading is of.

        Without it the metric stands for the sensor. `bathroom`: the sensor hangs in one. What is not newer than the
        newest firing of the home is late or a duplicate and adds nothing.
        """
        of = batch.metric.astype(np.int64) if sensor is None else sensor
        bath = np.zeros(len(of), bool) if bathroom is None else bathroom
        number = np.arange(len(batch.time))
        numbered = Batch(np.where(batch.value > 0, batch.subject, -1), batch.metric, batch.time, number.astype(float))
        kept, _ = of_metrics(numbered, _COLUMN)
        at = kept.value.astype(np.int64)
        row = self._row(kept.subject)
        order = np.lexsort((of[at], kept.time, row))
        row, time, at = row[order], kept.time[order], at[order]
        new = ~(time <= self._s["last_time"][row])
        new[1:] &= (row[1:] != row[:-1]) | (time[1:] != time[:-1])
        row, time, of, bath = row[new], time[new], of[at[new]], bath[at[new]]
        day = np.floor((time + self._offset) / _DAY).astype(np.int64)
        for one in np.unique(day):
            on = day == one
            self._add(row[on], time[on], of[on], bath[on], int(one))
        return []

    def tick(self, now: float) -> list[Finding]:
        """Judge each home's newest day once it has ended."""
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        today = int(np.floor((now + self._offset) / _DAY))
        rows = np.flatnonzero((s["day"][:n] < today) & (s["told"][:n] < s["day"][:n]))
        scores, findings = self._score(rows), []
        for row, score in zip(rows, scores, strict=True):
            unusual = score >= p.ROUTINE_REVIEW.value or bool(self._bathroom(int(row)))
            if unusual or s["raised"][row]:
                findings.append(self._finding(int(row), float(score), cleared=not unusual))
            s["raised"][row] = unusual
        s["told"][rows] = s["day"][rows]
        return findings

    def day_scores(self, subjects: Ints, day: int) -> tuple[Floats, list[str]]:
        """Score and reason of each subject's local day (days since 1970) so far; 0.0 and "" where nothing moved.

        Only a subject's newest day can be asked for.
        """
        row = self._rows.find(np.asarray(subjects, np.int64))
        known = (
            (row >= 0) & (self._s["day"][np.maximum(row, 0)] == day) if len(self._rows) else np.zeros(len(row), bool)
        )
        scores = np.zeros(len(row))
        scores[known] = self._score(row[known])
        return scores, [self._reason(int(r)) if k else "" for r, k in zip(row, known, strict=True)]

    def _add(self, row: Ints, time: Floats, sensor: Ints, bath: Bools, day: int) -> None:
        """Firings of one local day, sorted by row and time."""
        s = self._s
        begun = np.unique(row[s["day"][row] < day])
        old = begun[s["day"][begun] > _NEVER]
        s["past"][old] = np.concatenate([s["past"][old, 1:], self._counts(old)[:, None]], axis=1)
        s["day"][begun], s["moves"][begun], s["visits"][begun] = day, 0, 0
        s["active"][begun] = False
        first = np.append(True, row[1:] != row[:-1])
        before = np.where(first, s["last_sensor"][row], np.roll(sensor, 1))
        moved = sensor != before
        np.add.at(s["moves"], row[moved], 1)
        np.add.at(s["visits"], row[moved & bath], 1)
        s["active"][row, ((time + self._offset) % _DAY // _BIN_SECONDS).astype(np.int64)] = True
        last = np.append(row[1:] != row[:-1], True)
        s["last_time"][row[last]], s["last_sensor"][row[last]] = time[last], sensor[last]

    def _counts(self, rows: Ints) -> Floats:
        """Today's ln(1 + moves), ln((1 + moves) / (1 + active bins)), visits; shape (n, 3)."""
        s = self._s
        moves, active = 1.0 + s["moves"][rows], 1.0 + s["active"][rows].sum(1)
        return np.stack([np.log(moves), np.log(moves / active), s["visits"][rows].astype(float)], axis=1)

    def _deviations(self, rows: Ints) -> Floats:
        """z of moves and haste, shape (n, 2): the home's own median and spread, drawn towards those of all homes."""
        past = self._s["past"][rows, :, :2]
        days = (~np.isnan(past[:, :, 0])).sum(1)[:, None].astype(float)
        filled = np.where(np.isnan(past), self._common, past)
        own = _median(filled, days)
        spread = _NORMAL_SPREAD * _median(np.abs(filled - own[:, None]), days)
        level = (days * own + p.ROUTINE_COMMON_DAYS.value * self._common) / (days + p.ROUTINE_COMMON_DAYS.value)
        weight = p.ROUTINE_SPREAD_DAYS.value
        variance = (days * spread**2 + weight * self._common_spread**2) / (days + weight)
        out: Floats = (self._counts(rows)[:, :2] - level) / np.sqrt(variance)
        return out

    def _score(self, rows: Ints) -> Floats:
        """Restlessness by the mean of both deviations; stillness by moves alone, at a lower weight."""
        z = self._deviations(rows)
        restless, still = _share(z.mean(1)), p.ROUTINE_QUIET_WEIGHT.value * _share(-z[:, 0])
        return np.maximum(restless, still)

    def _bathroom(self, row: int) -> str:
        """Words where the bathroom was visited far more often than usual, else nothing."""
        past = self._s["past"][row, :, 2]
        past = past[~np.isnan(past)]
        visits = int(self._s["visits"][row])
        if len(past) < p.ROUTINE_KNOWN_DAYS.value:
            return ""
        usual = float(np.median(past))
        often = visits >= p.ROUTINE_BATHROOM_MORE.value * usual and visits >= usual + p.ROUTINE_BATHROOM_EXTRA.value
        return f"{visits} bathroom visits, usual {usual:g}" if often else ""

    def _reason(self, row: int) -> str:
        z = self._deviations(np.array([row]))[0]
        words = [self._bathroom(row)] if self._bathroom(row) else []
        past = self._s["past"][row, :, 0]
        usual = float(np.expm1(np.nanmedian(past))) if not np.isnan(past).all() else float(np.expm1(self._common[0]))
        moves = int(self._s["moves"][row])
        if abs(z[0]) >= 1:
            words.append(f"{moves} moves between rooms, usual {usual:.0f}")
        if z[1] >= 1:
            words.append("in haste")
        return "; ".join(words)

    def _finding(self, row: int, score: float, *, cleared: bool) -> Finding:
        day = int(self._s["day"][row])
        past = self._s["past"][row, :, 0]
        usual = None if np.isnan(past).all() else float(np.expm1(np.nanmedian(past)))
        evidence: dict[str, Any] = {
            "value": int(self._s["moves"][row]),
            "baseline": usual,
            "limit": p.ROUTINE_REVIEW.value,
            "unit": "moves",
            "rule": self._reason(row) or "a day like others",
            "day": str(np.datetime64(day, "D")),
        }
        at, key = float((day + 1) * _DAY - self._offset), int(self._rows.keys[row])
        phase: Any = "cleared" if cleared else "raised"
        return Finding(self.name, self.version, key, "routine_review", at, score, Severity.LOW, phase, evidence)


def _share(z: Floats) -> Floats:
    out: Floats = 1 / (1 + np.exp(-p.ROUTINE_STEEPNESS.value * (np.clip(z, -100, 100) - p.ROUTINE_MIDDLE.value)))
    return out


def _median(values: Floats, days: Floats) -> Floats:
    """Median over the last `days` (n, 1) of axis 1 of (n, 28, kinds); the middle common value where there is none."""
    newest = np.arange(values.shape[1]) >= values.shape[1] - days
    ordered = np.sort(np.where(newest[:, :, None], values, np.inf), axis=1)
    n = np.maximum(days[:, 0].astype(np.int64), 1)
    row = np.arange(len(values))
    out: Floats = 0.5 * (ordered[row, (n - 1) // 2] + ordered[row, n // 2])
    return np.where(np.isfinite(out), out, values[:, -1])
