"""Prolonged inactivity and missed mornings: signs of life in a home enter, unusual stillness leaves.

How long a home may be still is learned for every hour of its day; whoever has gone out through the door is not missed
indoors. Signs of life are movement, an opened door, and getting into or out of bed.

One stillness is one alert, for the detectors of routine share a budget of alarms: whoever is missed already is not also
missed as late in the morning, and a missed morning that lasts becomes more severe and not a second alert.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from alerts.detectors import parameters_home as p
from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from core.vocabulary import Severity

SHANGHAI_OFFSET_SECONDS: Final = 8 * 3600
_DAY: Final = 86_400
_HOURS: Final = 24
_DAYS: Final = int(p.INACTIVITY_DAYS.value)
_COLUMN: Final = column_of(("motion", "door", "bed"))
_MOTION, _DOOR, _BED = range(3)
_UNKNOWN: Final = -1
_NEVER: Final = -(2**40)
_RAISED, _WITHIN = 1, 2  # under its own name; as a missed morning that has lasted


class StillnessRule(NamedTuple):
    """Allowed stillness: factor x quantile of the past days' longest in this hour + margin, up to the limit."""

    quantile: float = p.INACTIVITY_QUANTILE.value
    factor: float = p.INACTIVITY_FACTOR.value
    margin_seconds: float = p.INACTIVITY_MARGIN.value
    limit_seconds: float = p.INACTIVITY_LIMIT.value


STILLNESS: Final = StillnessRule()


class InactivityDetector(Keyed):
    """`inactivity` and `missed_morning`, per resident; about 1.8 KiB of memory each."""

    name = "inactivity"
    version = "2"
    fields: ClassVar = {
        "last": ((), np.nan, np.float64),
        "door": ((), np.nan, np.float64),
        "bed_time": ((), np.nan, np.float64),
        "bed": ((), np.nan, np.float64),
        "heard": ((), np.nan, np.float64),
        "says_rest": ((), 0, np.int8),
        "quiet": ((_DAYS, _HOURS), _UNKNOWN, np.int16),  # longest stillness in each hour of each day, minutes
        "first": ((_DAYS,), _UNKNOWN, np.int16),  # first movement of each day, minutes after midnight
        "day": ((_DAYS,), _NEVER, np.int64),
        "raised": ((2,), 0, np.int8),  # inactivity, missed_morning: not, _RAISED, _WITHIN
    }

    def __init__(self, utc_offset_seconds: float = SHANGHAI_OFFSET_SECONDS, rule: StillnessRule = STILLNESS) -> None:
        super().__init__()
        self._offset = utc_offset_seconds
        self._rule = rule

    def consume(self, batch: Batch) -> list[Finding]:
        """Take signs of life in, in the order of device time; what is older than the newest adds nothing."""
        batch, column = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row, s = self._row(batch.subject), self._s
        np.fmax.at(s["heard"], row, batch.time)
        s["says_rest"][row[(column == _MOTION) & (batch.value == 0)]] = 1
        sign = self._signs(row, column, batch)
        row, time, door = row[sign], batch.time[sign], (column == _DOOR)[sign]
        findings: list[Finding] = []
        for at in rounds(row, time, door.astype(float)):
            findings += self._alive(row[at], time[at], door[at])
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Raise what has been still for too long at `now`, and who has not got up."""
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        r = np.arange(n)
        still = now - s["last"][:n]
        hearing = (s["says_rest"][:n] == 0) | (now - s["heard"][:n] <= p.INACTIVITY_SENSOR_GAP.value)
        home = ~self._away(r) | (still >= p.INACTIVITY_AWAY.value)
        # A cheap look first: nobody's limit lies below the margin, and the limits of everybody cost a sort.
        late = r[hearing & home & (still > self._rule.margin_seconds) & (s["raised"][:n, 0] == 0)]
        limit = self._limit(late, now)
        findings = []
        for row, allowed in zip(late, limit, strict=True):
            if still[row] > allowed:
                s["raised"][row, 0] = _WITHIN if s["raised"][row, 1] else _RAISED
                findings.append(self._finding(int(row), 0, now, "raised", float(still[row]), float(allowed)))
        morning = self._local_day(np.array(now)) * _DAY + p.MORNING_BEGINS.value * 3600 - self._offset
        if now <= morning:
            return findings
        waiting = r[hearing & home & (s["last"][:n] < morning) & (s["raised"][:n] == 0).all(1)]
        minute = (now + self._offset) % _DAY / 60
        for row, latest in zip(waiting, self._latest_morning(waiting, now), strict=True):
            if minute > latest:
                s["raised"][row, 1] = _RAISED
                findings.append(self._finding(int(row), 1, now, "raised", minute * 60, float(latest) * 60))
        return findings

    def limits(self, subject: int, now: float) -> float:
        """How long this resident may be still at this hour, seconds."""
        row = self._rows.find(np.array([subject]))
        return float(self._limit(row, now)[0]) if row[0] >= 0 else self._rule.limit_seconds

    def _signs(self, row: Ints, column: Ints, batch: Batch) -> Bools:
        """Which readings show that somebody is at home and moves; a bed does by changing from report to report."""
        s = self._s
        sign: Bools = (column != _BED) & (batch.value > 0)
        bed = np.flatnonzero(column == _BED)
        for at in rounds(row[bed], batch.time[bed], batch.value[bed]):
            i = bed[at]
            r = row[i]
            new = ~(batch.time[i] <= s["bed_time"][r])
            sign[i] = new & ~np.isnan(s["bed"][r]) & (s["bed"][r] != batch.value[i])
            s["bed_time"][r[new]], s["bed"][r[new]] = batch.time[i[new]], batch.value[i[new]]
        return sign

    def _alive(self, r: Ints, time: Floats, door: Bools) -> list[Finding]:
        """The stillness of each resident in r ends at `time`."""
        s = self._s
        s["door"][r[door]] = np.fmax(s["door"][r[door]], time[door])
        new = ~(time <= s["last"][r])
        r, time = r[new], time[new]
        learn = ~np.isnan(s["last"][r]) & ~self._away(r)
        self._learn(r[learn], s["last"][r[learn]], time[learn])
        s["last"][r] = time
        day = self._local_day(time)
        minute = ((time + self._offset) % _DAY // 60).astype(np.int16)
        awake = minute >= p.MORNING_BEGINS.value * 60
        self._open_day(r[awake], day[awake])
        slot = day[awake] % _DAYS
        first = s["first"][r[awake], slot]
        s["first"][r[awake], slot] = np.where(first < 0, minute[awake], np.minimum(first, minute[awake]))
        over = np.argwhere(s["raised"][r] == _RAISED)
        findings = [self._finding(int(r[i]), int(kind), float(time[i]), "cleared", 0.0, 0.0) for i, kind in over]
        s["raised"][r] = 0
        return findings

    def _learn(self, r: Ints, since: Floats, until: Floats) -> None:
        """Note how long the stillness from `since` to `until` had lasted in each hour that it touched."""
        s = self._s
        cap = p.INACTIVITY_AWAY.value
        first = ((since + self._offset) // 3600).astype(np.int64)
        last = np.minimum(((until + self._offset) // 3600).astype(np.int64), first + _DAYS)
        for ahead in range(int((last - first).max(initial=-1)) + 1):
            hour = first + ahead
            on = hour <= last
            rr, hh = r[on], hour[on]
            lasted = np.minimum(np.minimum((hh + 1) * 3600.0 - self._offset, until[on]) - since[on], cap)
            self._open_day(rr, hh // _HOURS)
            at = (rr, hh // _HOURS % _DAYS, hh % _HOURS)
            s["quiet"][at] = np.maximum(s["quiet"][at], np.ceil(lasted / 60).astype(np.int16))

    def _open_day(self, r: Ints, day: Ints) -> None:
        """Make room for a day where its place in the ring still holds an older one."""
        s, slot = self._s, day % _DAYS
        fresh = s["day"][r, slot] != day
        s["quiet"][r[fresh], slot[fresh]] = _UNKNOWN
        s["first"][r[fresh], slot[fresh]] = _UNKNOWN
        s["day"][r[fresh], slot[fresh]] = day[fresh]

    def _limit(self, r: Ints, now: float) -> Floats:
        """Allowed stillness at the hour of `now`, seconds, from the days before today."""
        s, today = self._s, int(self._local_day(np.array(now)))
        hour = int((now + self._offset) // 3600) % _HOURS
        past = (s["day"][r] < today) & (s["day"][r] > today - _DAYS)
        usual = _quantile(np.where(past, s["quiet"][r, :, hour], _UNKNOWN), self._rule.quantile) * 60
        learned = self._rule.factor * usual + self._rule.margin_seconds
        return np.fmin(learned, self._rule.limit_seconds)

    def _latest_morning(self, r: Ints, now: float) -> Floats:
        """By when each resident has moved on other days, minutes after midnight, with the margin; NaN: not known."""
        s, today = self._s, int(self._local_day(np.array(now)))
        past = (s["day"][r] < today) & (s["day"][r] > today - _DAYS)
        usual = _quantile(np.where(past, s["first"][r], _UNKNOWN), p.MORNING_QUANTILE.value)
        return np.minimum(usual + p.MORNING_MARGIN.value / 60, p.MORNING_LATEST.value * 60)

    def _away(self, r: Ints) -> Bools:
        """Nothing stirred after the door: they have gone out."""
        away: Bools = self._s["last"][r] - self._s["door"][r] <= p.INACTIVITY_AWAY_GRACE.value
        return away

    def _local_day(self, time: np.ndarray[Any, Any]) -> Ints:
        return np.floor((time + self._offset) / _DAY).astype(np.int64)

    def _finding(self, row: int, kind: int, at: float, phase: Any, value: float, limit: float) -> Finding:
        within = int(self._s["raised"][row, 0]) == _WITHIN
        name = ("inactivity", "missed_morning")[int(within) or kind]
        rule = ("nothing has moved for longer than at this hour on other days", "not up by the usual time")[kind]
        known = int((self._s["day"][row] > _NEVER).sum())
        score = 0.0 if phase == "cleared" else float(np.clip(value / (2 * limit), 0.0, 1.0))
        evidence = {"value": value, "limit": limit, "unit": "s", "rule": rule, "days_known": known,
                    "since": float(self._s["last"][row])}  # fmt: skip
        severity = Severity.MEDIUM if kind and not within else Severity.HIGH
        return Finding(self.name, self.version, int(self._rows.keys[row]), name, at, score, severity, phase, evidence)


def _quantile(values: np.ndarray[Any, Any], share: float) -> Floats:
    """The smallest value that this share of the known ones (>= 0) of each row does not exceed; NaN if too few."""
    known = (values >= 0).sum(1)
    ordered = np.sort(np.where(values >= 0, values, np.iinfo(np.int16).max), axis=1)
    at = np.clip(np.ceil(share * known).astype(np.int64) - 1, 0, values.shape[1] - 1)
    picked = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0].astype(float)
    return np.where(known >= p.INACTIVITY_KNOWN_DAYS.value, picked, np.nan)
