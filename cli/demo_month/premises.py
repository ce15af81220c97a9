"""The house as a house: rooms and beds, who moved in when, papers, prices, staff, complaints and incidents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from api.institution.beds import BedIn, RoomIn, create_bed, create_room
from api.institution.complaints import COMPLAINT
from api.institution.incidents import INCIDENT
from api.institution.licences import LicenceIn, add_licence
from api.institution.prices import ItemIn, PriceIn, add_price, create_item
from api.institution.staff import FilingIn, TrainingIn, add_training, file_worker
from api.institution.stays import STAY
from cli.demo_month.cast import PEOPLE
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.suppliers import WORKERS, worker_id

ROOMS: Final = 12
TWO_BEDS: Final = frozenset({9, 10, 11, 12})
"""Rooms with a second bed."""
RISKS: Final[dict[int, list[str]]] = {
    0: ["fall"], 1: [], 2: ["wandering"], 3: ["fall"], 4: ["fall", "bed_fall"], 5: ["pressure_sore", "choking"], 6: [],
    7: ["fall"],
}  # fmt: skip
LICENCES: Final = (
    ("care", "渝高新养备〔2025〕17号", "高新区民政局", 400, -1400),
    ("medical", "PDY50010001234", "高新区卫生健康局", 380, -700),
    ("food", "JY35001070045678", "高新区市场监管局", 700, -40),
    ("fire", "渝高新消验〔2024〕0331号", "高新区消防救援支队", 500, None),
)  # fmt: skip
PRICES: Final = (
    ("institution", "BED-NURSING", "护理型床位费", "month", "3600.00"),
    ("institution", "BED-ORDINARY", "普通床位费", "month", "2400.00"),
    ("institution", "BOARD", "膳食费", "month", "900.00"),
    ("daily-living", "BATH-60", "助浴", "time", "80.00"),
    ("daily-living", "MEAL-NOON", "助餐（午餐）", "time", "16.00"),
    ("daily-living", "CLEAN-2H", "家政保洁", "time", "90.00"),
    ("daily-living", "CARE-HOME", "上门照护", "hour", "60.00"),
    ("rehabilitation", "REHAB", "康复训练", "time", "120.00"),
    ("home-care", "RESPITE", "喘息托养", "day", "160.00"),
)  # fmt: skip


def stories(house: House) -> Iterator[Story]:
    """The building first; everybody who lives in it moved in on a day of their own."""
    yield "rooms and beds", _rooms
    for index in range(8):
        yield f"stay {index}", partial(_stay, index)
    yield "stays asked for", _asked
    yield "licences", _licences
    yield "price list", _prices
    yield "staff filed and trained", _staff
    yield "complaints", _complaints
    yield "incidents of the house", _incidents
    del house


def _rooms(tale: Tale) -> None:
    tale.on(43, "09:30")
    facility = tale.tx.one("demo.facility", title="安护示范养老院")["id"]
    for number in range(1, ROOMS + 1):
        name = f"1{number:02d}"
        room = tale.call(
            "admin", create_room, body=RoomIn(building="1", floor="1", name=name, facility_id=facility)
        )  # fmt: skip
        kind = "total_care" if number in (6, 8) else "ordinary" if number in (7, 11) else "nursing"
        for place in (1, 2) if number in TWO_BEDS else (1,):
            body = BedIn.model_validate({"room_id": room.id, "label": f"{name}-{place}", "type": kind})
            tale.call("admin", create_bed, body=body)


def _stay(index: int, tale: Tale) -> None:
    """From the application to the day of moving in; one tried it out first."""
    one, first = PEOPLE[index], PEOPLE[index].relatives[0]
    signer = "本人" if one.level < 3 else f"{first.name}（{first.relation}）"
    tale.on(42, f"{9 + index:02d}:10")
    stay = tale.make("nurse.li", STAY, index, applied_by=f"{first.name}（{first.relation}）", wishes="靠近护士站")
    tale.at(tale.clock.now(), minutes=40)
    kind = "total_care" if index in (5, 7) else "ordinary" if index == 6 else "nursing"
    words = {"findings": one.problems, "risks": RISKS[index], "suitable": True, "bed_type": kind}
    tale.do("nurse.li", STAY, stay, "assess", **words)
    tale.at(tale.clock.now(), minutes=20)
    bed = tale.tx.one("demo.bed", label=f"1{index + 1:02d}-1")["id"]
    tale.do("nurse.li", STAY, stay, "reserve", bed_id=bed)
    tale.on(41, f"{9 + index:02d}:30")
    year = tale.house.day(41).year
    tale.do(
        "admin", STAY, stay, "sign", agreement=f"AH-{year}-{index + 1:04d}", agreed_by=signer,
        guardian=f"{first.name}（{first.relation}）", agreed_until=tale.house.day(-320), deposit="2000.00",
    )  # fmt: skip
    tale.on(40 - index % 4, "14:00")
    if index == 6:
        tale.do("nurse.li", STAY, stay, "begin_trial", until=tale.house.day(24))
        tale.on(25, "10:30")
    tale.do("nurse.li", STAY, stay, "admit", note="已熟悉房间与呼叫器")


def _asked(tale: Tale) -> None:
    tale.on(20, "10:40")
    stay = tale.make("nurse.li", STAY, 9, applied_by="张勇（儿子）", wishes="老伴也想一起住")
    tale.on(18, "15:00")
    tale.do("nurse.li", STAY, stay, "cancel", reason="老伴愿意在家照护，改用家庭照护床位")
    tale.on(2, "11:20")
    tale.make("nurse.li", STAY, 8, applied_by="本人", wishes="想先看看双人间，冬天住进来")


def _licences(tale: Tale) -> None:
    tale.on(42, "16:30")
    for kind, number, issued_by, since, until in LICENCES:
        body = LicenceIn.model_validate(
            {"kind": kind, "number": number, "issued_by": issued_by, "valid_from": tale.house.day(since),
             "valid_until": None if until is None else tale.house.day(until)}
        )  # fmt: skip
        tale.call("admin", add_licence, body=body)


def _prices(tale: Tale) -> None:
    tale.on(42, "17:10")
    for service, code, name, unit, amount in PRICES:
        item = tale.call(
            "admin", create_item,
            body=ItemIn.model_validate({"service": service, "code": code, "name": name, "unit": unit})
        )  # fmt: skip
        price = PriceIn(amount=Decimal(amount), valid_from=tale.house.day(42))
        tale.call("admin", add_price, item_id=item.id, body=price)


def _staff(tale: Tale) -> None:
    tale.on(31, "16:00")
    ours = [worker_id(tale, name) for name, provider, *_ in WORKERS if not provider]
    for number, worker in enumerate(ours[:-1], 1):
        body = FilingIn(filed_on=tale.house.day(31), number=f"渝养备 {number:04d}")
        tale.call("admin", file_worker, worker_id=worker, year=tale.house.day(31).year, body=body)
    for days_ago, title, topic, hours in (
        (24, "消防疏散演练", "fire", "2.0"), (14, "翻身与转移技术", "care", "4.0"),
        (7, "心肺复苏与噎食急救", "first_aid", "4.0"),
    ):  # fmt: skip
        tale.on(days_ago, "17:30")
        training = TrainingIn.model_validate(
            {"title": title, "topic": topic, "trainer": "区养老服务指导中心", "held_on": tale.house.day(days_ago),
             "hours": hours, "workers": ours, "failed": ours[2:3] if topic == "first_aid" else []}
        )  # fmt: skip
        tale.call("admin", add_training, body=training)


def _complaints(tale: Tale) -> None:
    rows: tuple[tuple[int, str, int, dict[str, Any], str], ...] = (
        (16, "daughter", 0, {"title": "午餐送错，不是低盐",
         "text": "母亲血压高，周二中午吃到普通套餐。", "topic": "food"},
         "satisfy"),
        (11, "wife.liu", 9, {"title": "助浴师傅迟到一小时",
         "text": "约定十点，十一点才到，没有提前打电话。", "topic": "provider"},
         "appeal"),
        (4, "son.zhou", 4, {"title": "探视时找不到人开门", "text": "周日下午在门口等了二十分钟。", "topic": "manners"},
         "investigate"),
        (1, "daughter", 0, {"title": "手环表带过敏", "text": "母亲手腕有红印，希望换材质。", "topic": "care"}, ""),
    )  # fmt: skip
    for days_ago, who, resident, words, last in rows:
        began = tale.on(days_ago, "19:15")
        record = tale.make(who, COMPLAINT, resident, **words)
        answer = {"answer": "情况属实，已致歉并改进流程", "upheld": True, "measures": "交接时双人核对"}
        steps: tuple[tuple[float, str, str, dict[str, Any]], ...] = (
            (14, "admin", "accept", {}), (16, "admin", "investigate", {}), (40, "admin", "answer", answer),
            (49, who, "appeal" if last == "appeal" else "satisfy",
             {"reason": "没有说明迟到的原因"} if last == "appeal" else {"stars": 4, "words": "处理得快"}),
        )  # fmt: skip
        for hours, actor, action, body in steps if last else ():
            tale.at(began + timedelta(hours=hours))
            tale.do(actor, COMPLAINT, record, action, **body)
            if action == last:
                break


def _incidents(tale: Tale) -> None:
    rows = (
        (17, "19:48", 0, "101 室跌倒，右腕疼痛", "fall", "serious", "closed"),
        (9, "03:12", 3, "104 室夜间坐地", "fall", "minor", "rectify"),
        (14, "09:40", 5, "106 室骶尾部压红", "pressure_sore", "minor", "closed"),
        (1, "14:05", 7, "108 室助行器打滑坐倒", "fall", "minor", "investigate"),
    )  # fmt: skip
    for days_ago, wall, resident, title, category, level, last in rows:
        began = tale.on(days_ago, wall)
        tale.at(began, minutes=30)
        record = tale.make(
            "nurse.wang", INCIDENT, resident, title=title, category=category, level=level, occurred_at=began,
            place=title[:5], description=f"{title}，意识清楚", first_aid="就地评估，观察生命体征", involved=["王护士"],
        )  # fmt: skip
        tale.at(began, minutes=300)
        tale.do("nurse.li", INCIDENT, record, "investigate", note="已询问当班人员")
        if last == "investigate":
            continue
        if level == "serious":
            tale.at(began, minutes=600)
            words = {"authority": "高新区民政局", "told_at": began + timedelta(hours=9), "reference": "养安报-031"}
            tale.do("admin", INCIDENT, record, "tell_authority", **words)
        tale.at(began, minutes=60 * 30)
        measures_by = tale.house.moment(-5 if last == "rectify" else days_ago - 6, "18:00")
        tale.do(
            "admin", INCIDENT, record, "conclude", cause="起身过快，照明不足" if category == "fall" else "翻身间隔过长",
            preventable=True, measures=["加装感应夜灯", "夜间每小时巡视"], measures_by=measures_by,
        )  # fmt: skip
        if last == "closed":
            tale.on(days_ago - 6, "17:00")
            tale.do("admin", INCIDENT, record, "close", note="措施已落实")
