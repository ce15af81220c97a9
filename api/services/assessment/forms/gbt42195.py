"""GB/T 42195-2022 老年人能力评估规范: 26 answers enter, a total of 90 and one of five levels leave.

Items, maxima, cut-offs and change clauses as public forms of the standard agree on them. Whether the clauses for a
diagnosis and for events add up, and whether events of different kinds do, the public forms disagree on: `ChangeRules`.
"""

from __future__ import annotations

from typing import Final

from api.services.assessment.forms.base import Answers, ChangeRules, Circumstances, Form, Result, items, raised
from core.vocabulary import Names

FOUR: Final = (4, 3, 2, 1, 0)
CUT_OFFS: Final = ((90, 0), (66, 1), (46, 2), (30, 3), (0, 4))
"""(lowest total, level), best first."""
WORST: Final = 4

DIMENSIONS: Final = {
    "self_care": Names("自理能力", "Self-care"),
    "movement": Names("基础运动能力", "Basic movement"),
    "mind": Names("精神状态", "State of mind"),
    "senses": Names("感知觉与社会参与", "Senses and taking part"),
}
LEVELS: Final = (
    Names("能力完好", "Unimpaired"),
    Names("能力轻度受损（轻度失能）", "Mildly impaired"),
    Names("能力中度受损（中度失能）", "Moderately impaired"),
    Names("能力重度受损（重度失能）", "Severely impaired"),
    Names("能力完全丧失（完全失能）", "Wholly lost"),
)
ITEMS: Final = (
    *items(
        "self_care",
        "eating 进食 Eating,grooming 修饰 Grooming,bathing 洗澡 Bathing,"
        "upper_dressing 穿/脱上衣 Dressing above the waist,lower_dressing 穿/脱裤子和鞋袜 Dressing below the waist,"
        "bladder 小便控制 Bladder control,"
        "bowel 大便控制 Bowel control,toilet 如厕 Using the toilet",
        FOUR,
    ),
    *items("movement", "bed_transfer 床上体位转移 Moving in bed,chair_transfer 床椅转移 Bed to chair,"
           "walking 平地行走 Walking on level ground", FOUR),
    *items("movement", "stairs 上下楼梯 Stairs", (3, 2, 1, 0)),
    *items(
        "mind",
        "time 时间定向 Knowing the time,place 空间定向 Knowing the place,person 人物定向 Knowing people,"
        "memory 记忆 Memory,understanding 理解能力 Understanding,expression 表达能力 Expression",
        FOUR,
    ),
    *items("mind", "aggression 攻击行为 Aggression,depression 抑郁症状 Signs of depression", (1, 0)),
    *items("mind", "consciousness 意识水平 Consciousness", (2, 1, 0)),
    *items("senses", "sight 视力 Sight,hearing 听力 Hearing", (2, 1, 0)),
    *items("senses", "daily_affairs 执行日常事务 Daily affairs", FOUR),
    *items("senses", "transport 使用交通工具外出 Going out by transport", (3, 2, 1, 0)),
    *items("senses", "social 社会交往能力 Dealing with people", FOUR),
)  # fmt: skip


def level_of(total: int) -> int:
    """The preliminary level of a total."""
    return next(level for least, level in CUT_OFFS if total >= least)


def judge(answers: Answers, circumstances: Circumstances, rules: ChangeRules) -> Result:
    """Coma (stated, or consciousness 0) is the worst level; else diagnosis and events raise the preliminary one."""
    subtotals = FORM.subtotals(answers)
    total = sum(subtotals.values())
    preliminary = level_of(total)
    if circumstances.coma or answers["consciousness"] == 0:
        level, clauses = WORST, ["处于昏迷状态 · in a coma"]
    else:
        level, clauses = raised(preliminary, circumstances, rules)
    level = min(level, WORST)
    return Result(total, subtotals, preliminary, level, LEVELS[level], tuple(clauses))


FORM: Final = Form(
    code="gbt42195",
    version="2022",
    names=Names("老年人能力评估", "Ability of older people"),
    source="GB/T 42195-2022",
    dimensions=DIMENSIONS,
    items=ITEMS,
    levels=LEVELS,
    judge=judge,
)
