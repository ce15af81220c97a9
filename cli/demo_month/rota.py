"""The rota of the house: six people in three shifts, swaps, an absence, and what each shift told the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from api.rota.routes import accept_swap, add_absence, add_handover, add_shift, add_swap
from api.rota.schemas import AbsenceBody, HandoverBody, ShiftBody, SwapBody
from cli.demo_month.chapter import Story
from cli.demo_month.house import ZONE, Tale

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
SHIFTS: Final[tuple[tuple[str, str, str, str, frozenset[int]], ...]] = (
    # title, begin, end, who, weekdays
    ("早班", "07:00", "15:00", "nurse.li", frozenset({0, 1, 2, 3, 4})),
    ("早班", "07:00", "15:00", "nurse.sun", frozenset({5, 6})),
    ("中班", "15:00", "23:00", "nurse.wang", frozenset({0, 1, 2, 3})),
    ("中班", "15:00", "23:00", "nurse.chen", frozenset({4, 5, 6})),
    ("夜班", "23:00", "07:00", "nurse.liu", frozenset({0, 1, 2, 3})),
    ("夜班", "23:00", "07:00", "nurse.he", frozenset({4, 5, 6})),
)
NOTES: Final = (
    "104 室张长庚晨重 62.3 kg，较昨日 +0.2；华法林已服。",
    "106 室每 2 小时翻身，骶尾部皮肤完好。",
    "103 室赵金花 18:00 前后想出门，已陪伴散步。",
    "108 室血氧 93 %，夜间未吸氧。",
    "101 室血压 148/86，20:00 复测 138/82。",
    "夜间平稳，2:00、5:00 巡查完成。",
    "105 室训练后略疲劳，心率 96，已休息。",
)


def on_shift(moment: datetime) -> str:
    """Who works at a moment by the plan, swaps left out."""
    wall = moment.astimezone(ZONE)
    begun = wall if wall.hour >= 7 else wall - timedelta(days=1)
    title = "早班" if 7 <= wall.hour < 15 else "中班" if 15 <= wall.hour < 23 else "夜班"
    return next(who for one, _, _, who, days in SHIFTS if one == title and begun.weekday() in days)


def stories() -> Iterator[Story]:
    """Shifts since five weeks ago without an end, and what came between."""
    yield "rota", _shifts
    yield "hand-overs", _handovers


def _shifts(tale: Tale) -> None:
    tale.on(37, "10:00")
    house = tale.house
    monday = house.day(36) - timedelta(days=house.day(36).weekday())
    made = {}
    for title, begin, end, who, days in SHIFTS:
        body = ShiftBody.model_validate(
            {"user_id": tale.who(who).id, "title": title, "starts_on": monday + timedelta(days=min(days)),
             "start_time": begin, "end_time": end, "building": "",
             "rule": "FREQ=WEEKLY;BYDAY=" + ",".join(DAYS[day] for day in sorted(days))}
        )  # fmt: skip
        made[who] = tale.call("admin", add_shift, body=body)
    for days_ago, weekday, asker, taker, reason, is_accepted in (
        (18, 2, "nurse.wang", "nurse.chen", "孩子家长会", True), (2, 1, "nurse.li", "nurse.sun", "复训考试", False),
    ):  # fmt: skip
        tale.on(days_ago, "12:20")
        ahead = (weekday - house.day(days_ago).weekday()) % 7 + 3
        ahead += (weekday - house.day(days_ago - ahead).weekday()) % 7
        body_of_swap = SwapBody(on=house.day(days_ago - ahead), user_id=tale.who(taker).id, reason=reason)
        swap = tale.call(asker, add_swap, shift_id=made[asker].id, body=body_of_swap)
        if is_accepted:
            tale.at(tale.clock.now(), minutes=45)
            tale.call(taker, accept_swap, swap_id=swap.id)
    tale.on(3, "16:30")
    absence = AbsenceBody(
        user_id=tale.who("nurse.he").id, begins_at=house.moment(-9, "00:00"), ends_at=house.moment(-12, "00:00"),
        reason="年假",
    )  # fmt: skip
    tale.call("nurse.he", add_absence, body=absence)


def _handovers(tale: Tale) -> None:
    for days_ago in range(14, -1, -1):
        for number, hour in enumerate(("06:50", "14:50", "22:50")):
            moment = tale.house.moment(days_ago, hour)
            if not tale.has_come(moment):
                return
            tale.at(moment)
            who = on_shift(moment)
            body = HandoverBody(note=NOTES[(days_ago * 3 + number) % len(NOTES)])
            tale.call(who, add_handover, body=body)
