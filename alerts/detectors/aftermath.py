"""What speaks for and against a fall: falls found and what else the home tells enter, falls weighed by it leave.

At once, by what the device and the bathroom tell, a fall is critical or, where its wearer plainly moves on, high; both
call people. Later, by what the home tells, a high one becomes critical when nothing moves, and any is told to be over
when its wearer walks about: a person still closes it. Nobody's call for help passes through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from alerts.detectors.parameters import (
    AFTERMATH_BATHROOM,
    AFTERMATH_MOVING,
    AFTERMATH_QUIET,
    AFTERMATH_SENSOR_AGE,
    AFTERMATH_SETTLE,
    AFTERMATH_STEPS,
    AFTERMATH_STILL,
    AFTERMATH_SURE,
    AFTERMATH_WATCH,
)
from core.vocabulary import Names, Severity

_CODES: Final = ("motion", "door", "steps")
_COLUMN: Final = column_of(_CODES)
_STEPS: Final = _CODES.index("steps")
_RAISED, _OVER = 1, 2

SAYS: Final[dict[str, tuple[str, Names]]] = {
    "still": ("raises", Names("跌倒后静止不动", "lies still after it")),
    "signal_ended": ("raises", Names("跌倒后信号中断", "the signal ended after it")),
    "bathroom": ("raises", Names("当时在卫生间", "in the bathroom at the time")),
    "no_motion": ("raises", Names("此后室内无任何活动", "nothing has moved in the home since")),
    "moving": ("lowers", Names("跌倒后仍在活动", "goes on moving after it")),
    "walking": ("lowers", Names("此后仍在行走", "has walked since")),
}
"""What may corroborate a fall: whether it raises or lowers the severity, and how people are told."""


class Weighed(NamedTuple):
    """The severity of a fall, and the keys of SAYS that counted."""

    severity: Severity
    counted: tuple[str, ...]


def at_once(score: float, still_share: float, *, complete: bool, bathroom: bool) -> Weighed:
    """Weigh a fall when it is found.

    `score` 0-1; `still_share` 0-1 of the time after the impact without movement; `complete`: the device was heard for
    all of that time; `bathroom`: the person was last heard of there. One thing that raises outweighs all that lowers.
    """
    counted = [
        name
        for name, holds in (
            ("still", complete and still_share >= AFTERMATH_STILL.value),
            ("signal_ended", not complete),
            ("bathroom", bathroom),
            ("moving", complete and still_share < AFTERMATH_MOVING.value),
        )
        if holds
    ]
    lowered = counted == ["moving"] and score < AFTERMATH_SURE.value
    return Weighed(Severity.HIGH if lowered else Severity.CRITICAL, tuple(counted))


def told(counted: Sequence[str]) -> list[dict[str, str]]:
    """What counted, for the evidence: plain JSON, Chinese and English."""
    return [{"what": name, "effect": SAYS[name][0], "zh": SAYS[name][1].zh, "en": SAYS[name][1].en} for name in counted]


class FallAftermath(Keyed):
    """Follows every resident's newest fall for five minutes; its findings are about the device that felt the fall."""

    name = "aftermath"
    version = "1"
    fields: ClassVar = {
        "device": ((), -1, np.int64),
        "fallen": ((), np.nan, np.float64),
        "score": ((), 0.0, np.float64),
        "critical": ((), 0, np.int8),
        "said": ((), 0, np.int8),
        "home": ((), np.nan, np.float64),  # when a motion sensor or a door was last moved, anywhere
        "bathroom": ((), np.nan, np.float64),  # the same, in the bathroom
        "moved": ((), 0, np.int8),
        "counter": ((), np.nan, np.float64),
        "counted": ((), np.nan, np.float64),
        "steps": ((), 0.0, np.float64),  # since the fall
    }

    def weigh(self, resident: int, fall: Finding) -> Finding:
        """The fall with its severity and what corroborates it; from now on the resident's home is watched for more.

        A negative resident is unknown: then only what the device tells counts.
        """
        complete, still_share = bool(fall.evidence["aftermath_complete"]), float(fall.evidence["still_share"])
        bathroom = resident >= 0 and self._in_bathroom(resident, fall.time)
        weighed = at_once(fall.score, still_share, complete=complete, bathroom=bathroom)
        if resident >= 0:
            self._begin(resident, fall, critical=weighed.severity is Severity.CRITICAL)
        evidence = {**fall.evidence, "corroboration": told(weighed.counted)}
        return replace(fall, severity=weighed.severity, evidence=evidence)

    def consume(self, batch: Batch, bathroom: Bools | None = None) -> list[Finding]:
        """Take in what moves in the residents' homes; `bathroom` (n,): which readings come from there."""
        where = np.zeros(len(batch.subject), bool) if bathroom is None else bathroom
        finite = np.isfinite(batch.value)
        number = np.arange(len(where), dtype=np.float64)
        kept, column = of_metrics(Batch(np.where(finite, batch.subject, -1), batch.metric, batch.time, number), _COLUMN)
        if not len(kept.subject):
            return []
        at = kept.value.astype(np.int64)
        row, time, value = self._row(kept.subject), kept.time, batch.value[at]
        stirred = (column != _STEPS) & (value > 0)
        self._stir(row[stirred], time[stirred], where[at][stirred])
        walked = column == _STEPS
        row, time, value = row[walked], time[walked], value[walked]
        for i in rounds(row, time, value):
            self._count(row[i], time[i], value[i])
        return []

    def tick(self, now: float) -> list[Finding]:
        """Tell what the home has said since the falls that are watched, and end the watches that are over."""
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        findings = []
        for row in np.flatnonzero(~np.isnan(s["fallen"][:n])):
            since = now - s["fallen"][row]
            walks = s["steps"][row] >= AFTERMATH_STEPS.value
            if walks and s["said"][row] != _OVER:
                s["said"][row] = _OVER
                findings.append(self._finding(int(row), "walking", now))
            elif since >= AFTERMATH_QUIET.value and not s["critical"][row] and self._nothing_moves(int(row)):
                s["said"][row], s["critical"][row] = _RAISED, 1
                findings.append(self._finding(int(row), "no_motion", now))
            if since >= AFTERMATH_WATCH.value:
                s["fallen"][row] = np.nan
        return findings

    def _in_bathroom(self, resident: int, time: float) -> bool:
        """Whether the person was last heard of in the bathroom, and not long before."""
        row, s = int(self._row(np.array([resident]))[0]), self._s
        there = s["bathroom"][row]
        return bool(there == s["home"][row] and abs(time - there) <= AFTERMATH_BATHROOM.value)

    def _begin(self, resident: int, fall: Finding, *, critical: bool) -> None:
        """Watch this fall, unless it is watched already."""
        row, s = int(self._row(np.array([resident]))[0]), self._s
        if s["fallen"][row] == fall.time:
            return
        s["device"][row], s["fallen"][row], s["score"][row] = fall.subject, fall.time, fall.score
        s["said"][row], s["steps"][row], s["critical"][row] = 0, 0.0, critical
        s["moved"][row] = s["home"][row] > fall.time + AFTERMATH_SETTLE.value

    def _stir(self, row: Ints, time: Floats, bathroom: Bools) -> None:
        """Something moved in these residents' homes."""
        s = self._s
        np.fmax.at(s["home"], row, time)
        np.fmax.at(s["bathroom"], row[bathroom], time[bathroom])
        since = time - s["fallen"][row]
        s["moved"][row[(since > AFTERMATH_SETTLE.value) & (since <= AFTERMATH_WATCH.value)]] = 1

    def _count(self, row: Ints, time: Floats, value: Floats) -> None:
        """Steps that were surely made after the fall: between two readings that both came after it."""
        s = self._s
        newer = ~(time <= s["counted"][row])
        row, time, value = row[newer], time[newer], value[newer]
        begun = s["counted"][row]
        after = (begun >= s["fallen"][row]) & (time - s["fallen"][row] <= AFTERMATH_WATCH.value)
        s["steps"][row] += np.where(after, np.maximum(value - s["counter"][row], 0.0), 0.0)
        s["counted"][row], s["counter"][row] = time, value

    def _nothing_moves(self, row: int) -> bool:
        """Whether a home that was heard of within the last day has been quiet since the fall."""
        s = self._s
        heard = s["fallen"][row] - s["home"][row] <= AFTERMATH_SENSOR_AGE.value  # false where there is no sensor
        return bool(heard and not s["moved"][row] and s["steps"][row] == 0)

    def _finding(self, row: int, what: str, now: float) -> Finding:
        s, walks = self._s, what == "walking"
        evidence: dict[str, Any] = {
            "value": round(float(s["steps"][row]) if walks else float(now - s["fallen"][row]), 1),
            "unit": "count" if walks else "s",
            "limit": AFTERMATH_STEPS.value if walks else AFTERMATH_QUIET.value,
            "rule": f"steps since the fall >= {AFTERMATH_STEPS.value:g}"
            if walks
            else f"nothing moves in the home for {AFTERMATH_QUIET.value:g} s after the fall",
            "fall_at": float(s["fallen"][row]),
            "corroboration": told([what]),
        }
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(s["device"][row]),
            type="fall",
            time=float(s["fallen"][row]),
            score=float(s["score"][row]),
            severity=Severity.CRITICAL,
            phase="cleared" if walks else "raised",
            evidence=evidence,
        )
