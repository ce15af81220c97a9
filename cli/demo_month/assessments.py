"""Assessments of everybody: answers of the cast enter, levels in force and some that are on their way leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from api.services.assessment.forms.catalogue import form_of
from api.services.assessment.kinds import ASSESSMENT
from cli.demo_month.cast import PEOPLE
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale

PAIRS: Final = (("nurse.li", "nurse.wang"), ("nurse.chen", "nurse.sun"), ("nurse.li", "nurse.sun"))
LATER: Final = ("received", "dispatched", "assessed", "reviewed", "announced", "cancelled")


def stories(house: House) -> Iterator[Story]:
    """GB/T 42195 for all, Barthel and Morse where they help, and one assessment in each state of the way."""
    for index, one in enumerate(PEOPLE[: len(house.people)]):
        yield f"ability {index}", partial(_ability, index, 29 - index)
        if one.barthel:
            yield f"barthel {index}", partial(_other, index, "barthel", one.barthel, 27 - index)
        if one.morse:
            yield f"morse {index}", partial(_other, index, "morse", one.morse, 26 - index)
    if len(house.people) == len(PEOPLE):
        yield "ability appealed", _appealed
        yield "ability upheld", _upheld
        for number, state in enumerate(LATER):
            yield f"ability {state}", partial(_under_way, number, state)
        yield "ability requested", _requested


def _score(form: str, values: Sequence[int]) -> dict[str, int]:
    return dict(zip((item.code for item in form_of(form, None).items), values, strict=True))


def _carry(
    tale: Tale, index: int, form: str, answers: dict[str, int], begins: datetime, until: str = "enforce",
    pair: tuple[str, str] = PAIRS[0], cause: str = "first", asked_by: str = "nurse.li",
) -> UUID:  # fmt: skip
    """From the request on, one step after the other, until `until` has happened."""
    one = PEOPLE[index]
    told = one.relatives[0]
    tale.at(begins - timedelta(days=2))
    record = tale.make(asked_by, ASSESSMENT, index, form=form, cause=cause)
    assessors = [tale.who(name).id for name in pair]
    ends = begins + timedelta(minutes=60)
    steps: tuple[tuple[datetime, str, str, dict[str, Any]], ...] = (
        (begins - timedelta(days=2, minutes=-50), "nurse.li", "receive", {}),
        (begins - timedelta(hours=40), "nurse.li", "assign",
         {"assessors": assessors, "starts_at": begins, "ends_at": ends}),
        (begins + timedelta(minutes=45), pair[0], "score",
         {"answers": answers, "diagnosis": one.diagnosis, "informant": told.name,
          "informant_relation": told.relation, "informant_signature": "handwritten"}),
        (begins + timedelta(minutes=50), pair[0], "sign", {}),
        (begins + timedelta(minutes=52), pair[1], "sign", {}),
        (begins + timedelta(minutes=300), "admin", "review", {"note": "分数与护理记录一致"}),
        (begins + timedelta(minutes=310), "admin", "announce", {"until": begins + timedelta(days=3, hours=5)}),
        (begins + timedelta(days=3, minutes=330), "admin", "enforce", {}),
    )  # fmt: skip
    for moment, who, action, words in steps:
        if not tale.has_come(moment):
            break
        tale.at(moment)
        tale.do(who, ASSESSMENT, record, action, **words)
        if action == until and (action != "sign" or who == pair[1]):
            break
    return record


def _ability(index: int, days_ago: int, tale: Tale) -> None:
    answers = _score("gbt42195", [int(digit) for digit in PEOPLE[index].answers])
    begins = tale.house.moment(days_ago, f"{9 + index % 2:02d}:30" if index % 3 else "14:30")
    _carry(tale, index, "gbt42195", answers, begins, pair=PAIRS[index % 3])


def _other(index: int, form: str, values: tuple[int, ...], days_ago: int, tale: Tale) -> None:
    begins = tale.house.moment(days_ago, "10:30" if form == "barthel" else "15:40")
    record = _carry(tale, index, form, _score(form, values), begins, pair=PAIRS[(index + 1) % 3])
    if (form, index) == ("barthel", 3):
        tale.on(2, "10:20")
        tale.do("nurse.li", ASSESSMENT, record, "expire", note="水肿后活动下降，提前重评")


def _appealed(tale: Tale) -> None:
    """The son finds the level of his father too low; two others will look."""
    answers = _score("gbt42195", [int(digit) for digit in PEOPLE[4].answers])
    begins = tale.house.moment(6, "09:30")
    record = _carry(tale, 4, "gbt42195", answers, begins, pair=PAIRS[0], cause="regular")
    tale.on(1, "19:20")
    tale.do("son.zhou", ASSESSMENT, record, "appeal", reason="近一周左手更无力，认为等级偏低，申请复评")


def _upheld(tale: Tale) -> None:
    answers = _score("morse", PEOPLE[0].morse)
    record = _carry(tale, 0, "morse", answers, tale.house.moment(16, "10:00"), "announce", PAIRS[1], "disputed")
    tale.on(15, "20:10")
    tale.do("daughter", ASSESSMENT, record, "appeal", reason="母亲走路还稳，觉得高风险不合适")
    tale.on(14, "11:00")
    tale.do("admin", ASSESSMENT, record, "uphold", reason="一年内有跌倒史，维持高风险，已电话说明")
    tale.on(12, "16:00")
    tale.do("admin", ASSESSMENT, record, "enforce")


def _under_way(number: int, state: str, tale: Tale) -> None:
    """Re-assessments because something changed, each at another point of the way."""
    index, house = (1, 2, 3, 7, 8, 6)[number], tale.house
    last = {"received": "receive", "dispatched": "assign", "assessed": "score", "reviewed": "review",
            "announced": "announce", "cancelled": "receive"}[state]  # fmt: skip
    begins = house.moment({"received": -1, "dispatched": -1}.get(state, 2), "09:30")
    answers = _score("barthel", PEOPLE[0].barthel)
    record = _carry(tale, index, "barthel", answers, begins, last, PAIRS[2], "immediate")
    if state == "cancelled":
        tale.at(max(begins, tale.house.moment(1, "10:10")))
        tale.do("nurse.li", ASSESSMENT, record, "cancel", reason="家属要求下月再评")


def _requested(tale: Tale) -> None:
    tale.at(tale.house.anchor, minutes=-100)
    tale.make("daughter", ASSESSMENT, 0, form="gbt42195", cause="immediate", note="上次跌倒后行走变慢，请复评")
