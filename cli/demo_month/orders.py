"""Orders by the shared lifecycle: a wish with its hour enters, everything that happened by the anchor leaves.

An order is played step by step along its plan; what lies after the anchor has not happened yet, so that an order of
today stands where it would at this hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from api.services.daily_living.kinds import ORDER
from api.services.engine.kind import RecordKind
from cli.demo_month.cast import AT_HOME
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.suppliers import provider_id, worker_id

PLACES: Final = {"bath": "浴室", "meal": "餐厅", "housework": "房间", "care_visit": "房间"}


@dataclass(frozen=True, slots=True)
class Wish:
    """One order. `until`: the last action that happens, if time has come for it; `begins` may lie in the future."""

    resident: int
    title: str
    begins: datetime
    minutes: int
    price: str
    subsidy: str
    worker: str
    done: str
    provider: str = ""
    account: str = ""
    until: str = "archive"
    stars: int = 5
    words: str = ""
    reason: str = ""
    asked_by: str = "nurse.li"
    findings: str = "可以安排"
    lead_days: int = 1
    more: dict[str, Any] = field(default_factory=dict)


def play(tale: Tale, kind: RecordKind, wish: Wish) -> UUID:
    """Make the order and carry it on as far as it has come."""
    house = tale.house
    ends = wish.begins + timedelta(minutes=wish.minutes)
    asked = _office_hour(tale, wish.begins - timedelta(days=wish.lead_days))
    tale.at(min(asked, house.anchor - timedelta(minutes=30)))
    record = tale.make(
        wish.asked_by, kind, wish.resident, title=wish.title, starts_at=wish.begins, ends_at=ends, **wish.more
    )
    for minutes, who, action, words in _steps(tale, wish):
        moment = _moment(tale, action, wish, asked, minutes)
        if not tale.has_come(moment):
            break
        tale.at(moment)
        tale.do(who, kind, record, action, **words)
        if action == wish.until:
            break
    return record


def _office_hour(tale: Tale, day: datetime) -> datetime:
    return day.replace(hour=9, minute=tale.rng.randrange(5, 50))


def _moment(tale: Tale, action: str, wish: Wish, asked: datetime, minutes: float) -> datetime:
    """Before the visit from when it was asked for, at the visit from its hour, afterwards from its end."""
    ends = wish.begins + timedelta(minutes=wish.minutes)
    if action in ("assess", "assign", "accept", "cancel"):
        late = tale.house.anchor - timedelta(minutes=30)  # asked for just now: the words follow one another quickly
        return asked + timedelta(minutes=minutes) if asked <= late else late + timedelta(minutes=minutes / 10)
    if action in ("check_in", "begin", "abort"):
        return wish.begins + timedelta(minutes=minutes)
    if action == "settle":
        return (ends + timedelta(days=1)).replace(hour=10, minute=int(minutes))
    if action == "archive":
        return (ends + timedelta(days=3)).replace(hour=16, minute=int(minutes))
    return ends + timedelta(minutes=minutes)


def _steps(tale: Tale, wish: Wish) -> Iterator[tuple[float, str, str, dict[str, Any]]]:
    """(minutes, who, action, words) in order; `_moment` says from when the minutes count."""
    rng, price, subsidy = tale.rng, Decimal(wish.price), Decimal(wish.subsidy)
    doer = wish.account or "nurse.wang"
    place = AT_HOME.get(wish.resident, "") or PLACES.get(str(wish.more.get("care", "")), "康复室")
    yield 20 + rng.randrange(20), "nurse.li", "assess", {
        "findings": wish.findings, "price": price, "subsidy": subsidy,
    }  # fmt: skip
    if wish.until == "cancel":
        yield 130, wish.asked_by, "cancel", {"reason": wish.reason}
    crew = {"provider_id": provider_id(tale, wish.provider), "worker_id": worker_id(tale, wish.worker)}
    yield 50 + rng.randrange(10), "nurse.li", "assign", crew
    yield 75 + rng.randrange(60), doer, "accept", {}
    yield rng.randrange(-6, 4), doer, "check_in", {"place": place, "photo_consented": rng.random() < 0.6}
    yield 4 + rng.randrange(3), doer, "begin", {}
    if wish.until == "abort":
        yield 9 + rng.randrange(4), doer, "abort", {"reason": wish.reason}
    yield -rng.randrange(1, 6), doer, "check_out", {"done": wish.done}
    yield 20 + rng.randrange(40), wish.asked_by, "confirm", {"stars": wish.stars, "words": wish.words}
    yield rng.randrange(5, 55), "nurse.li", "settle", {
        "paid": price - subsidy, "receipt": f"SJ{rng.randrange(10**6):06d}",
    }  # fmt: skip
    yield rng.randrange(5, 55), "nurse.li", "archive", {}


BATHS: Final = (
    # resident, weekday of the bath (0 Monday), hour, worker; baths are in the warm hours of the day
    (5, 1, "09:30", "罗护工"), (7, 2, "14:30", "冯师傅"), (4, 4, "15:00", "冯师傅"), (9, 3, "10:00", "谢师傅"),
)  # fmt: skip
BATH_DONE: Final = (
    "助浴完成，水温 39 ℃，皮肤完好",
    "床上擦浴完成，骶尾部皮肤完好",
    "淋浴完成，老人精神好",
    "助浴完成，已剪指甲",
)
MEALS: Final = (
    (8, "低盐午餐套餐", "午餐已送到并用完"),
    (9, "软食午餐", "两份午餐已送到，老伴代收"),
)
MEAL_WORDS: Final = ("味道合口", "菜有点凉了", "分量刚好", "很准时", "")


def stories(house: House) -> Iterator[Story]:
    """The orders of the month and those that are planned, under way or asked for now."""
    for resident, weekday, hour, worker in BATHS:
        for days_ago in range(28, -8, -1):
            if house.day(days_ago).weekday() == weekday and not _in_respite(resident, days_ago):
                wish = _bath(house, resident, days_ago, hour, worker)
                yield f"bath {resident} {days_ago}", partial(_play, wish)
    for resident, title, done in MEALS:
        for days_ago in range(9, -2, -1):
            if house.day(days_ago).weekday() < 5 and not _in_respite(resident, days_ago):
                yield f"meal {resident} {days_ago}", partial(_play, _meal(house, resident, days_ago, title, done))
    yield from _others(house)


def _in_respite(resident: int, days_ago: int) -> bool:
    """Who spends some nights in the house gets no meals and baths at home (`home_care`)."""
    return resident == 9 and (20 < days_ago <= 23 or 2 < days_ago <= 6)


def _play(wish: Wish, tale: Tale) -> None:
    play(tale, ORDER, wish)


def _bath(house: House, resident: int, days_ago: int, hour: str, worker: str) -> Wish:
    outside = worker in ("冯师傅", "谢师傅")
    number = days_ago + resident
    unwell = resident == 7 and 7 <= days_ago < 14
    return Wish(
        resident, "助浴", house.moment(days_ago, hour), 60, "80.00", "60.00" if resident in (5, 9) else "40.00",
        worker, BATH_DONE[number % 4], provider="安康助浴服务队" if outside else "",
        account="bath.team" if outside else "", stars=4 + (number % 3 > 0),
        words=("", "师傅很细心", "水温合适")[number % 3],
        until="abort" if unwell else "archive", reason="入浴前血压 178/96，头晕，改期" if unwell else "",
        findings="血压平稳，可助浴；两人转移" if resident in (5, 9) else "血压平稳，可助浴",
        lead_days=1 if days_ago >= 0 else 7,
        asked_by="wife.liu" if resident == 9 else "nurse.li", more={"care": "bath"},
    )  # fmt: skip


def _meal(house: House, resident: int, days_ago: int, title: str, done: str) -> Wish:
    number = days_ago * 3 + resident
    return Wish(
        resident, title, house.moment(days_ago, "11:20" if resident == 8 else "11:50"),
        20, "16.00", "6.00", "吴师傅", done, provider="幸福食堂",
        account="canteen", stars=(5, 3, 5, 4, 5)[number % 5], words=MEAL_WORDS[number % 5],
        lead_days=1 if days_ago >= 0 else 2, findings="可自行进食，低盐" if resident == 8 else "软食，老伴协助",
        asked_by="wife.liu" if resident == 9 else "social.lin", more={"care": "meal"},
    )  # fmt: skip


def _others(house: House) -> Iterator[Story]:
    """Housework and care visits, and what goes on around the present hour."""
    work, visit = {"care": "housework"}, {"care": "care_visit"}
    for days_ago in (26, 19, 12, 5, -2):
        wish = Wish(
            8, "家政保洁", house.moment(days_ago, "14:00"), 120, "90.00", "30.00", "马阿姨",
            "厨房、卫生间、卧室清洁完成",
            asked_by="social.lin", findings="独居，每两周保洁一次", stars=5, words="打扫得干净", more=work,
            lead_days=1 if days_ago >= 0 else 4,
        )  # fmt: skip
        yield f"housework {days_ago}", partial(_play, wish)
    for days_ago in (24, 20, 17, 13, 10, 7, 2, -1):
        wish = Wish(
            9, "上门照护", house.moment(days_ago, "15:30"), 60, "60.00", "45.00", "陈护工",
            "协助洗漱、翻身、测血压 138/82，皮肤完好", asked_by="wife.liu", findings="照护等级 3，每周两次", more=visit,
            stars=5, words="陈师傅耐心", until="cancel" if days_ago == 13 else "archive",
            reason="孙子回来陪护，当天不需要" if days_ago == 13 else "", lead_days=1 if days_ago >= 0 else 2,
        )  # fmt: skip
        yield f"care visit {days_ago}", partial(_play, wish)
    yield from _around_now(house)


def _around_now(house: House) -> Iterator[Story]:
    """What is done at any hour of day and night is under way; what people plan lies in the days to come."""
    now, visit = house.anchor, {"care": "care_visit"}
    running = (
        ("serving", 5, "翻身叩背", now - timedelta(minutes=12), 30, "周护工", "begin"),
        ("checked in", 4, "协助如厕", now - timedelta(minutes=1), 20, "郑护工", "check_in"),
        ("checked out", 7, "协助翻身、饮水", now - timedelta(minutes=48), 15, "周护工", "check_out"),
        ("rated", 5, "更换护理垫", now - timedelta(minutes=95), 20, "郑护工", "confirm"),
        ("dispatched", 6, "陪同散步", house.moment(-1, "16:00"), 45, "周护工", "assign"),
        ("assessed", 2, "陪同看眼科", house.moment(-2, "09:30"), 180, "周护工", "assess"),
    )
    for name, resident, title, begins, minutes, worker, until in running:
        wish = Wish(
            resident, title, begins, minutes, "20.00", "20.00", worker, "已完成，老人无不适", asked_by="nurse.wang",
            until=until, more=visit, lead_days=3 if begins > now else 1,
        )  # fmt: skip
        yield f"order {name}", partial(_play, wish)
    wish = Wish(
        0, "陪同复诊（心内科）", house.moment(-3, "09:00"), 180, "0", "0", "", "", asked_by="daughter", more=visit
    )
    yield "order requested", partial(_only_asked, wish)


def _only_asked(wish: Wish, tale: Tale) -> None:
    """Asked for a moment ago; nobody has looked at it."""
    tale.at(tale.house.anchor, minutes=-8)
    tale.make(
        wish.asked_by, ORDER, wish.resident, title=wish.title, starts_at=wish.begins,
        ends_at=wish.begins + timedelta(minutes=wish.minutes), **wish.more,
    )  # fmt: skip
