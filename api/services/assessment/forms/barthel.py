"""Barthel index: ten answers enter, 0 to 100 and the step of dependence leave."""

from __future__ import annotations

from typing import Final

from api.services.assessment.forms.base import Answers, ChangeRules, Circumstances, Form, Item, Result, items
from core.vocabulary import Names

DIMENSIONS: Final = {"adl": Names("日常生活活动", "Activities of daily living")}
ITEMS: Final[tuple[Item, ...]] = (
    *items("adl", "eating 进食 Eating", (10, 5, 0)),
    *items("adl", "bathing 洗澡 Bathing,grooming 修饰 Grooming", (5, 0)),
    *items("adl", "dressing 穿衣 Dressing,bowel 大便控制 Bowel control,bladder 小便控制 Bladder control,"
           "toilet 如厕 Using the toilet", (10, 5, 0)),
    *items("adl", "chair_transfer 床椅转移 Bed to chair,walking 平地行走 Walking on level ground", (15, 10, 5, 0)),
    *items("adl", "stairs 上下楼梯 Stairs", (10, 5, 0)),
)  # fmt: skip
LEVELS: Final = (
    Names("能力完好", "Independent"),
    Names("轻度受损", "Mildly dependent"),
    Names("中度受损", "Moderately dependent"),
    Names("重度受损", "Severely dependent"),
)
CUT_OFFS: Final = ((100, 0), (65, 1), (45, 2), (0, 3))


def level_of(total: int) -> int:
    """100: 0; 65–95: 1; 45–60: 2; up to 40: 3."""
    return next(level for least, level in CUT_OFFS if total >= least)


def judge(answers: Answers, _circumstances: Circumstances, _rules: ChangeRules) -> Result:
    """The sum decides; no clause changes it."""
    total = sum(answers.values())
    level = level_of(total)
    return Result(total, {"adl": total}, level, level, LEVELS[level])


FORM: Final = Form(
    code="barthel",
    version="1",
    names=Names("日常生活活动能力（Barthel 指数）", "Barthel index"),
    source="MZ/T 039-2013",
    dimensions=DIMENSIONS,
    items=ITEMS,
    levels=LEVELS,
    judge=judge,
)
