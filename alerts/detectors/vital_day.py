"""How alarming a day's vital readings are: readings by local day enter, a score 0-1 per resident and day leaves.

The score of a day that people look through in the morning, not of a moment: it needs no history and counts a reading
more that was measured again. What was measured late in the evening belongs to the next day's list, where people see it;
on its own day it weighs less. What was beyond a limit yesterday weighs a little today, just short of a limit reached.

Called for recordings like this, each home's days in their order (subject: any number >= 0; time: local, as if UTC):

    days = VitalDayScore(utc_offset_seconds=0)
    days.consume(Batch(subject, metric, time, value))         # one day's readings, other metrics are passed over
    scores, reasons = days.day_scores(np.array([subject]), day)  # day = time // 86400; 0.0 and "" without readings

In production `tick` puts a day that has ended, and whose score reached the mark, before a person (`vitals_review`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Finding, Floats, Ints, Keyed, column_of, of_metrics
from alerts.detectors.parameters import (
    VITAL_DAY_AGAIN,
    VITAL_DAY_EVENING,
    VITAL_DAY_EVENING_LESS,
    VITAL_DAY_NORMAL,
    VITAL_DAY_REVIEW,
    VITAL_DAY_RULES,
    VITAL_DAY_STEEPNESS,
    VITAL_DAY_URGENT,
    VITAL_DAY_YESTERDAY,
)
from core.metrics import BY_CODE
from core.vocabulary import Severity

DAY_SECONDS: Final = 86_400
SHANGHAI_OFFSET_SECONDS: Final = 8 * 3600
_DAYS: Final = 3  # today, yesterday, and the day whose evening weighs on yesterday
_NEVER: Final = -(2**40)
_SIGN: Final = np.array([-1.0, 1.0])
_CODES: Final = tuple(rule.metric for rule in VITAL_DAY_RULES)
_COLUMN: Final = column_of(_CODES)
_LIMIT: Final = np.array(
    [[np.nan if side is None else side.value for side in (rule.low, rule.high)] for rule in VITAL_DAY_RULES]
)
_SCALE: Final = np.array([rule.scale.value for rule in VITAL_DAY_RULES])
_GROUPS: Final = tuple(dict.fromkeys(rule.group for rule in VITAL_DAY_RULES))
_MEMBERS: Final = tuple(
    np.array([i for i, rule in enumerate(VITAL_DAY_RULES) if rule.group == group]) for group in _GROUPS
)
_METRICS: Final = len(_CODES)
_QUIET, _RAISED = 1, 2


class VitalDayScore(Keyed):
    """Scores of the newest local days of every resident; readings may come up to a day late and in any order."""

    name = "vital_day"
    version = "1"
    fields: ClassVar = {
        "day": ((), _NEVER, np.int64),
        "worst": ((_DAYS, _METRICS, 2), np.nan, np.float64),
        "evening": ((_DAYS, _METRICS, 2), np.nan, np.float64),
        "first_beyond": ((_DAYS, _METRICS), np.nan, np.float64),
        "newest": ((_DAYS, _METRICS), np.nan, np.float64),
        "told": ((_DAYS,), 0, np.int8),
        "raised": ((), 0, np.int8),
    }

    def __init__(self, utc_offset_seconds: float = SHANGHAI_OFFSET_SECONDS) -> None:
        super().__init__()
        self._offset = utc_offset_seconds

    def consume(self, batch: Batch) -> list[Finding]:
        """Take readings in; of more than three days at once only the newest three of a resident count."""
        batch, column = of_metrics(batch, _COLUMN)
        if len(batch.subject):
            row = self._row(batch.subject)
            local = batch.time + self._offset
            day = np.floor(local / DAY_SECONDS).astype(np.int64)
            self._turn(row, day)
            slot = self._s["day"][row] - day
            kept = slot < _DAYS
            self._note(row[kept], slot[kept], column[kept], local[kept], batch.value[kept])
        return []

    def tick(self, now: float) -> list[Finding]:
        """Judge the days that have ended by `now`, each once, and again if late readings made it alarming."""
        if not np.isfinite(now):
            return []
        today = int(np.floor((now + self._offset) / DAY_SECONDS))
        findings: list[Finding] = []
        n, s = len(self._rows), self._s
        for slot in (1, 0):
            day = s["day"][:n] - slot
            due = (day < today) & (s["told"][:n, slot] != _RAISED) & ~np.isnan(s["newest"][:n, slot]).all(1)
            rows = np.flatnonzero(due)
            score = self._score(rows, np.full(len(rows), slot))
            alarming = score >= VITAL_DAY_REVIEW.value
            over = ~alarming & (s["told"][rows, slot] == 0) & (s["raised"][rows] > 0)
            s["told"][rows, slot] = np.where(alarming, _RAISED, _QUIET)
            s["raised"][rows] = np.where(alarming, 1, np.where(over, 0, s["raised"][rows]))
            told = np.flatnonzero(alarming | over)
            findings += [self._finding(int(rows[i]), slot, float(score[i]), cleared=bool(over[i])) for i in told]
        return findings

    def day_scores(self, subjects: Ints, day: int) -> tuple[Floats, list[str]]:
        """Score 0-1 and reason of each subject's local day (days since 1970), as far as its readings are known.

        Only the two newest days of a subject can be asked for; 0.0 and "" without readings on that day.
        """
        row = self._rows.find(np.asarray(subjects, np.int64))
        slot = np.where(row >= 0, self._s["day"][np.maximum(row, 0)] - day if len(self._rows) else -1, -1)
        known = (slot >= 0) & (slot < _DAYS - 1)
        scores = np.zeros(len(row))
        scores[known] = self._score(row[known], slot[known])
        return scores, [
            self._reason(int(r), int(k)) if s > 0 else "" for r, k, s in zip(row, slot, scores, strict=True)
        ]

    def _turn(self, row: Ints, day: Ints) -> None:
        """Make room where a reading begins a new day."""
        newest = np.full(len(self._rows), _NEVER)
        np.maximum.at(newest, row, day)
        ahead = newest - self._s["day"][: len(newest)]
        for rows, days in ((np.flatnonzero(ahead == k), k) for k in range(1, _DAYS)):
            for name in ("worst", "evening", "first_beyond", "newest", "told"):
                held = self._s[name][rows]
                held[:, days:] = held[:, :-days]
                held[:, :days] = self.fields[name][1]
                self._s[name][rows] = held
        anew = np.flatnonzero(ahead >= _DAYS)
        for name in ("worst", "evening", "first_beyond", "newest", "told"):
            self._s[name][anew] = self.fields[name][1]
        begun = np.flatnonzero(ahead > 0)
        self._s["day"][begun] = newest[begun]

    def _note(self, row: Ints, slot: Ints, column: Ints, local: Floats, value: Floats) -> None:
        """Extremes only, so that neither order nor repetition of readings plays a part."""
        depth = (value[:, None] - _LIMIT[column]) * _SIGN / _SCALE[column][:, None]
        at = (row * _DAYS + slot) * _METRICS + column
        flat = {name: self._s[name].reshape(-1) for name in ("worst", "evening", "first_beyond", "newest")}
        np.fmax.at(flat["newest"], at, local)
        late = local % DAY_SECONDS >= VITAL_DAY_EVENING.value * 3600
        for side in range(2):  # what is normal weighs nothing and is not kept
            for name, those in (("worst", ~late), ("evening", late)):
                kept = those & (depth[:, side] > VITAL_DAY_NORMAL.value)
                np.fmax.at(flat[name], 2 * at[kept] + side, depth[kept, side])
        beyond = (depth >= 0).any(1)
        np.fmin.at(flat["first_beyond"], at[beyond], local[beyond])

    def _depths(self, row: Ints, slot: Ints) -> Floats:
        """What weighs, in units of depth, shape (n, metrics, 2); -inf where nothing does."""
        s = self._s
        own = np.fmax(s["worst"][row, slot], s["evening"][row, slot] - VITAL_DAY_EVENING_LESS.value)
        again = s["newest"][row, slot] > s["first_beyond"][row, slot]
        own = own + np.where((own >= 0) & again[:, :, None], VITAL_DAY_AGAIN.value, 0.0)
        night = s["evening"][row, slot + 1]
        lingering = np.where(s["worst"][row, slot + 1] >= 0, VITAL_DAY_YESTERDAY.value, np.nan)
        before = np.where(night >= 0, night, lingering)
        depth = np.fmax(own, before)
        return np.where(np.isnan(depth), -np.inf, depth)

    def _score(self, row: Ints, slot: Ints) -> Floats:
        """1 - product over groups of (1 - 1 / (1 + exp(-steepness x depth))); 0 where all is normal or unmeasured."""
        depths = self._depths(row, slot).max(2, initial=-np.inf)
        depths[depths <= VITAL_DAY_NORMAL.value] = -np.inf
        calm = np.ones(len(row))
        for members in _MEMBERS:
            calm /= 1 + np.exp(np.minimum(VITAL_DAY_STEEPNESS.value * depths[:, members].max(1), 500.0))
        measured = ~np.isnan(self._s["newest"][row, slot]).all(1)
        return np.where(measured, 1 - calm, 0.0)

    def _worst(self, row: int, slot: int) -> tuple[int, int, float]:
        """Metric, side and value that weigh most: today's, last evening's, or yesterday's."""
        s = self._s
        depths = self._depths(np.array([row]), np.array([slot]))[0]
        column, side = (int(i) for i in np.unravel_index(int(np.argmax(depths)), depths.shape))
        places = (("worst", slot), ("evening", slot + 1), ("evening", slot), ("worst", slot + 1))
        held = np.array([s[name][row, at, column, side] for name, at in places])
        less = np.array([0.0, 0.0, VITAL_DAY_EVENING_LESS.value, 0.0])
        less[3] = held[3] - VITAL_DAY_YESTERDAY.value
        depth = float(held[int(np.nanargmax(held - less))])
        return column, side, float(_LIMIT[column, side] + _SIGN[side] * _SCALE[column] * depth)

    def _reason(self, row: int, slot: int) -> str:
        column, side, value = self._worst(row, slot)
        code = _CODES[column]
        return f"{code} {value:g} {BY_CODE[code].unit}, limit {'<>'[side]}= {_LIMIT[column, side]:g}"

    def _worst_evidence(self, row: int, slot: int) -> dict[str, Any]:
        column, side, value = self._worst(row, slot)
        code, s = _CODES[column], self._s
        return {
            "metric": code,
            "value": round(value, 3),
            "unit": BY_CODE[code].unit,
            "limit": float(_LIMIT[column, side]),
            "rule": f"{code} {'<>'[side]}= {_LIMIT[column, side]:g} {BY_CODE[code].unit} within the day",
            "measured_again": bool(s["newest"][row, slot, column] > s["first_beyond"][row, slot, column]),
        }

    def _calm_evidence(self, score: float) -> dict[str, Any]:
        limit = VITAL_DAY_REVIEW.value
        return {"value": round(score, 4), "unit": "1", "limit": limit, "rule": f"score of the day < {limit:g}"}

    def _finding(self, row: int, slot: int, score: float, *, cleared: bool) -> Finding:
        day = int(self._s["day"][row]) - slot
        evidence: dict[str, Any] = {"day": str(np.datetime64(day, "D")), "score": round(score, 4)}
        evidence |= self._calm_evidence(score) if cleared else self._worst_evidence(row, slot)
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="vitals_review",
            time=float((day + 1) * DAY_SECONDS - self._offset),
            score=score,
            severity=Severity.MEDIUM if score >= VITAL_DAY_URGENT.value else Severity.LOW,
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )
