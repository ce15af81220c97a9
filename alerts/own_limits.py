"""Limits that hold for one person: the defaults and what was set for them enter, what is judged by leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from alerts.detectors.parameters import VITAL_RULES

LIMITS_RISING: Final = ("low_critical", "low", "high", "high_critical")
DEFAULTS: Final[Mapping[str, Mapping[str, float]]] = {
    rule.metric: {
        name: math.nan if (limit := getattr(rule, name)) is None else float(limit.value) for name in LIMITS_RISING
    }
    for rule in VITAL_RULES
}
"""By metric, in its unit; NaN where a side is not judged."""


def own_limits(defaults: Mapping[str, float], row: Mapping[str, Any]) -> dict[str, float]:
    """One person's limits: what was set for them, and the defaults wherever those do not contradict it.

    A default that would cross an own limit gives way: it is switched off (NaN).
    """
    own = {name: float(row[name]) for name in LIMITS_RISING if row[name] is not None}
    merged = dict(defaults) | own
    for at, name in enumerate(LIMITS_RISING):
        if name in own:
            continue
        below = [own[other] for other in LIMITS_RISING[:at] if other in own]
        above = [own[other] for other in LIMITS_RISING[at + 1 :] if other in own]
        if any(merged[name] < limit for limit in below) or any(merged[name] > limit for limit in above):
            merged[name] = math.nan
    return merged
