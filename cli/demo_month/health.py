"""Care plans, reminders and follow-ups; family doctors, agreements and referrals: what keeps people well leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

from api.services.health.kinds import FOLLOW_UP, PLAN, REMINDER
from api.services.medical.kinds import AGREEMENT, CONTRACT, REFERRAL
from cli.demo_month.cast import HOSPITAL, PEOPLE
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.suppliers import provider_id

REMINDERS: Final[tuple[tuple[int, str, str, str], ...]] = (
    (0, "medicine", "氨氯地平 5 mg", "08:00"), (3, "medicine", "华法林 2.5 mg", "20:30"),
    (1, "measure", "测空腹血糖", "06:40"), (4, "exercise", "床边平衡训练", "10:00"),
    (5, "drink", "协助饮水 150 ml", "15:00"),
)  # fmt: skip
FINDINGS: Final[tuple[tuple[int, int, str, str, str, str, str], ...]] = (
    # resident, days ago, hour, finding, what was done, measured again, last action
    (1, 24, "06:50", "空腹血糖 11.2 mmol/L", "询问饮食，昨晚加餐水果；按医嘱观察", "餐后 2 小时 9.8 mmol/L", "close"),
    (3, 19, "07:10", "体重三天增加 1.4 kg，双踝水肿", "报告医生，呋塞米临时加 20 mg，限盐限水",
     "体重下降 0.9 kg，水肿减轻", "close"),
    (7, 14, "14:10", "血氧 86 %，气促", "半卧位，缩唇呼吸，低流量吸氧 1 L/min", "血氧 91 %", "close"),
    (5, 9, "09:40", "骶尾部皮肤发红 3 cm，压之褪色", "改每 2 小时翻身，加用泡沫敷料", "发红消退", "close"),
    (1, 5, "10:20", "血糖 3.6 mmol/L，出汗", "口服葡萄糖水 15 g，15 分钟后复测", "血糖 5.4 mmol/L", "close"),
    (3, 1, "20:15", "静息心率 118 次/分", "卧床休息，做心电图并发给医生", "心率 96 次/分", "remeasure"),
)  # fmt: skip
TIMES: Final[dict[str, dict[str, Any]]] = {
    "每日 8:00、20:00": {"times": ["08:00", "20:00"]}, "每日 7:00": {"times": ["07:00"]},
    "每日两次": {"times": ["08:30", "19:30"]}, "每日三次": {"times": ["07:30", "11:30", "17:30"]},
    "每日一次": {"times": ["09:30"]}, "周一、周四": {"times": ["06:40"], "weekdays": [1, 4]},
    "周二、周五": {"times": ["10:00"], "weekdays": [2, 5]},
    "每 2 小时": {"times": [f"{hour:02d}:00" for hour in range(0, 24, 2)]},
}  # fmt: skip
"""What a frequency in words is on the clock; what has no time of its own is no task."""


def stories(house: House) -> Iterator[Story]:
    """Everybody has a plan; what was out of order was looked at; reminders of the last days and of today."""
    for index in range(len(house.people)):
        yield f"care plan {index}", partial(_plan, index)
    for finding in FINDINGS:
        yield f"finding {finding[0]} {finding[1]}", partial(_finding, finding)
    yield "finding of now", _fresh_findings
    for number, reminder in enumerate(REMINDERS):
        for days_ago in (2, 1, 0, -1):
            yield f"reminder {number} {days_ago}", partial(_reminder, number, reminder, days_ago)
    for index in range(len(house.people)):
        yield f"family doctor {index}", partial(_doctor, index)
    yield "reminder of now", _remind_now
    yield "agreements", _agreements
    yield from _referrals()


def _plan(index: int, tale: Tale) -> None:
    one = PEOPLE[index]
    tale.on(21 - index % 3, f"{14 + index % 3}:20")
    measures = [{"what": what, "how_often": often, **TIMES.get(often, {})} for what, often in one.measures]
    words = {"problems": one.problems, "goals": one.goals, "measures": measures}
    plan = tale.make("nurse.li", PLAN, index, title=f"{one.problems[:40]}", **words)
    tale.on(20 - index % 3, "16:30")
    tale.do("nurse.li", PLAN, plan, "activate", review_on=tale.house.day(-70 + index * 8 if index != 4 else -2))
    if index in (3, 4):
        tale.on(8, "11:15")
        tale.do("nurse.li", PLAN, plan, "review", note="水肿反复" if index == 3 else "左手更无力")
    if index == 3:
        more = [*measures, {"what": "限水 1500 ml", "how_often": "每日"}]
        tale.do("nurse.li", PLAN, plan, "revise", problems=one.problems, goals=one.goals, measures=more)
        tale.on(7, "09:30")
        tale.do("nurse.li", PLAN, plan, "activate", review_on=tale.house.day(-80))
    if index == 6:
        tale.on(2, "15:00")
        tale.do("nurse.li", PLAN, plan, "end", reason="能力完好，改为健康指导，不再单列照护计划")
        tale.make("nurse.wang", PLAN, 6, title="健康指导（草稿）", **words)


def _finding(row: tuple[int, int, str, str, str, str, str], tale: Tale) -> None:
    index, days_ago, hour, finding, done, again, last = row
    began = tale.on(days_ago, hour)
    record = tale.make("nurse.wang", FOLLOW_UP, index, title=finding[:60], finding=finding)
    steps: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (6, "confirm", {"real": True, "findings": "复核属实"}),
        (14, "handle", {"done": done}),
        (34, "remeasure", {"finding": again, "better": True}),
        (60, "close", {"note": "已记入护理记录，继续观察"}),
    )
    for minutes, action, words in steps:
        tale.at(began, minutes=minutes)
        tale.do("nurse.wang", FOLLOW_UP, record, action, **words)
        if action == last:
            return


def _fresh_findings(tale: Tale) -> None:
    """One just raised, one confirmed, one handled and to be measured again in a moment; one was a loose cuff."""
    anchor = tale.house.anchor
    for minutes, index, finding, actions in (
        (-300, 2, "心率 45 次/分", 4), (-70, 4, "血压 168/92", 2),
        (-20, 7, "呼吸 24 次/分", 1), (-9, 0, "血压 156/90", 0),
    ):  # fmt: skip
        began = tale.at(anchor, minutes=minutes)
        record = tale.make("nurse.chen", FOLLOW_UP, index, title=finding, finding=finding)
        if actions:
            tale.at(began, minutes=5)
            real = actions != 4
            words = "复核属实" if real else "手环佩戴过松，重测 66 次/分"
            tale.do("nurse.chen", FOLLOW_UP, record, "confirm", real=real, findings=words)
        if actions == 2:
            tale.at(began, minutes=12)
            tale.do(
                "nurse.chen",
                FOLLOW_UP,
                record,
                "handle",
                done="安静休息，按医嘱服药",
                remeasure_at=anchor + timedelta(minutes=20),
            )
        if actions == 4:
            tale.at(began, minutes=9)
            tale.do("nurse.chen", FOLLOW_UP, record, "close", note="测量误差")


def _reminder(number: int, row: tuple[int, str, str, str], days_ago: int, tale: Tale) -> None:
    index, what, title, hour = row
    wanted, house = tale.house.moment(days_ago, hour), tale.house
    tale.at(min(wanted - timedelta(hours=14), house.anchor - timedelta(minutes=10)))
    record = tale.make("nurse.liu", REMINDER, index, what=what, title=title, starts_at=wanted, grace_minutes=60)
    if not tale.has_come(wanted):
        if number == 4 and days_ago == -1:
            tale.at(house.anchor, minutes=-5)
            tale.do("nurse.liu", REMINDER, record, "cancel", reason="当日外出就诊")
        return
    tale.at(wanted)
    tale.do("nurse.sun", REMINDER, record, "remind", note="已到床旁提醒")
    answered = wanted + timedelta(minutes=8 + number * 4)
    if number == 3 and days_ago == 2 and tale.has_come(wanted + timedelta(minutes=70)):
        tale.at(wanted, minutes=65)
        tale.do("nurse.sun", REMINDER, record, "miss", note="老人午睡未醒，未执行")
    elif tale.has_come(answered):
        tale.at(answered)
        tale.do("nurse.sun", REMINDER, record, "complete", note="已服，无不适" if what == "medicine" else "已完成")


def _remind_now(tale: Tale) -> None:
    """Something that is done at every hour: somebody has been told and not yet said that it is done."""
    began = tale.at(tale.house.anchor, minutes=-14)
    record = tale.make(
        "nurse.liu", REMINDER, 5, what="other", title="翻身、检查皮肤", starts_at=began, grace_minutes=60
    )
    tale.do("nurse.liu", REMINDER, record, "remind", note="已通知当班护理员")


def _doctor(index: int, tale: Tale) -> None:
    """All but one have a family doctor; one contract is to be signed, one ran out and was renewed."""
    one = PEOPLE[index]
    tale.on(28 - index, "10:20")
    doctor = "周医生" if index % 2 else "唐医生"
    record = tale.make(
        "nurse.li", CONTRACT, index, doctor=doctor, clinic="白市驿镇中心卫生院",
        package="基础包" if one.level < 2 else "基础包＋慢病管理包",
    )  # fmt: skip
    if index == 8:
        return  # wants to think it over
    agreed = "本人" if one.level < 3 else one.relatives[0].name
    tale.at(tale.clock.now(), minutes=35)
    ends = tale.house.day(-25) if index == 6 else tale.house.day(-330)
    tale.do("nurse.li", CONTRACT, record, "sign", agreed_by=agreed, valid_until=ends)
    if index == 1:
        tale.on(4, "15:30")
        tale.do("nurse.li", CONTRACT, record, "renew", valid_until=tale.house.day(-695))
    elif index == 2:
        tale.on(10, "15:30")
        tale.do("nurse.li", CONTRACT, record, "end", reason="家属改签市区医院的家庭医生")
        again = tale.make("nurse.li", CONTRACT, 2, doctor="何医生", clinic="渝西社区卫生服务中心", package="基础包")
        tale.at(tale.clock.now(), minutes=40)
        tale.do("nurse.li", CONTRACT, again, "sign", agreed_by=agreed, valid_until=tale.house.day(-365))
    elif index in (0, 3, 4, 5, 7, 9):
        for days_ago in (17, 3):
            tale.on(days_ago, f"{9 + index % 3:02d}:45")
            words = "血压控制平稳，继续原方案" if index != 3 else "踝部轻度水肿，嘱限盐，复查 INR"
            tale.do("nurse.li", CONTRACT, record, "record_round", on=tale.house.day(days_ago), findings=words)


def _agreements(tale: Tale) -> None:
    tale.on(33, "10:10")
    first = tale.make("admin", AGREEMENT, title=f"与{HOSPITAL}签约服务协议", hospital=HOSPITAL, green_channel=True)
    tale.on(32, "11:00")
    tale.do("admin", AGREEMENT, first, "sign", valid_until=tale.house.day(-320))
    second = tale.make(
        "admin", AGREEMENT, title="与白市驿镇中心卫生院合作协议", hospital="白市驿镇中心卫生院", green_channel=True
    )
    tale.on(30, "11:00")
    tale.do("admin", AGREEMENT, second, "sign", valid_until=tale.house.day(-45))
    fourth = tale.make(
        "admin", AGREEMENT, title="与镇中心卫生院巡诊协议（旧）", hospital="白市驿镇中心卫生院", green_channel=False
    )
    tale.do("admin", AGREEMENT, fourth, "sign", valid_until=tale.house.day(4))
    tale.on(5, "16:00")
    tale.make("admin", AGREEMENT, title="与市康复医院合作协议（草拟）", hospital="重庆市康复医院", green_channel=False)
    third = tale.make("admin", AGREEMENT, title="与博爱门诊部协议", hospital="博爱门诊部", green_channel=False)
    tale.do("admin", AGREEMENT, third, "end", reason="对方资质到期，不再签约")
    tale.on(3, "09:00")
    tale.do("admin", AGREEMENT, fourth, "expire", note="已由新协议替代")


REFERRALS: Final[tuple[tuple[str, int, int, dict[str, Any], str], ...]] = (
    ("heart failure", 3, 18, {"department": "心内科", "urgency": "urgent", "green_channel": True,
     "question": "体重三天增加 1.4 kg，双踝水肿，请协助调整利尿方案"}, "close"),
    ("pressure", 0, 12, {"department": "心内科", "urgency": "routine",
     "question": "血压多次 150/90 以上，请协助调整用药"}, "follow_up"),
    ("hip", 4, 6, {"department": "骨科", "urgency": "routine", "question": "左髋疼痛两周，请协助检查"}, "send_back"),
    ("lung", 7, 2, {"department": "呼吸科", "urgency": "urgent", "green_channel": True,
     "question": "活动后气促加重，血氧 86 %，请评估"}, "accept"),
    ("refused", 2, 20, {"department": "记忆门诊", "urgency": "routine", "question": "请复查认知功能"}, "refuse"),
)  # fmt: skip
TREATED: Final = {
    "heart failure": (
        "慢性心力衰竭急性加重（轻度）",
        "呋塞米改 40 mg 每早，补钾",
        "每日称体重，限盐 3 g，两周后复诊",
        "体重稳定，水肿消退",
    ),
    "pressure": ("高血压 2 级", "氨氯地平加至 7.5 mg", "每日测压两次，一周后复诊", "血压 138/84，平稳"),
    "hip": ("左髋软组织劳损", "局部热敷，对症止痛", "避免负重，两周后复查", ""),
}


def _referrals() -> Iterator[Story]:
    for name, index, days_ago, words, last in REFERRALS:
        yield f"referral {name}", partial(_referral, name, index, days_ago, words, last)
    yield "referral back", _back
    yield "referral of today", _today


def _referral(name: str, index: int, days_ago: int, words: dict[str, Any], last: str, tale: Tale) -> None:
    one, began = PEOPLE[index], tale.on(days_ago, "09:40")
    consent = "本人" if one.level < 3 else one.relatives[0].name
    record = tale.make(
        "nurse.li", REFERRAL, index, title=words["department"], direction="to_hospital", hospital=HOSPITAL,
        consent_by=consent, **words,
    )  # fmt: skip
    found, cure, advice, outcome = TREATED.get(name, ("", "", "", ""))
    steps: tuple[tuple[float, str, str, dict[str, Any]], ...] = (
        (0.2, "nurse.li", "give", {"provider_id": provider_id(tale, HOSPITAL)}),
        (1.0, "hospital", "refuse", {"reason": "专科门诊本月号满，建议转市级医院"}),
        (1.1, "hospital", "accept", {"note": "请走绿色通道，门诊二楼" if words.get("green_channel") else "已预约"}),
        (5.0, "hospital", "treat", {"diagnosis": found, "treatment": cure}),
        (29.0, "hospital", "send_back", {"advice": advice}),
        (96.0, "nurse.li", "follow_up", {"outcome": outcome}),
        (100.0, "nurse.li", "close", {"note": "已转入日常随访"}),
    )
    for hours, who, action, body in steps:
        if action == "refuse" and last != "refuse":
            continue
        tale.at(began, minutes=hours * 60)
        tale.do(who, REFERRAL, record, action, **body)
        if action == last:
            return


def _back(tale: Tale) -> None:
    """From the hospital back to the house."""
    tale.on(23, "15:10")
    record = tale.make(
        "nurse.wang", REFERRAL, 5, title="肺部感染治愈返院", direction="from_hospital", hospital=HOSPITAL,
        department="呼吸科", urgency="routine",
        question="肺部感染治愈，回院续护理：翻身叩背、吞咽训练", consent_by="陈国庆",
    )  # fmt: skip
    tale.on(23, "16:00")
    tale.do("nurse.wang", REFERRAL, record, "accept", note="已备床，气垫床铺好")
    tale.on(22, "10:00")
    tale.do("nurse.wang", REFERRAL, record, "treat", diagnosis="社区获得性肺炎，已治愈", treatment="口服祛痰药一周")


def _today(tale: Tale) -> None:
    tale.at(tale.house.anchor, minutes=-50)
    tale.make(
        "nurse.li", REFERRAL, 4, title="神经内科", direction="to_hospital", hospital=HOSPITAL, department="神经内科",
        urgency="urgent", green_channel=True, question="近一周左手更无力，请排除再发脑梗", consent_by="周伟",
    )  # fmt: skip
