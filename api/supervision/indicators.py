"""What an indicator is, and how it is judged: facts enter, a value against its target leaves.

Where the plan contradicts itself, each of its sentences is a row of its own and is judged by itself: quality 75 % and
100 %, beds of the government at most 40 % and of society at least 70 %, streets with a comprehensive institution 90 %
and all. What the platform cannot count from its records is declared by the regulator with a source, or has no value;
nothing is guessed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

from core.vocabulary import Names

Basis = Literal["computed", "declared", "none"]
Unit = Literal["%", "per_1000", "per_100", "count"]
Operator = Literal[">=", "<=", ">", "="]
OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
_SCALE: Final[dict[str, int]] = {"%": 100, "per_1000": 1000, "per_100": 100, "count": 1}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was counted.

    facilities: of those in operation. counts: by key, (numerator, denominator) over all institutions in sight.
    regions: the region's own numbers by key, such as ("streets", 12): the denominators that no record knows.
    """

    facilities: tuple[Mapping[str, Any], ...]
    counts: Mapping[str, tuple[int, int]]
    declared: Mapping[str, tuple[int, int]] = field(default_factory=dict)


Pair = tuple[int, int]
Count = Callable[[Facts], Pair | None]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row of the plan.

    formula: numerator / denominator in words. count: how the platform counts it; None: it is declared.
    series: under which key its months are kept; empty where they are not. reads: counts that its formula needs beside.
    """

    code: str
    names: Names
    formula: Names
    operator: Operator
    target: int
    unit: Unit
    year: int
    binding: bool
    clause: str
    count: Count | None = None
    series: str = ""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """An indicator with its value; `met` is None where there is none."""

    indicator: Indicator
    basis: Basis
    numerator: int | None
    denominator: int | None
    value: float | None
    met: bool | None


def judge(indicator: Indicator, facts: Facts) -> Value:
    """Counted where it can be, else as declared; judged on the exact fraction, not on what is rounded for people."""
    pair = indicator.count(facts) if indicator.count else None
    basis: Basis = "computed"
    if pair is None or (pair[1] == 0 and indicator.unit != "count"):
        pair, basis = facts.declared.get(indicator.code), "declared"
    if pair is None or (pair[1] == 0 and indicator.unit != "count"):
        return Value(indicator, "none", None, None, None, None)
    exact = Fraction(pair[0]) if indicator.unit == "count" else Fraction(pair[0] * _SCALE[indicator.unit], pair[1])
    met = OPERATORS[indicator.operator](exact, indicator.target)
    return Value(indicator, basis, pair[0], pair[1], round(float(exact), 2), met)
