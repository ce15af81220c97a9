"""What every assessment form is: items with their possible scores, and a function from answers to a level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from core.errors import BadInput
from core.vocabulary import Names

Answers = Mapping[str, int]
Diagnosis = Literal["none", "dementia", "mental"]

CARE_RISKS: Final[dict[str, Names]] = {
    "fall": Names("跌倒", "Fall"),
    "choking": Names("噎食", "Choking"),
    "suicide": Names("自杀", "Attempted suicide"),
    "self_harm": Names("自伤", "Self-harm"),
    "wandering": Names("走失", "Wandering off"),
}
"""Care-risk events (照护风险事件) that the change clauses count; falls and wandering the platform counts itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question; `values` are the scores that an answer may have, best first."""

    code: str
    names: Names
    dimension: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What may change the level beside the answers.

    events: how many care-risk events of each kind there were in the last 30 days.
    """

    coma: bool = False
    diagnosis: Diagnosis = "none"
    events: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """How the change clauses are read where the published forms disagree; kept with every result.

    stack: a diagnosis and events raise the level by one each; otherwise by one together.
    sum_kinds: events of all kinds together; otherwise so many of one kind.
    """

    stack: bool = False
    sum_kinds: bool = True
    events_min: int = 2

    def enough(self, events: Mapping[str, int]) -> bool:
        """Whether these events raise the level."""
        counts = [events.get(kind, 0) for kind in CARE_RISKS]
        return (sum(counts) if self.sum_kinds else max(counts)) >= self.events_min


@dataclass(frozen=True, slots=True)
class Result:
    """What the answers come to.

    level: None for a form that only sums. clauses: the change clauses that were used, in words for people.
    """

    total: int
    subtotals: dict[str, int]
    preliminary: int | None = None
    level: int | None = None
    level_names: Names | None = None
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A form in one version; `judge` takes checked answers."""

    code: str
    version: str
    names: Names
    source: str
    dimensions: Mapping[str, Names]
    items: tuple[Item, ...]
    levels: tuple[Names, ...]
    judge: Callable[[Answers, Circumstances, ChangeRules], Result]

    @property
    def total_max(self) -> int:
        return sum(max(item.values) for item in self.items)

    def check(self, answers: Answers, *, whole: bool = True) -> None:
        """Raises BadInput, naming every item that is missing (unless not `whole`), unknown, or not so scored."""
        known = {item.code: item for item in self.items}
        wrong = [f"{code} is no item of {self.code}" for code in answers if code not in known]
        wrong += [
            f"{code} is one of {', '.join(map(str, known[code].values))}"
            for code, value in answers.items()
            if code in known and value not in known[code].values
        ]
        if whole:
            wrong += [f"{code} is missing" for code in known if code not in answers]
        if wrong:
            raise BadInput("; ".join(wrong[:10]))

    def subtotals(self, answers: Answers) -> dict[str, int]:
        """The sum of each dimension, over the items answered so far."""
        sums = dict.fromkeys(self.dimensions, 0)
        for item in self.items:
            sums[item.dimension] += answers.get(item.code, 0)
        return sums

    def result(self, answers: Answers, circumstances: Circumstances, rules: ChangeRules) -> Result:
        """The judged form. Raises BadInput for answers that are not whole or not possible."""
        self.check(answers)
        return self.judge(answers, circumstances, rules)


def raised(level: int, circumstances: Circumstances, rules: ChangeRules) -> tuple[int, list[str]]:
    """How many levels the diagnosis and the events raise it by, and the clauses in words. Coma is each form's own."""
    clauses = []
    if circumstances.diagnosis != "none":
        clauses.append("确诊认知障碍或精神障碍 · diagnosed dementia or mental disorder")
    if rules.enough(circumstances.events):
        clauses.append("近30天内发生两次及以上照护风险事件 · two or more care-risk events in 30 days")
    steps = len(clauses) if rules.stack else min(len(clauses), 1)
    return level + steps, clauses


def items(dimension: str, text: str, values: tuple[int, ...]) -> tuple[Item, ...]:
    """`code 中文 English words`, divided by commas, all scored alike."""
    made = []
    for one in text.split(","):
        code, zh, en = one.split(maxsplit=2)
        made.append(Item(code, Names(zh, en), dimension, values))
    return tuple(made)
