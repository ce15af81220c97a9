"""The slow obvious twin of the vitals detector: plain Python, one reading after another, one object per metric."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from alerts.detectors.parameters import EFFORT_LEAD, EFFORT_REST, EFFORT_STEPS, VITAL_RULES, VitalRule
from core.metrics import BY_CODE

RULES = {BY_CODE[rule.metric].id: rule for rule in VITAL_RULES}
SEVERITIES = ["low", "medium", "high", "critical"]


def default_limits(rule: VitalRule) -> dict[str, float]:
    return {
        name: math.nan if getattr(rule, name) is None else getattr(rule, name).value
        for name in ("low", "low_critical", "high", "high_critical")
    }


@dataclass
class Slot:
    rule: VitalRule
    limits: dict[str, float]
    history: list[tuple[float, float]] = field(default_factory=list)
    since: dict[str, float] = field(default_factory=dict)
    inside: dict[str, float] = field(default_factory=dict)
    rank: dict[str, int] = field(default_factory=lambda: {"low": 0, "high": 0})
    behind: list[float] = field(default_factory=list)
    walked: list[float] = field(default_factory=list)

    def walking(self) -> bool:
        newest = self.history[-1][0]
        return any(-EFFORT_LEAD.value <= newest - t <= EFFORT_REST.value for t in self.walked)

    def beyond(self, value: float, name: str) -> bool:
        limit = self.limits[name]
        return value < limit if name.startswith("low") else value > limit

    def filtered(self, side: str) -> float:
        values = [v for _, v in self.history]
        if self.rule.sporadic or len(values) == 1:
            return values[-1]
        if len(values) == 2:
            return max(values) if side == "low" else min(values)
        return sorted(values)[1]

    def store(self, t: float, v: float) -> bool:
        times = [x for x, _ in self.history]
        if t in times:
            return False
        if times and t < times[-1]:
            room = len(times) < 3 or t > times[0]
            if room and times[-1] - t <= self.rule.gap.value:
                self.behind = []
            else:
                self.behind = [*self.behind, t] if self.behind and t > self.behind[-1] else [t]
                if len(self.behind) < 3:
                    return False
                self.restart()
        else:
            self.behind = []
            if times and t - times[-1] > self.rule.gap.value:
                self.restart()
        self.history = sorted([*self.history, (t, v)])[-3:]
        return True

    def restart(self) -> None:
        self.history, self.since, self.inside, self.behind = [], {}, {}, []

    def follow(self) -> None:
        if not self.history:
            return
        newest = self.history[-1][0]
        for side in ("low", "high"):
            for name in (side, f"{side}_critical"):
                effort = self.rule.metric in ("heart_rate", "resp_rate") and name == "high" and self.walking()
                if effort or not self.beyond(self.filtered(side), name):
                    self.since.pop(name, None)
                elif name not in self.since:
                    readings = self.history[-1:] if self.rule.sporadic else self.history
                    self.since[name] = next(t for t, v in readings if self.beyond(v, name))
            edge = self.limits[f"{side}_critical"] if math.isnan(self.limits[side]) else self.limits[side]
            margin = self.rule.hysteresis.value
            value = self.filtered(side)
            back = math.isnan(edge) or (value >= edge + margin if side == "low" else value <= edge - margin)
            if not back:
                self.inside.pop(side, None)
            else:
                self.inside.setdefault(side, newest)

    def depth(self, side: str) -> float:
        limit, critical = self.limits[side], self.limits[f"{side}_critical"]
        if math.isnan(limit) or math.isnan(critical) or limit == critical:
            return math.nan
        return (self.filtered(side) - limit) / (critical - limit)

    def raised(self, now: float) -> list[tuple[Any, ...]]:
        out: list[tuple[Any, ...]] = []
        if not self.history:
            return out
        for side in ("low", "high"):
            rank = 0
            if side in self.since and now - self.since[side] >= self.rule.hold.value:
                rank = 2 if self.depth(side) >= 0.5 else 1
            critical = f"{side}_critical"
            if critical in self.since and now - self.since[critical] >= self.rule.hold_critical.value:
                rank = 3
            if rank > self.rank[side]:
                self.rank[side] = rank
                out.append(self.told(side, now, "raised"))
        return out

    def cleared(self, now: float) -> list[tuple[Any, ...]]:
        out = []
        for side in ("low", "high"):
            if self.rank[side] and side in self.inside and now - self.inside[side] >= self.rule.clear.value:
                out.append(self.told(side, now, "cleared"))
                self.rank[side] = 0
        return out

    def told(self, side: str, now: float, phase: str) -> tuple[Any, ...]:
        depth = self.depth(side)
        if math.isnan(depth):
            depth = 1.0 if self.rank[side] == 3 else 0.0
        score = min(1.0, max(0.0, 0.5 + 0.5 * depth))
        return (f"{self.rule.metric}_{side}", now, phase, SEVERITIES[self.rank[side]], self.filtered(side), score)


class NaiveVitals:
    def __init__(self) -> None:
        self.slots: dict[tuple[int, int], Slot] = {}
        self.steps: dict[int, tuple[float, float]] = {}
        self.walked: dict[int, list[float]] = {}

    def note_steps(self, rows: list[tuple[int, int, float, float]]) -> None:
        """Counts that are newer than what is known, and rise by twenty a minute, are walking."""
        for times in self.walked.values():
            times.sort()
        for subject, metric, t, v in sorted(rows, key=lambda r: (r[2], r[3])):
            if subject < 0 or metric != BY_CODE["steps"].id:
                continue
            known = self.known.get(subject)
            if known is not None and t <= known:
                continue
            before = self.steps.get(subject)
            if before and (v - before[1]) / (max(t - before[0], 60) / 60) >= EFFORT_STEPS.value:
                self.walked.setdefault(subject, []).append(t)
            self.steps[subject] = (t, v)

    def slot(self, subject: int, metric: int) -> Slot:
        key = subject, metric
        if key not in self.slots:
            self.slots[key] = Slot(RULES[metric], default_limits(RULES[metric]))
        self.slots[key].walked = self.walked.setdefault(subject, [])
        return self.slots[key]

    def set_limits(self, subject: int, metric: int, **given: float) -> None:
        slot = self.slot(subject, metric)
        slot.limits |= given
        slot.follow()

    def consume(self, rows: list[tuple[int, int, float, float]]) -> list[tuple[Any, ...]]:
        out = []
        rows = [row for row in rows if math.isfinite(row[2]) and math.isfinite(row[3])]
        self.known = {subject: t for subject, (t, _) in self.steps.items()}
        for times in self.walked.values():
            del times[:-1]  # of earlier batches only the last walk is remembered
        self.note_steps(rows)
        for subject, metric, t, v in sorted(rows, key=lambda r: (r[2], r[3])):
            if subject < 0 or metric not in RULES:
                continue
            slot = self.slot(subject, metric)
            if slot.store(t, v):
                slot.follow()
                newest = slot.history[-1][0]
                out += [(subject, *told) for told in slot.raised(newest) + slot.cleared(newest)]
        return out

    def tick(self, now: float) -> list[tuple[Any, ...]]:
        return [(subject, *told) for (subject, _), slot in self.slots.items() for told in slot.raised(now)]
