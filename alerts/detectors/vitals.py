"""Vital limits per person: readings of vitals enter, raised and cleared limit alerts leave.

All residents are judged in one pass: state lives in arrays of shape (rows, metrics, ...), one row per resident, and a
batch is cut into rounds in which every (resident, metric) occurs at most once, in the order of device time.

A continuous metric passes a median of its three newest readings by device time, must stay beyond the limit for `hold`
seconds (counted to the newest reading, or to `now` in `tick`), and clears after `clear` seconds of readings inside the
limit by the hysteresis. A sporadic metric is judged reading by reading. Silence never clears anything. A pulse or a
breath that is fast while the person walks is effort: only the critical limit holds until some minutes of rest.

Most readings are unremarkable: where a person's last readings of a metric all lay inside and so does the next, only the
history moves on (`_calm`). That is a shortcut, not a rule: it leads to the same state and the same findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Rows, checked, grown, rounds, usable
from alerts.detectors.effort import Effort
from alerts.detectors.parameters import CLOCK_SET_BACK_READINGS, VITAL_RULES, Parameter
from alerts.detectors.spikes import HISTORY as _HISTORY
from alerts.detectors.spikes import filtered
from core.errors import BadInput
from core.metrics import BY_CODE, BY_ID
from core.vocabulary import Severity

LOW, HIGH = 0, 1
WARNING, CRITICAL = 0, 1
_SIGN: Final = np.array([-1.0, 1.0])
_RANKS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_CODES: Final = tuple(rule.metric for rule in VITAL_RULES)
_METRIC_IDS: Final = np.array([BY_CODE[code].id for code in _CODES])
_COLUMN: Final = np.full(int(max(BY_ID)) + 1, -1, np.int64)
_COLUMN[_METRIC_IDS] = np.arange(len(_CODES))
_SPORADIC: Final = np.array([rule.sporadic for rule in VITAL_RULES])


def _value(parameter: Parameter | None) -> float:
    return np.nan if parameter is None else parameter.value


_LIMITS: Final = np.array(
    [[[_value(r.low), _value(r.low_critical)], [_value(r.high), _value(r.high_critical)]] for r in VITAL_RULES]
)
_HOLD: Final = np.array([[r.hold.value, r.hold_critical.value] for r in VITAL_RULES])
_CLEAR: Final = np.array([r.clear.value for r in VITAL_RULES])
_GAP: Final = np.array([r.gap.value for r in VITAL_RULES])
_HYSTERESIS: Final = np.array([r.hysteresis.value for r in VITAL_RULES])
_METRICS: Final = len(_CODES)
_EFFORT: Final = np.array([code in ("heart_rate", "resp_rate") for code in _CODES])

# name -> (shape per resident, fill, dtype); together they are the checkpoint.
_FIELDS: Final[dict[str, tuple[tuple[int, ...], float, type]]] = {
    "limit": ((_METRICS, 2, 2), np.nan, np.float64),
    "time": ((_METRICS, _HISTORY), np.nan, np.float64),
    "value": ((_METRICS, _HISTORY), np.nan, np.float64),
    "beyond_since": ((_METRICS, 2, 2), np.nan, np.float64),
    "inside_since": ((_METRICS, 2), np.nan, np.float64),
    "rank": ((_METRICS, 2), 0, np.int8),
    "behind_count": ((_METRICS,), 0, np.int8),
    "behind_time": ((_METRICS,), np.nan, np.float64),
}


class VitalsDetector:
    """Limits on heart_rate, spo2, resp_rate, body_temp, bp_sys, bp_dia and glucose, per resident."""

    name = "vitals"
    version = "2"

    def __init__(self) -> None:
        self._rows = Rows()
        self._effort = Effort()
        self._calm = np.zeros((0, _METRICS), bool)
        self._inside = np.zeros((0, _METRICS, 2))  # where readings are unremarkable; follows from the limits
        self._s: dict[str, np.ndarray[Any, Any]] = {
            name: np.full((0, *shape), fill, dtype) for name, (shape, fill, dtype) in _FIELDS.items()
        }

    def set_limits(
        self,
        subject: int,
        metric: int,
        low: float | None = None,
        high: float | None = None,
        low_critical: float | None = None,
        high_critical: float | None = None,
    ) -> None:
        """Set one person's limits for one metric, in its unit, from now on.

        None keeps what is set (at first the default), NaN switches that limit off. The present readings are judged by
        the new limits at the next `consume` or `tick`. Raises BadInput for a metric without limits or limits that
        cross, which would never or always be met.
        """
        column = int(_COLUMN[metric]) if 0 <= metric < len(_COLUMN) else -1
        if subject < 0 or column < 0:
            raise BadInput(f"no limits for subject {subject}, metric {metric}")
        row = int(self._row(np.array([subject]))[0])
        limits = self._s["limit"][row, column].copy()
        for at, given in (((0, 0), low), ((0, 1), low_critical), ((1, 0), high), ((1, 1), high_critical)):
            if given is not None:
                limits[at] = given
        rising = np.array([limits[0, 1], limits[0, 0], limits[1, 0], limits[1, 1]])
        rising = rising[~np.isnan(rising)]
        if np.isinf(rising).any() or (np.diff(rising) < 0).any():
            raise BadInput(f"limits must rise from low_critical to high_critical, got {limits.tolist()}")
        self._s["limit"][row, column] = limits
        self._limits_changed(np.array([row]))
        self._follow(np.array([row]), np.array([column]))

    def forget_limits(self) -> None:
        """Everybody is back at the defaults, until limits are set again."""
        n = len(self._rows)
        self._s["limit"][:n] = _LIMITS
        self._limits_changed(np.arange(n))
        rows, columns = np.nonzero(~np.isnan(self._s["time"][:n, :, -1]))
        self._follow(rows, columns)

    def limits(self, subject: int, metric: int) -> dict[str, float]:
        """The limits in force for a person and metric; NaN where there is none."""
        column = int(_COLUMN[metric])
        row = int(self._rows.find(np.array([subject]))[0])
        held = _LIMITS[column] if row < 0 else self._s["limit"][row, column]
        names = (("low", (0, 0)), ("low_critical", (0, 1)), ("high", (1, 0)), ("high_critical", (1, 1)))
        return {name: float(held[at]) for name, at in names}

    def consume(self, batch: Batch) -> list[Finding]:
        """Judge a pass of readings; other metrics are passed over. O(n log n), vectorised over residents."""
        self._effort.note(batch)
        column = np.where((batch.metric >= 0) & (batch.metric < len(_COLUMN)), batch.metric, 0)
        mine = _COLUMN[column] >= 0
        batch = usable(Batch(batch.subject[mine], batch.metric[mine], batch.time[mine], batch.value[mine]))
        column = _COLUMN[batch.metric]
        row = self._row(batch.subject)
        findings: list[Finding] = []
        for at in rounds(row * _METRICS + column, batch.time, batch.value):
            at = at[~self._pass_calm(row[at], column[at], batch.time[at], batch.value[at])]
            r, m = row[at], column[at]
            self._calm[r, m] = False
            new = self._store(r, m, batch.time[at], batch.value[at])
            r, m = r[new], m[new]
            self._follow(r, m)
            newest = self._s["time"][r, m, -1]
            findings += self._raise(r, m, newest)
            findings += self._clear(r, m, newest)
            self._note_calm(r, m)
        self._effort.settle()
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Raise what has lasted long enough by `now`, also where readings have stopped."""
        if not np.isfinite(now):
            return []
        n = len(self._rows)
        waiting = (~np.isnan(self._s["beyond_since"][:n])).any((2, 3))
        r, m = np.nonzero(waiting)
        return self._raise(r, m, np.full(len(r), float(now)))

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        n = len(self._rows)
        effort = {f"effort_{name}": array for name, array in self._effort.state().items()}
        mine = {name: array[:n].copy() for name, array in self._s.items()}
        return {"subject": self._rows.keys.copy(), **mine, **effort}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        held = checked(self.name, "subject", state, _FIELDS)
        self._effort.restore({name[7:]: array for name, array in state.items() if name.startswith("effort_")})
        self._s = held
        self._rows.load(np.array(state["subject"]))
        n = len(self._rows)
        self._calm, self._inside = np.zeros((n, _METRICS), bool), np.zeros((n, _METRICS, 2))
        self._limits_changed(np.arange(n))

    def _row(self, subjects: Ints) -> Ints:
        """Rows of residents; new ones start with the default limits."""
        before = len(self._rows)
        rows = self._rows.add(subjects)
        if len(self._rows) > before:
            for name, (_, fill, _) in _FIELDS.items():
                self._s[name] = grown(self._s[name], len(self._rows), fill)
            self._s["limit"][before : len(self._rows)] = _LIMITS
            self._calm = grown(self._calm, len(self._rows), 0)
            self._inside = grown(self._inside, len(self._rows), 0.0)
            self._limits_changed(np.arange(before, len(self._rows)))
        return rows

    def _limits_changed(self, rows: Ints) -> None:
        limit = self._s["limit"][rows]
        edge = np.where(np.isnan(limit[..., WARNING]), limit[..., CRITICAL], limit[..., WARNING])
        edge = edge - _SIGN * _HYSTERESIS[:, None]
        self._inside[rows] = np.where(np.isnan(edge), _SIGN * np.inf, edge)
        self._calm[rows] = False

    def _pass_calm(self, r: Ints, m: Ints, time: Floats, value: Floats) -> Bools:
        """Move the history on where all was calm and still is; which readings that were."""
        at = r * _METRICS + m
        times, values = self._s["time"].reshape(-1, _HISTORY), self._s["value"].reshape(-1, _HISTORY)
        inside, newest = self._inside.reshape(-1, 2)[at], times[at, -1]
        calm: Bools = self._calm.reshape(-1)[at] & (time > newest) & (time - newest <= _GAP[m])
        calm &= (value >= inside[:, LOW]) & (value <= inside[:, HIGH])
        kept = at[calm]
        for history, new in ((times, time), (values, value)):
            for place in range(_HISTORY - 1):
                history[kept, place] = history[kept, place + 1]
            history[kept, -1] = new[calm]
        return calm

    def _note_calm(self, r: Ints, m: Ints) -> None:
        """Calm: three readings inside, nothing raised, nothing begun, no reading behind."""
        s = self._s
        value, inside = s["value"][r, m], self._inside[r, m]
        calm = ((value >= inside[:, LOW, None]) & (value <= inside[:, HIGH, None])).all(1)
        calm &= (s["rank"][r, m] == 0).all(1) & np.isnan(s["beyond_since"][r, m]).all((1, 2))
        calm &= ~np.isnan(s["inside_since"][r, m]).any(1) & (s["behind_count"][r, m] == 0)
        self._calm[r, m] = calm

    def _store(self, r: Ints, m: Ints, time: Floats, value: Floats) -> Bools:
        """Put each reading into the history of its (row, metric); False where it is a duplicate or too late."""
        s = self._s
        times = s["time"][r, m]
        newest, oldest = times[:, -1], times[:, 0]
        fresh = np.isnan(newest)
        duplicate = (times == time[:, None]).any(1)
        late = ~fresh & ~duplicate & (time < newest)
        fits = late & (np.isnan(oldest) | (time > oldest)) & (newest - time <= _GAP[m])
        behind = late & ~fits
        count = np.where(behind & (time > s["behind_time"][r, m]), s["behind_count"][r, m] + 1, behind)
        set_back = count >= CLOCK_SET_BACK_READINGS.value
        s["behind_count"][r, m] = np.where(set_back, 0, np.where(duplicate, s["behind_count"][r, m], count))
        s["behind_time"][r, m] = np.where(behind & ~set_back, time, np.where(duplicate, s["behind_time"][r, m], np.nan))
        restart = set_back | (~late & (time - newest > _GAP[m]))
        for name in ("time", "value", "beyond_since", "inside_since"):
            s[name][r[restart], m[restart]] = np.nan
        taken: Bools = (~late & ~duplicate) | fits | set_back
        rt, mt = r[taken], m[taken]
        # The new reading takes the oldest one's place, then the three are put in order; NaN comes first.
        times, values = s["time"][rt, mt], s["value"][rt, mt]
        times[:, 0], values[:, 0] = time[taken], value[taken]
        order = np.argsort(np.where(np.isnan(times), -np.inf, times), axis=1, kind="stable")
        s["time"][rt, mt] = np.take_along_axis(times, order, 1)
        s["value"][rt, mt] = np.take_along_axis(values, order, 1)
        return taken

    def _filtered(self, r: Ints, m: Ints) -> Floats:
        """What is compared with the limits, shape (n, 2): for LOW and for HIGH.

        Median of three; of two readings the one nearer to normal; a single one as it is; sporadic metrics: the newest.
        """
        value = self._s["value"][r, m]
        out: Floats = np.empty((len(r), 2))
        for side, nearer in ((LOW, np.fmax), (HIGH, np.fmin)):
            out[:, side] = np.where(_SPORADIC[m], value[:, 2], filtered(value, nearer(value[:, 1], value[:, 2])))
        return out

    def _follow(self, r: Ints, m: Ints) -> None:
        """Bring `beyond_since` and `inside_since` up to the newest reading."""
        s = self._s
        filtered, limit = self._filtered(r, m), s["limit"][r, m]
        time, value = s["time"][r, m], s["value"][r, m]
        beyond = (filtered[:, :, None] - limit) * _SIGN[None, :, None] > 0
        hard = np.flatnonzero(_EFFORT[m] & beyond[:, HIGH, WARNING])
        walking = self._effort.active(self._rows.keys[r[hard]], time[hard, -1])
        beyond[hard[walking], HIGH, WARNING] = False
        raw = (value[:, None, None, :] - limit[..., None]) * _SIGN[None, :, None, None] > 0
        raw[_SPORADIC[m], :, :, :-1] = False
        start = np.where(raw, time[:, None, None, :], np.inf).min(3)
        since = s["beyond_since"][r, m]
        s["beyond_since"][r, m] = np.where(beyond, np.where(np.isnan(since), start, since), np.nan)
        edge = np.where(np.isnan(limit[:, :, WARNING]), limit[:, :, CRITICAL], limit[:, :, WARNING])
        back = edge - _SIGN * _HYSTERESIS[m][:, None]
        inside = ((filtered - back) * _SIGN <= 0) | (np.isnan(back) & ~np.isnan(filtered))
        since = s["inside_since"][r, m]
        s["inside_since"][r, m] = np.where(inside, np.where(np.isnan(since), time[:, -1:], since), np.nan)

    def _raise(self, r: Ints, m: Ints, at: Floats) -> list[Finding]:
        """Raise, or raise again as more severe, what has been beyond a limit long enough at time `at`."""
        s = self._s
        held = at[:, None, None] - s["beyond_since"][r, m] >= _HOLD[m][:, None, :]
        limit = s["limit"][r, m]
        depth = _depth(self._filtered(r, m), limit)
        rank = np.where(held[:, :, WARNING], np.where(depth >= 0.5, 2, 1), 0)
        rank = np.where(held[:, :, CRITICAL], 3, rank)
        findings = []
        for i, side in np.argwhere(rank > s["rank"][r, m]):
            row, column = int(r[i]), int(m[i])
            s["rank"][row, column, side] = rank[i, side]
            findings.append(self._finding(row, column, int(side), float(at[i]), float(depth[i, side])))
        return findings

    def _clear(self, r: Ints, m: Ints, at: Floats) -> list[Finding]:
        """Clear what readings have shown to be over for long enough."""
        s = self._s
        over = (s["rank"][r, m] > 0) & (at[:, None] - s["inside_since"][r, m] >= _CLEAR[m][:, None])
        depth = _depth(self._filtered(r, m), s["limit"][r, m])
        findings = []
        for i, side in np.argwhere(over):
            row, column = int(r[i]), int(m[i])
            findings.append(self._finding(row, column, int(side), float(at[i]), float(depth[i, side]), cleared=True))
            s["rank"][row, column, side] = 0
        return findings

    def _finding(self, row: int, column: int, side: int, at: float, depth: float, *, cleared: bool = False) -> Finding:
        s = self._s
        code, unit = _CODES[column], BY_CODE[_CODES[column]].unit
        rank = int(s["rank"][row, column, side])
        level = CRITICAL if rank == 3 else WARNING
        limit, since = float(s["limit"][row, column, side, level]), float(s["beyond_since"][row, column, side, level])
        filtered = float(self._filtered(np.array([row]), np.array([column]))[0, side])
        sign, word = "<>"[side], ("low", "high")[side]
        hold = float(_HOLD[column, level])
        evidence: dict[str, Any] = {
            "metric": code,
            "value": filtered,
            "reading": float(s["value"][row, column, -1]),
            "reading_time": float(s["time"][row, column, -1]),
            "unit": unit,
            "limit": None if np.isnan(limit) else limit,
            "level": ("warning", "critical")[level],
            "rule": f"{code} {sign} {limit:g} {unit}" + (f" for {hold:g} s" if hold else ""),
            "since": None if np.isnan(since) else since,
        }
        score = 0.5 + 0.5 * (float(level) if np.isnan(depth) else depth)
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type=f"{code}_{word}",
            time=at,
            score=float(np.clip(score, 0.0, 1.0)),
            severity=_RANKS[rank],
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )


def _depth(filtered: Floats, limit: Floats) -> Floats:
    """How far beyond the limit: 0 at the limit, 1 at the critical one, negative inside; NaN without either."""
    span = np.abs(limit[:, :, CRITICAL] - limit[:, :, WARNING])
    with np.errstate(divide="ignore", invalid="ignore"):
        depth: Floats = (filtered - limit[:, :, WARNING]) * _SIGN / span
    return np.where(np.isfinite(depth), depth, np.nan)
