"""Morse fall scale: six answers enter, 0 to 125 and a band of risk leave.

Published bands differ (25/45 and 25/51): which set was used is the form's version and is kept with every result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from api.services.assessment.forms.base import Answers, ChangeRules, Circumstances, Form, Item, Result, items
from core.vocabulary import Names

DIMENSIONS: Final = {"risk": Names("跌倒风险", "Risk of falling")}
ITEMS: Final[tuple[Item, ...]] = (
    *items("risk", "history 近三个月跌倒史 History of falling", (0, 25)),
    *items("risk", "diagnosis 超过一个诊断 Secondary diagnosis", (0, 15)),
    *items("risk", "aid 行走辅助 Walking aid", (0, 15, 30)),
    *items("risk", "infusion 静脉输液或留置针 Infusion or lock", (0, 20)),
    *items("risk", "gait 步态 Gait", (0, 10, 20)),
    *items("risk", "awareness 认知自身限制 Forgets own limits", (0, 15)),
)
LEVELS: Final = (Names("低风险", "Low risk"), Names("中风险", "Medium risk"), Names("高风险", "High risk"))


def _judge(medium: int, high: int) -> Callable[[Answers, Circumstances, ChangeRules], Result]:
    def judge(answers: Answers, _circumstances: Circumstances, _rules: ChangeRules) -> Result:
        total = sum(answers.values())
        level = (total >= medium) + (total >= high)
        return Result(total, {"risk": total}, level, level, LEVELS[level])

    return judge


def _form(version: str, medium: int, high: int) -> Form:
    names = Names(f"Morse 跌倒风险评估（{medium}/{high}）", f"Morse fall scale ({medium}/{high})")
    return Form("morse", version, names, "Morse 1989", DIMENSIONS, ITEMS, LEVELS, _judge(medium, high))


FORM: Final = _form("25-45", 25, 45)
FORM_51: Final = _form("25-51", 25, 51)
