"""Rehabilitation plans with their sessions, and the ledger of aids on loan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

from api.services.rehabilitation.kinds import AID, PLAN, SESSION
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.orders import Wish, play

AIDS: Final[tuple[tuple[str, str, str, str, int | None, str], ...]] = (
    # title, serial, category, price, lent to, where it stands
    ("轮椅（可折叠）", "LY-2025-0007", "wheelchair", "680.00", 4, "lent"),
    ("助行器（四脚）", "ZX-2025-0012", "walker", "180.00", 3, "lent"),
    ("移位机", "YW-2024-0002", "hoist", "4200.00", 5, "due"),
    ("电动护理床", "HL-2025-0003", "bed", "5600.00", 9, "extended"),
    ("轮椅（高靠背）", "LY-2025-0011", "wheelchair", "980.00", 9, "returned"),
    ("助听器", "ZT-2025-0021", "hearing", "1500.00", 7, "reserved"),
    ("助行器（带轮）", "ZX-2025-0015", "walker", "260.00", 0, "stocked again"),
    ("四脚拐杖", "GZ-2024-0030", "walker", "75.00", 8, "repair"),
    ("坐便椅", "ZB-2023-0004", "other", "160.00", None, "retired"),
    ("防压疮气垫", "QD-2025-0009", "bed", "850.00", None, "stocked"),
    ("洗澡椅", "XZ-2025-0006", "other", "210.00", 6, "disinfected"),
)


def stories(house: House) -> Iterator[Story]:
    """Two plans with sessions, one that has just begun, one that is over, and every aid."""
    yield "rehabilitation after stroke", _stroke
    yield "rehabilitation of breathing", _breathing
    yield "rehabilitation begun", partial(_short, 3, 2, "心衰后体力下降，步行 50 米气促", 60, "planned")
    yield "rehabilitation asked", partial(_short, 9, 1, "膝关节活动受限，起身困难", 40, "assessed")
    yield "rehabilitation evaluated", partial(_short, 8, 20, "白内障术后久坐，下肢乏力", 85, "evaluated")
    yield "rehabilitation ended", partial(_short, 0, 28, "跌倒后平衡差", 80, "closed")
    for aid in AIDS:
        yield f"aid {aid[1]}", partial(_aid, aid)
    del house


def _sessions(tale: Tale, plan: Any, resident: int, exercise: str, weekdays: tuple[int, ...], first: int) -> None:
    house = tale.house
    for days_ago in range(first, -4, -1):
        if house.day(days_ago).weekday() not in weekdays:
            continue
        number = first - days_ago
        missed = days_ago == 11
        wish = Wish(
            resident, exercise, house.moment(days_ago, "10:00" if resident == 4 else "15:00"), 45, "120.00", "90.00",
            "唐治疗师", f"{exercise}完成，耐受良好" if number % 3 else f"{exercise}完成，末段略疲劳，心率 102",
            account="therapist.tang", stars=5 if number % 4 else 4, words="" if number % 2 else "有进步",
            until="cancel" if missed else "archive", reason="老人当天外出复诊" if missed else "",
            findings="生命体征平稳，可训练", lead_days=1 if days_ago >= 0 else 3,
            more={"plan_id": plan, "exercise": exercise},
        )  # fmt: skip
        play(tale, SESSION, wish)


def _stroke(tale: Tale) -> None:
    tale.on(27, "09:30")
    plan = tale.make(
        "therapist.tang", PLAN, 4, title="脑梗后左侧偏瘫",
        findings="左上肢肌力 3 级，左下肢 3+ 级，坐位平衡 2 级", score=45,
        scale="barthel",
    )  # fmt: skip
    tale.on(26, "10:10")
    tale.do(
        "therapist.tang", PLAN, plan, "set_goals", goals="独立床椅转移，扶助行器行走 30 米", sessions_planned=24,
        until=tale.house.day(-60),
    )  # fmt: skip
    tale.on(26, "10:30")
    tale.do("therapist.tang", PLAN, plan, "start")
    tale.on(9, "16:20")
    tale.do("therapist.tang", PLAN, plan, "evaluate", score=55, words="可扶助行器行走 12 米")
    tale.on(9, "16:40")
    tale.do("therapist.tang", PLAN, plan, "start", note="继续第二阶段")
    _sessions(tale, plan, 4, "站立平衡与步行训练", (0, 2, 4), 24)


def _breathing(tale: Tale) -> None:
    tale.on(22, "14:30")
    plan = tale.make(
        "therapist.tang",
        PLAN,
        7,
        title="慢阻肺呼吸康复",
        findings="活动后气促，6 分钟步行 120 米",
        score=40,
        scale="barthel",
    )
    tale.on(21, "11:10")
    tale.do(
        "therapist.tang",
        PLAN,
        plan,
        "set_goals",
        goals="6 分钟步行 180 米",
        sessions_planned=12,
        until=tale.house.day(-40),
    )
    tale.on(21, "11:20")
    tale.do("therapist.tang", PLAN, plan, "start")
    _sessions(tale, plan, 7, "缩唇呼吸与上肢训练", (1, 3), 19)


def _short(resident: int, days_ago: int, findings: str, score: int, until: str, tale: Tale) -> None:
    tale.on(days_ago, "10:40")
    plan = tale.make("therapist.tang", PLAN, resident, title=findings, findings=findings, score=score)
    if until == "assessed":
        return
    tale.at(tale.clock.now(), minutes=40)
    tale.do(
        "therapist.tang", PLAN, plan, "set_goals", goals="独立步行 200 米不气促", sessions_planned=8,
        until=tale.house.day(-30),
    )  # fmt: skip
    if until == "planned":
        return
    tale.do("therapist.tang", PLAN, plan, "start")
    tale.on(4, "15:20")
    tale.do("therapist.tang", PLAN, plan, "evaluate", score=90, words="平衡改善，可独立上下楼")
    if until == "evaluated":
        return
    tale.on(3, "09:10")
    tale.do("therapist.tang", PLAN, plan, "close", reason="目标达成，转日常锻炼")


def _aid(row: tuple[str, str, str, str, int | None, str], tale: Tale) -> None:
    title, serial, category, price, resident, state = row
    house, nurse = tale.house, "nurse.chen"
    tale.on(31, "10:00")
    aid = tale.make(nurse, AID, title=title, serial=serial, category=category, price=price)
    if state == "retired":
        tale.on(21, "17:00")
        tale.do(nurse, AID, aid, "retire", reason="座面开裂，无法修复")
    if resident is None:
        return
    tale.on(25 if state != "reserved" else 1, "09:30")
    tale.do(nurse, AID, aid, "reserve", resident_id=tale.person(resident))
    if state == "reserved":
        return
    tale.at(tale.clock.now() + timedelta(hours=5))
    until = {"due": house.day(1), "lent": house.day(-20), "extended": house.day(5)}.get(state, house.day(4))
    tale.do(nurse, AID, aid, "lend", until=until, deposit="100.00", instructed=True)
    if state == "extended":
        tale.on(6, "19:30")
        tale.do("wife.liu", AID, aid, "ask_longer", note="老伴还离不开护理床")
        tale.on(5, "09:20")
        tale.do(nurse, AID, aid, "extend", until=house.day(-55))
    elif state == "due":
        tale.on(0, "08:20")
        tale.do(nurse, AID, aid, "fall_due", note="租期已满，联系家属续租")
    elif state != "lent":
        _bring_back(tale, aid, state)


def _bring_back(tale: Tale, aid: Any, state: str) -> None:
    nurse = "nurse.chen"
    tale.on(5 if state != "returned" else 1, "15:00")
    tale.do(nurse, AID, aid, "take_back", findings="外观完好" if state != "repair" else "底部胶垫磨损")
    if state == "returned":
        return
    if state == "repair":
        tale.do(nurse, AID, aid, "send_to_repair", reason="更换防滑胶垫")
        return
    tale.on(4, "10:30")
    tale.do(nurse, AID, aid, "disinfect", method="含氯消毒液擦拭 30 分钟")
    if state == "stocked again":
        tale.on(4, "14:00")
        tale.do(nurse, AID, aid, "check", findings="刹车、轮子正常，入库")
