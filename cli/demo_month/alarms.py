"""Calls for help and what detectors saw in thirty days: who answered, when, how it ended, and what was learnt.

A call goes the whole way that a real one goes: the event as ingest stores it, the alert with its plan, the pages, the
answer, the incident beside it. Most are answered within a minute; some at night are not, and some were nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from alerts import escalation, events, service, timeline
from alerts.service import Actor, Occurrence
from alerts.timeline import Kind
from api.services import platform
from api.services.health.kinds import FOLLOW_UP
from api.services.rescue.kinds import INCIDENT
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, NotNow, Tale
from cli.demo_month.rota import on_shift
from core.vocabulary import Severity

PREFIX: Final = {"sos": "wb", "fall": "wb", "smoke": "smoke", "gas": "gas", "tamper": "door", "geofence_exit": "wb"}
"""The device that says it."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One call. seconds: to the answer, to the arrival, to the end; outcome and what was said at the end."""

    resident: int
    days_ago: int
    wall: str
    type: str
    seconds: tuple[int, int, int]
    outcome: str
    note: str
    incident: dict[str, Any] | None = None
    who: str = ""


def _sos(resident: int, days_ago: int, wall: str, answer: int, note: str, outcome: str = "assisted") -> Alarm:
    arrive = answer + 55 + (resident * 37 + days_ago * 11) % 120
    return Alarm(resident, days_ago, wall, "sos", (answer, arrive, arrive + 420), outcome, note)


CALLS: Final[tuple[Alarm, ...]] = (
    Alarm(4, 29, "06:25", "fall", (24, 110, 1500), "assisted", "床边滑倒，无外伤，扶起观察",
          {"category": "fall", "judgement": "意识清楚，臀部着地，可活动", "cause": "清晨独自转移，未锁轮椅",
           "lessons": "床边张贴锁轮提示，晨起协助", "response_adequate": True}),
    _sos(5, 28, "02:40", 31, "要求翻身，已协助"),
    _sos(7, 27, "21:15", 22, "气促，半卧位后缓解"),
    _sos(1, 26, "07:50", 15, "误碰按键", "false_alarm"),
    Alarm(2, 25, "18:20", "geofence_exit", (40, 300, 900), "assisted", "在大门口找到，陪同返回",
          {"category": "wandering", "judgement": "走到大门外 30 米，情绪平稳", "cause": "傍晚想回老家",
           "lessons": "17:00–19:00 安排专人陪伴", "response_adequate": True}),
    _sos(0, 24, "03:55", 48, "头晕，测血压 152/88，卧床休息"),
    _sos(5, 22, "04:20", 27, "口渴，协助饮水"),
    Alarm(6, 21, "11:35", "smoke", (19, 70, 600), "false_alarm", "炒菜油烟，已开窗",
          {"category": "fire", "judgement": "无明火，油烟触发", "cause": "微波炉加热过久",
           "lessons": "提醒开抽风机", "response_adequate": True}),
    _sos(3, 20, "22:05", 35, "心慌，心率 112，做心电图，平卧后缓解"),
    _sos(7, 18, "05:30", 41, "咳痰困难，叩背排痰"),
    Alarm(0, 17, "19:48", "fall", (33, 125, 2700), "hospital", "右腕疼痛，送医拍片，未骨折",
          {"category": "fall", "judgement": "意识清楚，右腕疼痛，不能用力", "hospital": "高新区人民医院",
           "cause": "夜间如厕未开灯", "lessons": "床边加装感应夜灯", "response_adequate": True}),
    _sos(4, 16, "13:10", 18, "协助如厕"),
    _sos(2, 15, "17:40", 29, "找不到房间，已陪回"),
    Alarm(1, 14, "08:05", "fall", (12, 60, 300), "false_alarm", "弯腰捡东西，未跌倒",
          {"category": "fall", "judgement": "站立，无不适", "cause": "手环重击台面", "lessons": "",
           "response_adequate": True}),
    _sos(5, 13, "01:15", 58, "体位不适，已翻身"),
    _sos(6, 10, "15:25", 21, "邻居老人叫不开门，已处理"),
    Alarm(3, 9, "03:12", "fall", (95, 260, 1800), "assisted", "夜间起身腿软坐地，无外伤",
          {"category": "fall", "judgement": "意识清楚，血压 104/60，无疼痛", "cause": "利尿药后夜尿，起身过快",
           "lessons": "夜间两名护理员同时在岗时先答呼叫；床旁放小便器", "response_adequate": False}),
    Alarm(9, 8, "16:30", "gas", (26, 840, 2100), "assisted", "燃气软管老化，关阀并联系更换",
          {"category": "gas", "judgement": "闻到气味，已开窗，人已出屋", "cause": "软管老化",
           "lessons": "列入适老化改造（厨房）", "response_adequate": True}, "social.lin"),
    _sos(7, 7, "20:40", 24, "想关窗，已协助"),
    Alarm(8, 6, "21:30", "sos", (52, 1260, 2700), "assisted", "院灯不亮不敢出门，邻居陪同，次日报修",
          {"category": "other", "judgement": "害怕，无外伤", "cause": "院灯损坏", "lessons": "转介居家维修",
           "response_adequate": True}),
    _sos(4, 5, "07:20", 16, "协助床椅转移"),
    _sos(5, 4, "23:50", 205, "要求饮水；当时两处同时呼叫"),
    _sos(0, 3, "09:05", 20, "误碰按键", "false_alarm"),
    Alarm(3, 2, "21:40", "sos", (28, 96, 2900), "hospital", "心慌胸闷，血压 96/58，送医观察，次日返院",
          {"category": "illness", "judgement": "意识清楚，胸闷，心率 128 不齐", "hospital": "高新区人民医院"}),
    Alarm(7, 1, "14:05", "fall", (17, 75, 1500), "assisted", "助行器打滑坐倒，无外伤",
          {"category": "fall", "judgement": "意识清楚，无疼痛，可站立"}),
    _sos(1, 1, "20:55", 23, "询问服药时间"),
)  # fmt: skip

Seen = tuple[int, int, str, str, str, float, float, str, tuple[int, int, int], str, str]
FOUND: Final[tuple[Seen, ...]] = (
    # resident, days ago, hour, type, severity, value, limit, unit, seconds, outcome, words
    (3, 27, "20:10", "heart_rate_high", "high", 124, 110, "/min", (44, 160, 2400), "assisted",
     "房颤心室率快，遵医嘱加服美托洛尔"),
    (7, 23, "14:00", "spo2_low", "high", 86, 88, "%", (50, 140, 1900), "assisted", "半卧位、低流量吸氧后 91 %"),
    (0, 20, "20:05", "bp_sys_high", "medium", 162, 150, "mmHg", (300, 900, 2700), "assisted", "休息后复测 146，报医生"),
    (2, 19, "02:30", "night_wandering", "medium", 2400, 1200, "s", (70, 200, 1500), "assisted",
     "在走廊来回走，陪回房间入睡"),
    (6, 18, "08:20", "missed_morning", "medium", 4200, 3600, "s", (120, 400, 700), "no_action", "昨夜看电视晚睡，正常"),
    (5, 14, "03:40", "bed_not_returned", "high", 1900, 1800, "s", (36, 120, 600), "false_alarm", "护理员正在更换床单"),
    (1, 12, "10:15", "glucose_low", "high", 3.6, 3.9, "mmol/L", (28, 90, 1500), "assisted", "口服糖水 15 g，复测 5.4"),
    (0, 8, "08:10", "bp_sys_high", "medium", 158, 150, "mmHg", (420, 1200, 2600), "assisted", "已服药，复测 142"),
    (2, 6, "01:50", "night_wandering", "medium", 1800, 1200, "s", (66, 180, 1300), "assisted",
     "想去厕所走错方向，已陪回"),
    (4, 5, "15:30", "inactivity", "high", 14400, 10800, "s", (40, 150, 500), "no_action", "在康复室训练，未戴手环"),
    (3, 3, "07:05", "weight_rising", "medium", 1.4, 1.0, "kg", (900, 1500, 3000), "assisted",
     "踝部水肿，报医生调整利尿"),
    (8, 2, "12:30", "water_unused", "medium", 43200, 43200, "s", (240, 2400, 3300), "no_action",
     "电话联系，老人在邻居家"),
)  # fmt: skip
FOLLOWED: Final = frozenset({"heart_rate_high", "spo2_low", "weight_rising"})


def stories(house: House) -> Iterator[Story]:
    """In the order of time, as the timeline of the house numbers them."""
    all_: list[tuple[datetime, str, Callable[[Tale], None]]] = []
    for call in CALLS:
        name = f"call {call.resident} {call.days_ago}"
        all_.append((house.moment(call.days_ago, call.wall), name, partial(_call, call)))
    for found in FOUND:
        name = f"found {found[0]} {found[1]}"
        all_.append((house.moment(found[1], found[2]), name, partial(_found, found)))
    all_.append((house.moment(3, "10:00"), "smoke detectors tried", _try_smoke_detectors))
    for _, name, telling in sorted(all_, key=lambda one: one[0]):
        yield name, telling


def _wait_for_today(tale: Tale, resident: int, kind: str) -> None:
    """An open call of today would take the one of the past for its own. Raises NotNow while it stands."""
    with tale.hand("alerts"):
        timeline.enter(tale.tx, tale.house.institution)
        query = {"institution_id": tale.house.institution, "subject": f"resident:{tale.person(resident)}", "type": kind}
        if tale.tx.first("alerts.lock_current", **query) is not None:
            raise NotNow


def _event(tale: Tale, device: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What a device said, stored as ingest stores it; the row that alerts take."""
    key = tale.tx.one("demo.device", id=device)["key"]
    now = tale.clock.now()
    event = {"device_key": key, "event_id": f"{kind}-{int(tale.clock.time())}", "time": now, "received": now,
             "type": kind, "data": data, "flags": 0}  # fmt: skip
    with tale.hand("ingest"):
        tale.tx.run("ingest.insert_event", institution=tale.house.institution, **event)
    return event


def _call(alarm: Alarm, tale: Tale) -> None:
    began = tale.on(alarm.days_ago, alarm.wall)
    _wait_for_today(tale, alarm.resident, alarm.type)
    data = {"button": "wristband", "held_seconds": 3} if alarm.type == "sos" else {}
    event = _event(tale, f"{PREFIX[alarm.type]}-{alarm.resident + 1:04d}", alarm.type, data)
    with tale.hand("alerts"):
        alert = events.handle(tale.tx, tale.clock, event)
    if alert is None:
        raise LookupError(f"{alarm.type} of day {alarm.days_ago} opened nothing")
    incident = None
    if alert["severity"] == "critical" or alarm.incident:
        incident = platform.open_incident(tale.tx, tale.clock, alert)
    who = alarm.who or on_shift(began)
    _answer(tale, alert, began, alarm.seconds, who, alarm.outcome, alarm.note)
    if incident is not None:
        _close_incident(tale, incident, alarm, began, who)


def _answer(
    tale: Tale, alert: dict[str, Any], began: datetime, seconds: tuple[int, int, int], who: str, outcome: str, note: str
) -> None:
    """Pages arrive, further steps run while nobody answers, somebody answers, comes, and says how it ended."""
    with tale.hand("alerts"):
        _deliver(tale, alert)
        for after in (60, 180, 600):
            if after < seconds[0]:
                tale.at(began + timedelta(seconds=after))
                escalation.run_due(tale.tx, tale.clock, alert)
                _deliver(tale, alert)
        person = tale.who(who)
        tale.at(began + timedelta(seconds=seconds[0] - min(6, seconds[0] // 2)))
        service.seen(tale.tx, tale.clock, alert_id=alert["id"], user_id=person.id)
        actor = Actor(person.id, person.name, person.role.value)
        for after, action, words in zip(
            seconds, ("acknowledge", "arrive", "resolve"), ("马上过去", "已到房间", note), strict=True
        ):
            tale.at(began + timedelta(seconds=after))
            service.act(
                tale.tx, tale.clock, alert_id=alert["id"], action=action, actor=actor, note=words,
                outcome=outcome if action == "resolve" else None,
            )  # fmt: skip
            _deliver(tale, alert)
    for after, action in zip(seconds, ("acknowledge", "arrive", "resolve"), strict=True):
        tale.at(began + timedelta(seconds=after))
        tale.audit(who).record(
            action, "alert", alert["id"], changed=True, outcome=outcome if action == "resolve" else None
        )


def _deliver(tale: Tale, alert: dict[str, Any]) -> None:
    """The pager of the house has what was written; the timeline says so, as the outbox does."""
    for page in tale.tx.all("demo.deliver_pages", alert=alert["id"], now=tale.clock.now()):
        if page["channel_kind"] != "console":
            name = page["recipient_name"]
            note = f"已送达 {name}（{page['channel_kind']}）/ Delivered to {name}"
            data = {"recipient": page["recipient"], "channel": page["channel_kind"], "attempt": 1, "result": "sent"}
            timeline.add(tale.tx, tale.clock, alert, Kind.DELIVERED, note, data=data)


def _close_incident(tale: Tale, incident: UUID, alarm: Alarm, began: datetime, who: str) -> None:
    """What the alert does not know: the judgement, who was sent, the look back within three days."""
    answer, arrive, end = (began + timedelta(seconds=after) for after in alarm.seconds)
    words = alarm.incident or {}
    tale.at(answer)
    tale.do(who, INCIDENT, incident, "claim")
    if alarm.outcome == "false_alarm":
        tale.at(end)
        tale.do(who, INCIDENT, incident, "call_false", reason=alarm.note)
    else:
        if words:
            tale.at(answer + timedelta(seconds=20))
            tale.do(
                who, INCIDENT, incident, "assess", category=words["category"], judgement=words["judgement"]
            )  # fmt: skip
            to = ("community", "海龙村网格员") if alarm.resident == 8 else ("staff", "当班护士")
            tale.do(who, INCIDENT, incident, "dispatch", to=to[0], who=to[1], told="已告知地址、进门方式与病史")
        tale.at(arrive)
        tale.do(who, INCIDENT, incident, "arrive")
        tale.at(end)
        if "hospital" in words:
            tale.do(who, INCIDENT, incident, "send_to_hospital", hospital=words["hospital"], accompanied_by="王护士")
        elif words:
            tale.do(who, INCIDENT, incident, "handle", done=alarm.note)
        else:
            tale.do(who, INCIDENT, incident, "clear", note=alarm.note)
    _look_back(tale, incident, alarm, words)


def _look_back(tale: Tale, incident: UUID, alarm: Alarm, words: dict[str, Any]) -> None:
    if "cause" in words:
        tale.on(alarm.days_ago - 1, "16:10")
        review = {name: words[name] for name in ("cause", "lessons", "response_adequate")}
        tale.do("admin", INCIDENT, incident, "review", **review)
    elif alarm.days_ago > 4:
        tale.on(alarm.days_ago - 2, "16:30")
        words = {"cause": "日常需要或误触", "lessons": "", "response_adequate": alarm.seconds[0] <= 60}
        tale.do("admin", INCIDENT, incident, "review", **words)
    if alarm.days_ago > 9:
        tale.on(alarm.days_ago - 5, "16:40")
        tale.do("admin", INCIDENT, incident, "archive")


def _found(row: Seen, tale: Tale) -> None:
    """What a detector saw, with what the vital and routine detectors write as evidence."""
    resident, days_ago, wall, kind, severity, value, limit, unit, seconds, outcome, words = row
    began = tale.on(days_ago, wall)
    evidence = {"detector": "vitals" if unit != "s" else "home", "version": "1", "value": value, "limit": limit,
                "unit": unit, "rule": f"{kind}: {value:g} {unit}, limit {limit:g}"}  # fmt: skip
    _wait_for_today(tale, resident, kind)
    with tale.hand("alerts"):
        finding = Occurrence(
            institution_id=tale.house.institution, type=kind, severity=Severity(severity), source="detector",
            occurred_at=began, resident_id=tale.person(resident), score=0.8, evidence=evidence,
            place=_place(tale, resident),
        )  # fmt: skip
        alert = service.open_or_append(tale.tx, tale.clock, finding)
    if alert is None:
        return  # held back: it led to nothing too often
    who = "social.lin" if resident > 7 else on_shift(began)
    _answer(tale, alert, began, seconds, who, outcome, words)
    if kind in FOLLOWED:
        tale.at(began + timedelta(seconds=seconds[1]))
        finding_words = f"{value:g} {unit}（阈值 {limit:g}）"
        record = tale.make(who, FOLLOW_UP, resident, finding=finding_words, title=finding_words, alert_id=alert["id"])
        tale.do(who, FOLLOW_UP, record, "confirm", real=True, findings="复核属实")
        tale.at(began + timedelta(seconds=seconds[1] + 300))
        tale.do(who, FOLLOW_UP, record, "handle", done=words)
        tale.at(began + timedelta(seconds=seconds[1] + 1500))
        tale.do(who, FOLLOW_UP, record, "remeasure", finding="已回到个人范围内", better=True)
        tale.do(who, FOLLOW_UP, record, "close", note="继续观察")


def _place(tale: Tale, resident: int) -> str:
    row = tale.tx.one("demo.place", resident=tale.person(resident))
    return str(row["place"])


def _try_smoke_detectors(tale: Tale) -> None:
    """Once a week somebody presses the test button of every smoke detector in the house."""
    for number in range(8):
        tale.at(tale.house.moment(3, "10:00"), minutes=3 * number)
        event = _event(tale, f"smoke-{number + 1:04d}", "test", {})
        with tale.hand("alerts"):
            events.handle(tale.tx, tale.clock, event)
