"""NEWS2 (Royal College of Physicians 2017): vital readings and what people observed enter, the score leaves.

`score_parts` is the published chart, exact and for many people at once; `News2Detector` keeps each resident's newest
values and raises what the second chart calls for a response to. A parameter that is missing or too old is never taken
for normal: the score is then marked partial, with what is missing, and is the least that it can be. Of what a wearable
measures by itself the median of the three newest readings counts, so that a lone spike scores nothing; a value that
stands alone, as one taken by hand does, counts as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np

from alerts.detectors.base import Batch, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from alerts.detectors.parameters import (
    NEWS2_BANDS,
    NEWS2_CLEAR,
    NEWS2_CONSCIOUSNESS,
    NEWS2_HIGH,
    NEWS2_HOLD,
    NEWS2_MEDIUM,
    NEWS2_OXYGEN,
    NEWS2_SINGLE,
    NEWS2_SPIKE_GAP,
    NEWS2_SPIKE_NORMAL,
    NEWS2_SPO2_SCALE2_AIR,
    NEWS2_SPO2_SCALE2_OXYGEN,
)
from alerts.detectors.spikes import HISTORY, filtered
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity

MEASURED: Final = tuple(NEWS2_BANDS)
PARTS: Final = (*MEASURED, "oxygen", "consciousness")
"""The seven parameters in the order of the columns of `score_parts`."""
UNKNOWN: Final = -1
Risk = Literal["low", "low-medium", "medium", "high"]
RISKS: Final[tuple[Risk, ...]] = ("low", "low-medium", "medium", "high")

_SPO2, _OXYGEN, _CONSCIOUSNESS = (PARTS.index(part) for part in ("spo2", "oxygen", "consciousness"))
_COLUMN: Final = column_of(MEASURED)
_AGE_MAX: Final = np.array([NEWS2_BANDS[code].age_max.value for code in MEASURED])
_NORMAL: Final = np.array(
    [NEWS2_SPIKE_NORMAL[code].value if code in NEWS2_SPIKE_NORMAL else np.nan for code in MEASURED]
)
"""Where a healthy adult's value lies; NaN for what is measured by hand and not filtered."""
_MEDIUM, _HIGH = 2, 3
_SEVERITIES: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


def _banded(value: Floats, upper: tuple[float, ...], score: tuple[int, ...], resolution: float) -> Ints:
    """Points of each value, rounded half up to the chart's resolution; UNKNOWN where it is NaN."""
    # In hundredths first: 38.05 is 38.04999... in binary, yet belongs to 38.1.
    steps = np.floor(np.round(value / resolution * 100) / 100 + 0.5)
    edges = np.round(np.array(upper) / resolution)
    points = np.array(score)[np.searchsorted(edges, np.nan_to_num(steps), side="left")]
    return np.where(np.isnan(value), UNKNOWN, points)


def score_parts(measured: Floats, *, scale2: Ints, oxygen: Ints, altered: Ints) -> Ints:
    """The points of each parameter, shape (n, 7) in the order of PARTS, UNKNOWN where it is missing.

    measured: (n, 5) in the order of MEASURED and the metrics' units, NaN for missing. scale2, oxygen, altered: (n,),
    1 yes, 0 no, UNKNOWN; scale2 only for people with a prescribed target of 88-92 %. Under scale 2 a saturation of 93 %
    and above means nothing without knowing whether oxygen is given: it then counts as missing.
    """
    parts = np.full((len(measured), len(PARTS)), UNKNOWN, np.int64)
    for column, code in enumerate(MEASURED):
        band = NEWS2_BANDS[code]
        parts[:, column] = _banded(measured[:, column], band.upper, band.score, band.resolution)
    spo2 = measured[:, _SPO2]
    air, given = (_banded(spo2, up, score, 1) for up, score in (NEWS2_SPO2_SCALE2_AIR, NEWS2_SPO2_SCALE2_OXYGEN))
    unknown = np.where(air == given, air, UNKNOWN)
    second = np.select([oxygen == 1, oxygen == 0], [given, air], unknown)
    parts[:, _SPO2] = np.where(scale2 == 1, second, parts[:, _SPO2])
    parts[:, _OXYGEN] = np.select([oxygen == 1, oxygen == 0], [int(NEWS2_OXYGEN.value), 0], UNKNOWN)
    parts[:, _CONSCIOUSNESS] = np.select([altered == 1, altered == 0], [int(NEWS2_CONSCIOUSNESS.value), 0], UNKNOWN)
    return parts


def risk_ranks(parts: Ints) -> Ints:
    """Place in RISKS of each row of `score_parts`; with parameters missing the risk is at least that."""
    total = np.maximum(parts, 0).sum(1)
    single = (parts >= NEWS2_SINGLE.value).any(1)
    return np.select([total >= NEWS2_HIGH.value, total >= NEWS2_MEDIUM.value, single], [3, 2, 1], 0)


@dataclass(frozen=True, slots=True)
class News2:
    """One person's score at one moment."""

    score: int
    risk: Risk
    parts: dict[str, int | None]
    missing: tuple[str, ...]
    single_3: bool

    @property
    def partial(self) -> bool:
        """Whether a parameter is missing; the score is then the least that it can be."""
        return bool(self.missing)


def age_max_seconds(code: str) -> float:
    """How old a measured parameter may be, in seconds."""
    return NEWS2_BANDS[code].age_max.value


def news2(
    measured: dict[str, float], *, scale2: bool = False, oxygen: bool | None = None, altered: bool | None = None
) -> News2:
    """The score of one person from the metrics that are known; None for what nobody has observed."""
    row = np.array([[measured.get(code, np.nan) for code in MEASURED]], np.float64)
    flags = [np.array([UNKNOWN if flag is None else int(flag)]) for flag in (scale2, oxygen, altered)]
    parts = score_parts(row, scale2=flags[0], oxygen=flags[1], altered=flags[2])
    return _told(parts[0])


def _told(parts: Ints) -> News2:
    points = {name: None if point == UNKNOWN else int(point) for name, point in zip(PARTS, parts, strict=True)}
    return News2(
        score=int(np.maximum(parts, 0).sum()),
        risk=RISKS[int(risk_ranks(parts[None])[0])],
        parts=points,
        missing=tuple(name for name, point in points.items() if point is None),
        single_3=bool((parts >= NEWS2_SINGLE.value).any()),
    )


class News2Detector(Keyed):
    """Raises `news2` once an aggregate of 5 has lasted, again from 7, and clears it on fresh good values only."""

    name = "news2"
    version = "2"
    fields: ClassVar = {
        "value": ((len(MEASURED), HISTORY), np.nan, np.float64),  # the newest last
        "time": ((len(MEASURED), HISTORY), np.nan, np.float64),
        "setting": ((3,), UNKNOWN, np.int8),  # scale 2, oxygen, altered consciousness
        "since": ((len(RISKS),), np.nan, np.float64),  # how long the risk has been at least so high
        "calm_since": ((), np.nan, np.float64),
        "rank": ((), 0, np.int8),
        "raised_by": ((len(PARTS),), 0, np.int8),
    }

    def forget_clinical(self) -> None:
        """Nothing is known of anybody any more, until it is set again."""
        self._s["setting"][:] = UNKNOWN

    def set_clinical(
        self, subject: int, *, scale2: bool | None = False, oxygen: bool | None = None, altered: bool | None = None
    ) -> None:
        """What people know of a resident from now on; None where nobody has said. Raises BadInput for no resident."""
        if subject < 0:
            raise BadInput(f"no clinical settings for subject {subject}")
        row = int(self._row(np.array([subject]))[0])
        self._s["setting"][row] = [UNKNOWN if flag is None else int(flag) for flag in (scale2, oxygen, altered)]

    def consume(self, batch: Batch) -> list[Finding]:
        """Take readings in, the newest of each parameter counting; durations run to the newest reading.

        Of a batch, the first readings of all parameters are judged together, then the second ones, and so on.
        """
        batch, column = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row = self._row(batch.subject)
        findings: list[Finding] = []
        for at in rounds(row * len(MEASURED) + column, batch.time, batch.value):
            findings += self._take(row[at], column[at], batch.time[at], batch.value[at])
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Let durations end and values grow too old."""
        if not np.isfinite(now):
            return []
        rows = np.flatnonzero(~np.isnan(self._s["time"][: len(self._rows), :, -1]).all(1))
        return self._judge(rows, np.full(len(rows), float(now)))

    def aggregates(self, now: float) -> tuple[Ints, Ints]:
        """Keys and aggregates at `now` of everybody of whom anything is known; the least they can be where partial."""
        rows = np.flatnonzero(~np.isnan(self._s["time"][: len(self._rows), :, -1]).all(1))
        parts = self._parts(rows, np.full(len(rows), float(now)))
        return self._rows.keys[rows], np.maximum(parts, 0).sum(1)

    def _take(self, r: Ints, m: Ints, time: Floats, value: Floats) -> list[Finding]:
        held = self._s["time"][r, m, -1]
        newer = np.isnan(held) | (time > held)
        r, m = r[newer], m[newer]
        for name, new in (("time", time[newer]), ("value", value[newer])):
            for place in range(HISTORY - 1):
                self._s[name][r, m, place] = self._s[name][r, m, place + 1]
            self._s[name][r, m, -1] = new
        touched = np.flatnonzero(np.bincount(r, minlength=1)) if len(r) else r
        return self._judge(touched, np.fmax.reduce(self._s["time"][touched, :, -1], axis=1))

    def _values(self, r: Ints) -> Floats:
        """What counts of each parameter, (n, 5): a reading long before the newest says nothing about a spike."""
        value, time = self._s["value"][r], self._s["time"][r]
        near = np.where(time[..., -1:] - time <= NEWS2_SPIKE_GAP.value, value, np.nan)
        near[..., 0] = np.where(np.isnan(near[..., 1]), np.nan, near[..., 0])
        before, last = near[..., 1], near[..., 2]
        with np.errstate(invalid="ignore"):
            two = np.where(np.abs(before - _NORMAL) < np.abs(last - _NORMAL), before, last)
        out: Floats = np.where(
            np.isnan(_NORMAL), last, filtered(near.reshape(-1, HISTORY), two.ravel()).reshape(two.shape)
        )
        return out

    def _parts(self, r: Ints, at: Floats) -> Ints:
        s = self._s
        fresh = at[:, None] - s["time"][r, :, -1] <= _AGE_MAX
        setting = s["setting"][r].astype(np.int64)
        value = np.where(fresh, self._values(r), np.nan)
        return score_parts(value, scale2=setting[:, 0], oxygen=setting[:, 1], altered=setting[:, 2])

    def _judge(self, r: Ints, at: Floats) -> list[Finding]:
        s = self._s
        parts = self._parts(r, at)
        rank = risk_ranks(parts)
        reached = rank[:, None] >= np.arange(len(RISKS))
        since = s["since"][r]
        since = np.where(reached, np.where(np.isnan(since), at[:, None], since), np.nan)
        s["since"][r] = since
        lasting = ((at[:, None] - since >= NEWS2_HOLD.value) * np.arange(len(RISKS))).max(1, initial=0)
        lasting = np.where(lasting >= _MEDIUM, lasting, 0)
        known = ((parts != UNKNOWN) | (s["raised_by"][r] == 0)).all(1)
        calm = s["calm_since"][r]
        calm = np.where((rank < _MEDIUM) & known, np.where(np.isnan(calm), at, calm), np.nan)
        s["calm_since"][r] = calm
        worse = lasting > s["rank"][r]
        over = (s["rank"][r] > 0) & (at - calm >= NEWS2_CLEAR.value)
        s["raised_by"][r[worse]] = parts[worse] > 0
        s["rank"][r[worse]] = lasting[worse]
        findings = [self._finding(int(r[i]), parts[i], float(at[i]), cleared=bool(over[i]))
                    for i in np.flatnonzero(worse | over)]  # fmt: skip
        s["rank"][r[over]], s["raised_by"][r[over]] = 0, 0
        return findings

    def _finding(self, row: int, parts: Ints, at: float, *, cleared: bool) -> Finding:
        s, told = self._s, _told(parts)
        value = self._values(np.array([row]))[0]
        rank = int(s["rank"][row])
        evidence: dict[str, Any] = {
            "value": told.score,
            "unit": "points",
            "limit": (NEWS2_MEDIUM, NEWS2_HIGH)[rank == _HIGH].value,
            "rule": f"NEWS2 (RCP 2017), aggregate, risk {RISKS[rank]}, for {NEWS2_HOLD.value:g} s",
            "risk": told.risk,
            "partial": told.partial,
            "missing": list(told.missing),
            "spo2_scale": 2 if s["setting"][row, 0] == 1 else 1,
            "parts": {
                code: {"points": told.parts[code], "value": float(value[m]), "unit": BY_CODE[code].unit,
                       "time": float(s["time"][row, m, -1])}
                for m, code in enumerate(MEASURED) if told.parts[code] is not None
            } | {code: {"points": told.parts[code]} for code in PARTS[len(MEASURED):] if told.parts[code] is not None},
        }  # fmt: skip
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="news2",
            time=at,
            score=float(np.clip(0.5 + (told.score - NEWS2_MEDIUM.value) / 30, 0.0, 1.0)),
            severity=_SEVERITIES[rank],
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )
