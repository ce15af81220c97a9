"""Nights: movement, door contacts and bed sensors enter; wandering about, a bed left for long, an open door leave.

Hours are local. What is usual in a night is learned per person; the first week goes by the defaults.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors import parameters_home as p
from alerts.detectors.base import Batch, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from core.vocabulary import Severity

SHANGHAI_OFFSET_SECONDS: Final = 8 * 3600
_DAY: Final = 86_400
_NIGHTS: Final = 28
_BIN_SECONDS: Final = 600
_COLUMN: Final = column_of(("motion", "door", "bed"))
_MOTION, _DOOR, _BED = range(3)
_BEGIN: Final = p.NIGHT_BEGINS.value * 3600
_SECONDS: Final = (p.NIGHT_ENDS.value - p.NIGHT_BEGINS.value) % 24 * 3600
_BINS: Final = int(_SECONDS // _BIN_SECONDS)
_NEVER: Final = -(2**40)
_TYPES: Final = ("night_wandering", "bed_not_returned", "door_open_night")
_WANDERING, _OUT_OF_BED, _OPEN_DOOR = range(3)
_RANKS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)


class NightDetector(Keyed):
    """`night_wandering`, `bed_not_returned` and `door_open_night`, per resident; 1.4 KiB of memory each."""

    name = "night"
    version = "1"
    fields: ClassVar = {
        "stirred": ((_NIGHTS, _BINS), False, np.bool_),
        "night": ((_NIGHTS,), _NEVER, np.int64),
        "motion": ((), np.nan, np.float64),
        "state_time": ((2,), np.nan, np.float64),  # door, bed
        "state": ((2,), np.nan, np.float64),
        "opened": ((), np.nan, np.float64),
        "left_bed": ((), np.nan, np.float64),
        "rank": ((len(_TYPES),), 0, np.int8),
    }

    def __init__(self, utc_offset_seconds: float = SHANGHAI_OFFSET_SECONDS) -> None:
        super().__init__()
        self._offset = utc_offset_seconds

    def consume(self, batch: Batch) -> list[Finding]:
        """Take movement, doors and beds in; findings come with `tick`, ends of them at once."""
        batch, column = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row = self._row(batch.subject)
        moved = (column == _MOTION) & (batch.value > 0)
        self._stir(row[moved], batch.time[moved])
        np.fmax.at(self._s["motion"], row[moved], batch.time[moved])
        findings: list[Finding] = []
        states = np.flatnonzero(column != _MOTION)
        slot = row[states] * 2 + column[states] - 1
        for at in rounds(slot, batch.time[states], batch.value[states]):
            i = states[at]
            findings += self._state(row[i], column[i] - 1, batch.time[i], batch.value[i] > 0)
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Raise what holds at `now`; a night's wandering ends with the night."""
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        r = np.arange(n)
        night, inside = self._night(np.array([now]))
        findings: list[Finding] = []
        if not inside[0]:
            for row in np.flatnonzero(s["rank"][:n, _WANDERING]):
                findings += self._clear(int(row), _WANDERING, now, 0.0)
            return findings
        tonight = s["night"][:n, night[0] % _NIGHTS] == night[0]
        count = np.where(tonight, _restless(s["stirred"][:n, night[0] % _NIGHTS]), 0)
        for row in np.flatnonzero((count >= p.NIGHT_WANDER_BINS.value) & (s["rank"][:n, _WANDERING] == 0)):
            limit = float(self._limit(np.array([row]), int(night[0]))[0])
            if count[row] >= limit:
                rule = "up and about in more of the night than usual"
                findings += self._raise(int(row), _WANDERING, 1, now, 600.0 * float(count[row]), 600.0 * limit, rule)
        out = now - s["left_bed"][:n]
        for row in np.flatnonzero(out >= p.BED_RETURN.value):
            rank = 2 if out[row] >= 2 * p.BED_RETURN.value else 1
            rule = "left the bed at night and is not back"
            findings += self._raise(int(row), _OUT_OF_BED, rank, now, float(out[row]), p.BED_RETURN.value, rule)
        return findings + self._doors(r, now)

    def _doors(self, r: Ints, now: float) -> list[Finding]:
        s, findings = self._s, []
        since = now - s["opened"][r]
        open_ = s["state"][r, 0] == 1
        for row in np.flatnonzero(open_ & (since >= p.DOOR_OPEN_NIGHT.value)):
            limit, rule = p.DOOR_OPEN_NIGHT.value, "the door stands open at night"
            findings += self._raise(int(row), _OPEN_DOOR, 1, now, float(since[row]), limit, rule)
        gone = (s["motion"][r] <= s["opened"][r] + p.INACTIVITY_AWAY_GRACE.value) & (since >= p.DOOR_SILENT_AFTER.value)
        for row in np.flatnonzero(gone):
            limit, rule = p.DOOR_SILENT_AFTER.value, "the door opened at night and nothing has moved indoors since"
            findings += self._raise(int(row), _OPEN_DOOR, 2, now, float(since[row]), limit, rule)
        back = (s["rank"][r, _OPEN_DOOR] > 0) & ~open_ & ~gone
        for row in np.flatnonzero(back & (s["motion"][r] > s["opened"][r] + p.INACTIVITY_AWAY_GRACE.value)):
            s["opened"][row] = np.nan
            findings += self._clear(int(row), _OPEN_DOOR, now, 0.0)
        return findings

    def _stir(self, r: Ints, time: Floats) -> None:
        """Mark the ten minutes of the night in which something moved."""
        s = self._s
        night, inside = self._night(time)
        r, night, time = r[inside], night[inside], time[inside]
        newest = np.full(len(self._rows), _NEVER)
        np.maximum.at(newest, r, night)
        keep = night > newest[r] - _NIGHTS
        r, night, time = r[keep], night[keep], time[keep]
        slot = night % _NIGHTS
        latest = s["night"][r, slot].copy()
        np.maximum.at(s["night"], (r, slot), night)
        anew = s["night"][r, slot] > latest
        s["stirred"][r[anew], slot[anew]] = False
        current = s["night"][r, slot] == night
        at = ((time + self._offset - _BEGIN) % _DAY // _BIN_SECONDS).astype(np.int64)
        s["stirred"][r[current], slot[current], at[current]] = True

    def _state(self, r: Ints, which: Ints, time: Floats, on: np.ndarray[Any, Any]) -> list[Finding]:
        """One report of a door or bed of each resident; older than the newest known is passed over."""
        s, findings = self._s, []
        new = ~(time <= s["state_time"][r, which])
        r, which, time, on = r[new], which[new], time[new], on[new]
        before = s["state"][r, which]
        s["state_time"][r, which], s["state"][r, which] = time, on
        _, night = self._night(time)
        opens = (which == 0) & on & (before != 1)
        s["opened"][r[opens]] = np.where(night[opens], time[opens], np.nan)
        leaves = (which == 1) & ~on & (before == 1)
        s["left_bed"][r[leaves]] = np.where(night[leaves], time[leaves], np.nan)
        returns = (which == 1) & on
        s["left_bed"][r[returns]] = np.nan
        for i in np.flatnonzero(returns):
            findings += self._clear(int(r[i]), _OUT_OF_BED, float(time[i]), 0.0)
        return findings

    def _night(self, time: Floats) -> tuple[Ints, np.ndarray[Any, Any]]:
        """Number of the night, by the day on which it begins, and whether the time lies in it."""
        since = time + self._offset - _BEGIN
        return np.floor(since / _DAY).astype(np.int64), since % _DAY < _SECONDS

    def _limit(self, r: Ints, tonight: int) -> Floats:
        """Bins from which a night is unusual for each resident."""
        s = self._s
        past = (s["night"][r] < tonight) & (s["night"][r] > tonight - _NIGHTS)
        count = np.where(past, _restless(s["stirred"][r]), -1)
        known = past.sum(1)
        ordered = np.sort(np.where(past, count, _BINS + 1), axis=1)
        at = np.clip(np.ceil(p.NIGHT_WANDER_QUANTILE.value * known).astype(np.int64) - 1, 0, _NIGHTS - 1)
        usual = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0]
        own = np.where(known >= p.ROUTINE_KNOWN_DAYS.value, usual + p.NIGHT_WANDER_MARGIN.value, 0)
        return np.maximum(own, p.NIGHT_WANDER_BINS.value).astype(float)

    def _raise(self, row: int, kind: int, rank: int, at: float, value: float, limit: float, rule: str) -> list[Finding]:
        if self._s["rank"][row, kind] >= rank:
            return []
        self._s["rank"][row, kind] = rank
        return [self._finding(row, kind, rank, at, "raised", value, limit, rule)]

    def _clear(self, row: int, kind: int, at: float, value: float) -> list[Finding]:
        rank, self._s["rank"][row, kind] = int(self._s["rank"][row, kind]), 0
        return [self._finding(row, kind, rank, at, "cleared", value, None, "over")] if rank else []

    def _finding(
        self, row: int, kind: int, rank: int, at: float, phase: Any, value: float, limit: float | None, rule: str
    ) -> Finding:
        score = 0.0 if limit is None else float(np.clip(value / (2 * limit), 0.0, 1.0))
        evidence = {"value": value, "limit": limit, "unit": "s", "rule": rule}
        key = int(self._rows.keys[row])
        return Finding(self.name, self.version, key, _TYPES[kind], at, score, _RANKS[rank], phase, evidence)


def _restless(stirred: np.ndarray[Any, Any]) -> Ints:
    """How many ten minutes with movement (last axis) have such a neighbour; turning over stays alone, wandering not."""
    beside = np.zeros_like(stirred)
    beside[..., 1:] |= stirred[..., :-1]
    beside[..., :-1] |= stirred[..., 1:]
    out: Ints = (stirred & beside).sum(-1)
    return out
