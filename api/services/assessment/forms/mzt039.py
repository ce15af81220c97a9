"""MZ/T 039-2013 老年人能力评估: four first-level indicators enter, the combined level 0 to 3 leaves.

Older than GB/T 42195 and still in many systems. Three combinations that the published table leaves open are decided
here, towards more care: drowsiness alone counts as moderate; moderate activity with nothing else, and with all three
others mild, is level 2.
"""

from __future__ import annotations

from typing import Final

from api.services.assessment.forms import barthel
from api.services.assessment.forms.base import Answers, ChangeRules, Circumstances, Form, Item, Result, items, raised
from core.vocabulary import Names

DIMENSIONS: Final = {
    "adl": Names("日常生活活动", "Activities of daily living"),
    "mind": Names("精神状态", "State of mind"),
    "senses": Names("感知觉与沟通", "Senses and communication"),
    "taking_part": Names("社会参与", "Taking part"),
}
LEVELS: Final = (
    Names("能力完好", "Unimpaired"),
    Names("轻度失能", "Mildly impaired"),
    Names("中度失能", "Moderately impaired"),
    Names("重度失能", "Severely impaired"),
)
WORST: Final = 3
COMA: Final = 3
ITEMS: Final[tuple[Item, ...]] = (
    *barthel.ITEMS,
    *items(
        "mind", "cognition 认知功能 Cognition,aggression 攻击行为 Aggression,depression 抑郁症状 Depression", (0, 1, 2)
    ),
    *items("senses", "consciousness 意识水平 Consciousness", (0, 1, 2, 3)),
    *items("senses", "sight 视力 Sight,hearing 听力 Hearing", (0, 1, 2, 3, 4)),
    *items("senses", "communication 沟通交流 Communication", (0, 1, 2, 3)),
    *items(
        "taking_part",
        "living 生活能力 Managing life,work 工作能力 Work,orientation 时间/空间定向 Orientation,"
        "people 人物定向 Knowing people,social 社会交往能力 Dealing with people",
        (0, 1, 2, 3, 4),
    ),
)


def mind_level(total: int) -> int:
    """0: 0; 1: 1; 2–3: 2; 4–6: 3."""
    return next(level for most, level in ((0, 0), (1, 1), (3, 2), (6, 3)) if total <= most)


def senses_level(consciousness: int, sight: int, hearing: int, communication: int) -> int:
    """Consciousness 0 awake, 1 drowsy, 2 stupor, 3 coma; the worse of sight and hearing, or communication, decides."""
    if consciousness >= 2:
        return WORST
    worse = max(0, max(sight, hearing) - 1)
    return max(worse, communication, 2 if consciousness == 1 else 0)


def taking_part_level(total: int) -> int:
    """0–2: 0; 3–7: 1; 8–13: 2; 14–20: 3."""
    return next(level for most, level in ((2, 0), (7, 1), (13, 2), (20, 3)) if total <= most)


def combined(adl: int, mind: int, senses: int, taking_part: int) -> int:
    """The level that the four first-level ones come to together."""
    others = (mind, senses, taking_part)
    if adl == WORST:
        return 3
    if adl == 2:
        return 3 if max(others) == WORST or min(others) == 2 else 2
    if adl == 1:
        return 2 if max(others) == WORST or min(others) == 2 else 1
    return 1 if mind >= 1 or senses >= 1 or taking_part >= 2 else 0


def judge(answers: Answers, circumstances: Circumstances, rules: ChangeRules) -> Result:
    """Coma is the worst level; diagnosis and events raise the combined one, except the worst."""
    sums = FORM.subtotals(answers)
    levels = (
        barthel.level_of(sums["adl"]),
        mind_level(sums["mind"]),
        senses_level(*(answers[code] for code in ("consciousness", "sight", "hearing", "communication"))),
        taking_part_level(sums["taking_part"]),
    )
    preliminary = combined(*levels)
    if circumstances.coma or answers["consciousness"] == COMA:
        level, clauses = WORST, ["处于昏迷状态 · in a coma"]
    elif preliminary == WORST:
        level, clauses = WORST, []
    else:
        level, clauses = raised(preliminary, circumstances, rules)
    level = min(level, WORST)
    return Result(sum(sums.values()), sums, preliminary, level, LEVELS[level], tuple(clauses))


FORM: Final = Form(
    code="mzt039",
    version="2013",
    names=Names("老年人能力评估（2013）", "Ability of older people (2013)"),
    source="MZ/T 039-2013",
    dimensions=DIMENSIONS,
    items=ITEMS,
    levels=LEVELS,
    judge=judge,
)
