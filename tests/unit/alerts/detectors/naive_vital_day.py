"""The slow, obvious twin of `VitalDayScore`: it keeps every reading and works each day out from the list."""

from __future__ import annotations

import math

from alerts.detectors.parameters import (
    VITAL_DAY_AGAIN,
    VITAL_DAY_EVENING,
    VITAL_DAY_EVENING_LESS,
    VITAL_DAY_NORMAL,
    VITAL_DAY_RULES,
    VITAL_DAY_STEEPNESS,
    VITAL_DAY_YESTERDAY,
    DayRule,
)

Row = tuple[int, str, float, float]


def day_score(rows: list[Row], subject: int, day: int) -> float:
    """The score of a local day; rows are (subject, metric, local time, value)."""
    mine = [row for row in rows if row[0] == subject and math.isfinite(row[2]) and math.isfinite(row[3])]
    metrics = {rule.metric for rule in VITAL_DAY_RULES}
    if not any(row[1] in metrics and row[2] // 86_400 == day for row in mine):
        return 0.0
    calm = 1.0
    for group in {rule.group for rule in VITAL_DAY_RULES}:
        depths = [_depth(mine, rule, day) for rule in VITAL_DAY_RULES if rule.group == group]
        worst = max(depths)
        if worst > VITAL_DAY_NORMAL.value:
            calm *= 1 - 1 / (1 + math.exp(-VITAL_DAY_STEEPNESS.value * worst))
    return 1 - calm


def _depth(rows: list[Row], rule: DayRule, day: int) -> float:
    readings = [(time, value) for _, metric, time, value in rows if metric == rule.metric]
    today = [(time, value) for time, value in readings if time // 86_400 == day]
    yesterday = [(time, value) for time, value in readings if time // 86_400 == day - 1]
    weights = [-math.inf]
    for sign, limit in ((-1, rule.low), (1, rule.high)):
        if limit is None:
            continue

        def depth(value: float, sign: int = sign, limit: float = limit.value) -> float:
            return (value - limit) * sign / rule.scale.value

        own = max((depth(v) - VITAL_DAY_EVENING_LESS.value * is_evening(t) for t, v in today), default=-math.inf)
        weights.append(own + (VITAL_DAY_AGAIN.value if own >= 0 and _measured_again(today, rule) else 0.0))
        weights += [depth(v) for t, v in yesterday if is_evening(t) and depth(v) >= 0]
        weights += [VITAL_DAY_YESTERDAY.value for t, v in yesterday if not is_evening(t) and depth(v) >= 0]
    return max(weights)


def _measured_again(today: list[tuple[float, float]], rule: DayRule) -> bool:
    low = -math.inf if rule.low is None else rule.low.value
    high = math.inf if rule.high is None else rule.high.value
    beyond = [time for time, value in today if value <= low or value >= high]
    return bool(beyond) and max(time for time, _ in today) > min(beyond)


def is_evening(time: float) -> bool:
    return time % 86_400 >= VITAL_DAY_EVENING.value * 3600
