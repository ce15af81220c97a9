"""Visits to those who need them, one missed and made up for, and the hours of those who visit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from api.services.companionship.kinds import HOURS, VISIT
from api.services.companionship.routes import AccountIn, TargetIn, open_account, set_target
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.suppliers import provider_id, worker_id

TARGETS: Final[tuple[tuple[int, tuple[str, ...], int], ...]] = (
    (8, ("alone",), 7), (9, ("impaired", "empty_nest"), 14), (5, ("impaired",), 30), (2, ("left_behind",), 30),
)  # fmt: skip
VISITS: Final[tuple[tuple[int, int, str, str, str, str, int, str], ...]] = (
    # resident, days ago, hour, way, worker, found, mood, last action
    (8, 27, "10:00", "visit", "小何", "精神好，聊了半小时家常，家里整洁", 4, "archive"),
    (9, 26, "15:00", "visit", "赵老师", "老伴疲劳，建议申请喘息服务", 3, "referred"),
    (8, 20, "10:00", "phone", "小何", "电话里声音洪亮，说血压正常", 4, "archive"),
    (5, 18, "14:30", "visit", "赵老师", "读报二十分钟，能点头应答", 3, "archive"),
    (8, 13, "10:00", "visit", "小何", "", 4, "made_up"),
    (9, 12, "15:00", "visit", "赵老师", "卫生间地滑，想装扶手", 3, "referred"),
    (2, 10, "16:30", "visit", "林社工", "记得志愿者的名字，唱了两首老歌", 5, "review"),
    (8, 6, "10:00", "visit", "小何", "院子灯坏了，天黑不敢出门", 3, "report"),
    (5, 4, "14:30", "visit", "赵老师", "", 3, "made_up only"),
    (6, 5, "09:30", "video", "林社工", "", 0, "decline"),
)
WAYS: Final = {"visit": "定期探访", "phone": "电话问候", "video": "视频问候"}
NEEDS: Final = {26: "照护者需要休息", 12: "卫生间加装扶手、防滑", 6: "院灯损坏，需维修"}
GIVES: Final[tuple[tuple[str, str, tuple[tuple[int, int, str, str], ...]], ...]] = (
    # account, kind, (days ago, minutes, note, last action)
    ("小何", "person", ((27, 60, "探访周秀英", "credit"), (12, 60, "补访周秀英", "credit"), (6, 45, "探访周秀英", ""))),
    ("赵老师", "person", ((26, 90, "探访张世昌", "redeem"), (18, 45, "为陈玉珍读报", "credit"),
                        (12, 60, "探访张世昌", "donate"))),
    ("赵秀兰（院内志愿者）", "person", ((24, 120, "教手工课", "transfer"), (10, 60, "陪伴新住老人", "freeze"))),
    ("邻里志愿队", "group", ((21, 240, "重阳敬老大扫除", "donate"), (8, 180, "义诊协助", "credit"),
                        (7, 30, "重复登记", "void"))),
)  # fmt: skip


def stories(house: House) -> Iterator[Story]:
    """Who is to be visited, the visits of the month and of the days to come, the time bank."""
    yield "visit targets", _targets
    for visit in VISITS:
        yield f"visit {visit[0]} {visit[1]}", partial(_visit, visit)
    yield "visits to come", _to_come
    yield "visit missed", _missed
    yield "time bank", _bank
    del house


def _targets(tale: Tale) -> None:
    tale.on(32, "16:00")
    for resident, groups, days in TARGETS:
        body = TargetIn.model_validate({"groups": groups, "every_days": days, "since": tale.house.day(62)})
        tale.call("social.lin", set_target, resident_id=tale.person(resident), body=body)


def _plan(tale: Tale, resident: int, days_ago: int, hour: str, way: str, worker: str) -> UUID:
    """Planned two days ahead and given to a volunteer, or kept by the social worker."""
    begins = tale.house.moment(days_ago, hour)
    ends = begins.replace(hour=begins.hour + 1)
    tale.on(max(days_ago + 2, 1) if days_ago >= 0 else 1, "09:00")
    visit = tale.make(
        "social.lin", VISIT, resident, title=WAYS[way],
        way=way, starts_at=begins, ends_at=ends,
    )  # fmt: skip
    if worker:
        provider = provider_id(tale, "" if worker == "林社工" else "邻里志愿队")
        words = {"provider_id": provider, "worker_id": worker_id(tale, worker)}
        tale.do("social.lin", VISIT, visit, "assign", **words)
    return visit


def _visit(row: tuple[int, int, str, str, str, str, int, str], tale: Tale) -> None:
    resident, days_ago, hour, way, worker, found, mood, last = row
    visit, doer = _plan(tale, resident, days_ago, hour, way, worker), "volunteers"
    if worker == "林社工":
        doer = "social.lin"
    if last == "decline":
        tale.on(days_ago, hour)
        tale.do("social.lin", VISIT, visit, "decline", reason="老人正在上手工课，改天再聊")
        return
    if last.startswith("made_up"):
        tale.on(days_ago, "18:00")
        tale.do("social.lin", VISIT, visit, "miss", reason="志愿者发烧请假，未成行")
        tale.on(days_ago - 1, "10:05")
        words: dict[str, Any] = {
            "condition": "good",
            "mood": 4,
            "findings": "补访：老人说昨天等了一上午，今天很高兴",
            "minutes": 60,
        }
        tale.do("volunteers", VISIT, visit, "make_up", **words)
        if last == "made_up":
            tale.on(days_ago - 2, "16:40")
            tale.do("social.lin", VISIT, visit, "review", note="已向老人致歉")
        return
    tale.on(days_ago, hour)
    tale.at(tale.clock.now(), minutes=50)
    needs = [NEEDS[days_ago]] if days_ago in NEEDS else []
    condition = "good" if mood >= 4 else "fair"
    tale.do(
        doer, VISIT, visit, "report", condition=condition, mood=mood, findings=found, needs=needs,
        minutes=50 if way == "visit" else 10,
    )  # fmt: skip
    if last == "referred":
        tale.on(days_ago - 1, "09:20")
        tale.do("social.lin", VISIT, visit, "refer", service="home-care", reason=f"{needs[0]}，转居家改造与喘息服务")
    if last in ("review", "archive"):
        tale.on(days_ago - 2, "17:00")
        tale.do("social.lin", VISIT, visit, "review", note="属实")
    if last == "archive":
        tale.on(days_ago - 3, "17:10")
        tale.do("social.lin", VISIT, visit, "archive")


def _to_come(tale: Tale) -> None:
    _plan(tale, 9, -1, "15:00", "visit", "赵老师")
    _plan(tale, 5, -3, "14:30", "visit", "")
    _plan(tale, 8, -2, "10:00", "visit", "小何")


def _missed(tale: Tale) -> None:
    """Yesterday's telephone call did not take place; within three days it is to be made up for."""
    visit = _plan(tale, 8, 1, "16:00", "phone", "林社工")
    tale.on(0, "08:40")
    tale.do("social.lin", VISIT, visit, "miss", reason="两次无人接听，今日上门补访")


def _bank(tale: Tale) -> None:
    tale.on(31, "11:00")
    accounts = {}
    for name, kind, _ in GIVES:
        resident = tale.person(6) if name.startswith("赵秀兰") else None
        body = AccountIn.model_validate({"kind": kind, "name": name, "resident_id": resident})
        accounts[name] = tale.call("social.lin", open_account, body=body).id
    given = [(days, name, minutes, note, last) for name, _, rows in GIVES for days, minutes, note, last in rows]
    for days_ago, name, minutes, note, last in sorted(given, key=lambda one: -one[0]):
        _give(tale, accounts[name], accounts["小何"], days_ago, minutes, note, last)


def _give(tale: Tale, account: UUID, heir: UUID, days_ago: int, minutes: int, note: str, last: str) -> None:
    tale.on(days_ago, "17:30")
    record = tale.make("social.lin", HOURS, account_id=account, minutes=minutes, note=note)
    if not last:
        return
    tale.on(days_ago - 1, "10:00")
    if last == "void":
        tale.do("admin", HOURS, record, "void", reason="同一次服务重复登记")
        return
    tale.do("admin", HOURS, record, "credit", note="核实属实")
    tale.on(days_ago - 4, "11:30")
    if last == "redeem":
        tale.do("social.lin", HOURS, record, "redeem", note="为自己母亲兑换一次理发")
    elif last == "donate":
        tale.do("social.lin", HOURS, record, "donate", note="捐给独居老人")
    elif last == "transfer":
        tale.do("social.lin", HOURS, record, "transfer", to_account_id=heir)
    elif last == "freeze":
        tale.do("admin", HOURS, record, "freeze", reason="核对服务对象")
