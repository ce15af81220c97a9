"""The slow, obvious twins of the personal baseline, the daily drift and the fever rules: one reading at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import median

import numpy as np

from alerts.detectors.anomaly import AnomalyScore
from alerts.detectors.parameters import (
    BASELINE_ANOMALY,
    BASELINE_ANOMALY_LEAST,
    BASELINE_CLEAR,
    BASELINE_CLIP,
    BASELINE_DAYS,
    BASELINE_FREEZE,
    BASELINE_LIMIT,
    BASELINE_MEDIUM,
    BASELINE_RULES,
    BASELINE_SERIES,
    BASELINE_SPOT_WEIGHT,
    BASELINE_TIME,
    DRIFT_ALLOWANCE,
    DRIFT_CAP,
    DRIFT_CLEAR,
    DRIFT_CLIP,
    DRIFT_FLOORS,
    DRIFT_LIMIT,
    FEVER_APART,
    FEVER_CLEAR,
    FEVER_REPEATED,
    FEVER_RISE,
    FEVER_WITHIN,
)

Row = tuple[int, str, float, float]
DAY = 86_400


class NaiveBaseline:
    """Tells (subject, type, time, phase, rank). The generic score has a twin of its own; here it is fed one by one."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self.slots: dict[tuple[int, str], dict] = {}
        self.rules = {rule.metric: rule for rule in BASELINE_RULES}
        self.scores: dict[tuple[int, str], AnomalyScore] = {}

    def consume(self, rows: list[Row]) -> list[tuple[int, str, float, str, int]]:
        rows = [row for row in rows if row[0] >= 0 and row[1] in self.rules and math.isfinite(row[3])]
        return [t for row in sorted(rows, key=lambda r: (r[2], r[3])) for t in self._take(*row)]

    def _take(self, subject: int, metric: str, time: float, value: float) -> list[tuple[int, str, float, str, int]]:
        rule = self.rules[metric]
        slot = self.slots.setdefault(
            (subject, metric),
            {
                "hours": {},
                "begun": time,
                "time": None,
                "level": 0.0,
                "rank": 0,
                "since": None,
                "block": None,
                "z": [],
                "strange": 0.0,
            },
        )
        if slot["time"] is not None and time <= slot["time"]:
            return []
        hour = int((time + self.offset) % DAY // 3600) if rule.by_hour else 0
        known = slot["hours"].get(hour)
        gone = slot["time"] is None or time - slot["time"] > (1800 if rule.by_hour else 3 * DAY)
        passed = 60.0 if gone else time - slot["time"]
        if gone:
            slot["level"] = 0.0
        slot["time"] = time
        if rule.by_hour:
            self._end_block(subject, metric, slot, time)
        warm = known and known[2] >= rule.warm_up.value and time - slot["begun"] >= BASELINE_DAYS.value * DAY
        if warm:
            z = (value - known[0]) / (1.4826 * known[1])
            z = max(-BASELINE_CLIP.value, min(BASELINE_CLIP.value, z))
            if metric == "spo2":
                z = min(z, 0.0)
            weight = 1 - math.exp(-passed / BASELINE_TIME.value) if rule.by_hour else BASELINE_SPOT_WEIGHT.value
            slot["level"] += weight * (z - slot["level"])
            slot["z"].append(z)
        told = self._judge(subject, metric, slot, time)
        if not (slot["rank"] and time - slot["since"] < BASELINE_FREEZE.value):
            slot["hours"][hour] = self._learned(rule, known, value)
        return told

    def _end_block(self, subject: int, metric: str, slot: dict, time: float) -> None:
        """Two hours are over: their average goes to the generic score, unless something is raised."""
        block = math.floor((time + subject % 120 * 60) / 7200)
        if slot["block"] is not None and block <= slot["block"]:
            return
        slot["strange"] = 0.0
        if len(slot["z"]) >= 20 and not (slot["rank"] and time - slot["since"] < BASELINE_FREEZE.value):
            score = self.scores.setdefault((subject, metric), AnomalyScore(BASELINE_SERIES, precision=np.float16))
            average = np.array([sum(slot["z"]) / len(slot["z"])])
            slot["strange"] = float(score.score(np.zeros(1, np.int64), np.array([time]), average)[0])
        slot["block"], slot["z"] = block, []

    def _judge(self, subject: int, metric: str, slot: dict, time: float) -> list[tuple[int, str, float, str, int]]:
        size = abs(slot["level"])
        reached = 2 if size >= BASELINE_MEDIUM.value else 1 if size >= BASELINE_LIMIT.value else 0
        if slot["strange"] >= BASELINE_ANOMALY.value and size >= BASELINE_ANOMALY_LEAST.value:
            reached = max(reached, 1)
        if reached > slot["rank"]:
            slot["strange"] = 0.0
            if slot["rank"] == 0:
                slot["since"] = time
            slot["rank"] = reached
            return [(subject, f"{metric}_unusual", time, "raised", reached)]
        if slot["rank"] and size < BASELINE_CLEAR.value:
            was, slot["rank"], slot["strange"] = slot["rank"], 0, 0.0
            return [(subject, f"{metric}_unusual", time, "cleared", was)]
        return []

    @staticmethod
    def _learned(rule, known, value: float) -> tuple[float, float, int]:  # type: ignore[no-untyped-def]
        floor = rule.floor.value / 1.4826
        if known is None:
            return (value, floor, 1)
        center, spread, count = known
        share = max(2 / (count + 2), rule.slowness.value)
        spread = max(spread * (1 + share * (1 if abs(value - center) > spread else -1)), floor)
        return (center + share * spread * (value > center) - share * spread * (value < center), spread, count + 1)


class NaiveDrift:
    """Tells (subject, type, day, phase) for one value of each metric a day."""

    def __init__(self) -> None:
        self.days: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        self.sums: dict[tuple[int, str, int], float] = defaultdict(float)
        self.rank: dict[tuple[int, str, int], int] = defaultdict(int)
        self.kept: dict[tuple[int, str], tuple[float, float, int]] = {}

    def end_day(self, subject: int, metric: str, day: int, value: float) -> list[tuple[int, str, int, str]]:
        past = self.days[subject, metric]
        past[day] = value
        center, spread, known = self._baseline(subject, metric, day)
        told = []
        reached = {}
        for side in (0, 1):
            key = (subject, metric, side)
            if known:
                z = max(-DRIFT_CLIP.value, min(DRIFT_CLIP.value, (value - center) / spread)) * (1 if side else -1)
                self.sums[key] = min(DRIFT_CAP.value, max(0.0, self.sums[key] + z - DRIFT_ALLOWANCE.value))
            quick = metric == "weight" and self._quick(past, day, value, side)
            reached[side] = (2 if quick else 1 if self.sums[key] >= DRIFT_LIMIT.value else 0, quick)
        for side in (0, 1):
            key = (subject, metric, side)
            name = f"{metric}_{('falling', 'rising')[side]}"
            rank, quick = reached[side]
            if rank > self.rank[key]:
                self.rank[key] = rank
                if sum(self.rank[subject, metric, s] > 0 for s in (0, 1)) == 1:
                    self.kept[subject, metric] = (center, spread, day)
                told.append((subject, name, day, "raised"))
            elif self.rank[key] and self.sums[key] <= DRIFT_CLEAR.value and not quick:
                self.rank[key] = 0
                told.append((subject, name, day, "cleared"))
        return told

    def _baseline(self, subject: int, metric: str, day: int) -> tuple[float, float, bool]:
        values = [v for d, v in self.days[subject, metric].items() if day - 42 < d <= day - 7]
        raised = any(self.rank[subject, metric, side] for side in (0, 1))
        kept = self.kept.get((subject, metric))
        if raised and kept and day - kept[2] < 60 and not math.isnan(kept[0]):
            return kept[0], kept[1], True
        if not values:
            return math.nan, math.nan, False
        center = median(values)
        spread = max(1.4826 * median(abs(v - center) for v in values), DRIFT_FLOORS[metric].value)
        return center, spread, len(values) >= 10

    @staticmethod
    def _quick(past: dict[int, float], day: int, value: float, side: int) -> bool:
        if side:
            before = [past[d] for d in range(day - 5, day - 2) if d in past]
            return bool(before) and value - median(before) >= 1.0
        for begin, end in ((9, 4), (34, 24)):
            before = [past[d] for d in range(day - begin, day - end) if d in past]
            if before and value <= 0.95 * median(before):
                return True
        return False


class NaiveFever:
    """Tells (subject, time, phase)."""

    def __init__(self) -> None:
        self.people: dict[int, dict] = {}

    def consume(self, rows: list[Row]) -> list[tuple[int, float, str]]:
        rows = [row for row in rows if row[0] >= 0 and row[1] == "body_temp" and math.isfinite(row[3])]
        return [told for row in sorted(rows, key=lambda r: (r[2], r[3])) for told in self._take(row[0], row[2], row[3])]

    def _take(self, subject: int, time: float, value: float) -> list[tuple[int, float, str]]:
        one = self.people.setdefault(subject, {"usual": [], "time": -math.inf, "warm": None, "hit": None, "up": False})
        if time <= one["time"]:
            return []
        one["time"] = time
        if one["warm"] is not None and time - one["warm"] > FEVER_WITHIN.value:
            one["warm"] = None
        warm = value > FEVER_REPEATED.value
        repeated = warm and one["warm"] is not None and time - one["warm"] >= FEVER_APART.value
        if warm and one["warm"] is None:
            one["warm"] = time
        usual = one["usual"][-20:]
        risen = len(usual) >= 5 and value - median(usual) > FEVER_RISE.value + 1e-9
        if not warm and not risen:
            one["usual"].append(value)
        if repeated or risen:
            one["hit"] = time
            if not one["up"]:
                one["up"] = True
                return [(subject, time, "raised")]
        elif one["up"] and not warm and time - one["hit"] >= FEVER_CLEAR.value:
            one["up"] = False
            return [(subject, time, "cleared")]
        return []
