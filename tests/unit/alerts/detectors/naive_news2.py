"""The slow, obvious twin of `News2Detector`: the published chart as if-sentences, one reading after another."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from alerts.detectors.parameters import NEWS2_BANDS, NEWS2_CLEAR, NEWS2_HOLD

Row = tuple[int, str, float, float]
MEASURED = ("resp_rate", "spo2", "bp_sys", "heart_rate", "body_temp")
Told = tuple[int, float, str, int, int, tuple[str, ...]]
"""Subject, time, phase, rank, score, missing."""


def rounded(value: float, places: str = "1") -> float:
    return float(Decimal(str(value)).quantize(Decimal(places), ROUND_HALF_UP))


def resp_rate(x: float) -> int:
    x = rounded(x)
    return 3 if x <= 8 else 1 if x <= 11 else 0 if x <= 20 else 2 if x <= 24 else 3


def spo2(x: float, scale2: bool, oxygen: bool | None) -> int | None:
    x = rounded(x)
    if not scale2:
        return 3 if x <= 91 else 2 if x <= 93 else 1 if x <= 95 else 0
    if x <= 92:
        return 3 if x <= 83 else 2 if x <= 85 else 1 if x <= 87 else 0
    if oxygen is None:
        return None
    return 0 if not oxygen else 1 if x <= 94 else 2 if x <= 96 else 3


def bp_sys(x: float) -> int:
    x = rounded(x)
    return 3 if x <= 90 else 2 if x <= 100 else 1 if x <= 110 else 0 if x <= 219 else 3


def heart_rate(x: float) -> int:
    x = rounded(x)
    return 3 if x <= 40 else 1 if x <= 50 else 0 if x <= 90 else 1 if x <= 110 else 2 if x <= 130 else 3


def body_temp(x: float) -> int:
    x = rounded(x, "0.1")
    return 3 if x <= 35.0 else 1 if x <= 36.0 else 0 if x <= 38.0 else 1 if x <= 39.0 else 2


def parts(values: dict[str, float], scale2: bool, oxygen: bool | None, altered: bool | None) -> dict[str, int | None]:
    found: dict[str, int | None] = dict.fromkeys(MEASURED)
    for name, rule in (
        ("resp_rate", resp_rate),
        ("bp_sys", bp_sys),
        ("heart_rate", heart_rate),
        ("body_temp", body_temp),
    ):
        if name in values:
            found[name] = rule(values[name])
    if "spo2" in values:
        found["spo2"] = spo2(values["spo2"], scale2, oxygen)
    found["oxygen"] = None if oxygen is None else 2 if oxygen else 0
    found["consciousness"] = None if altered is None else 3 if altered else 0
    return found


def rank(points: dict[str, int | None]) -> int:
    total = sum(p or 0 for p in points.values())
    return 3 if total >= 7 else 2 if total >= 5 else 1 if 3 in points.values() else 0


def counted(metric: str, past: list[tuple[float, float]]) -> float:
    """The median of the newest three, the nearer to normal of two; hand-taken values as they are."""
    normal = {"resp_rate": 16, "spo2": 98, "heart_rate": 70}.get(metric)
    near = [value for time, value in past[-3:] if past[-1][0] - time <= 1800]
    if normal is None or len(near) == 1:
        return near[-1]
    if len(near) == 2:
        return near[0] if abs(near[0] - normal) < abs(near[1] - normal) else near[1]
    return sorted(near)[1]


class NaiveNews2:
    def __init__(self) -> None:
        self.settings: dict[int, tuple[bool, bool | None, bool | None]] = {}
        self.people: dict[int, dict] = {}

    def consume(self, rows: list[Row]) -> list[Told]:
        told: list[Told] = []
        good = [r for r in rows if r[0] >= 0 and r[1] in MEASURED and math.isfinite(r[2]) and math.isfinite(r[3])]
        queues: dict[tuple[int, str], list[tuple[float, float]]] = {}
        for subject, metric, time, value in sorted(good, key=lambda r: (r[2], r[3])):
            queues.setdefault((subject, metric), []).append((time, value))
        while queues:
            touched = set()
            for subject, metric in list(queues):
                time, value = queues[subject, metric].pop(0)
                if not queues[subject, metric]:
                    del queues[subject, metric]
                person = self.people.setdefault(
                    subject, {"latest": {}, "since": {}, "calm": None, "rank": 0, "by": set()}
                )
                past = person["latest"].setdefault(metric, [])
                if not past or past[-1][0] < time:
                    past.append((time, value))
                    touched.add(subject)
            for subject in touched:
                told += self._judge(subject, max(past[-1][0] for past in self.people[subject]["latest"].values()))
        return told

    def tick(self, now: float) -> list[Told]:
        return [found for subject in self.people for found in self._judge(subject, now)]

    def _judge(self, subject: int, at: float) -> list[Told]:
        person = self.people[subject]
        fresh = {
            m: counted(m, past)
            for m, past in person["latest"].items()
            if at - past[-1][0] <= NEWS2_BANDS[m].age_max.value
        }
        points = parts(fresh, *self.settings.get(subject, (False, None, None)))
        now_rank = rank(points)
        for level in (1, 2, 3):
            if now_rank >= level:
                person["since"].setdefault(level, at)
            else:
                person["since"].pop(level, None)
        # A 3 in one parameter alone raises nothing: the limits have it.
        lasting = max(
            (level for level, t in person["since"].items() if level > 1 and at - t >= NEWS2_HOLD.value), default=0
        )
        if now_rank < 2 and all(points[name] is not None for name in person["by"]):
            person["calm"] = at if person["calm"] is None else person["calm"]
        else:
            person["calm"] = None
        missing = tuple(name for name, p in points.items() if p is None)
        score = sum(p or 0 for p in points.values())
        if lasting > person["rank"]:
            person["rank"], person["by"] = lasting, {name for name, p in points.items() if p}
            return [(subject, at, "raised", lasting, score, missing)]
        if person["rank"] and person["calm"] is not None and at - person["calm"] >= NEWS2_CLEAR.value:
            was, person["rank"], person["by"] = person["rank"], 0, set()
            return [(subject, at, "cleared", was, score, missing)]
        return []
