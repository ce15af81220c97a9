"""What the house writes down day by day and what it costs: tasks, nursing notes, hand-overs, subsidies, fees, bills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from api.institution.accounts import FeeIn, PaymentIn, RunIn, add_fee, add_payment, run_bills
from api.institution.bills import BILL
from api.institution.handover import HANDOVER
from api.institution.notes import Correction, NoteIn, correct_note, write_note
from api.institution.rules import HouseRulesIn, put_rules
from api.institution.subsidies import GroupIn, RuleIn, create_rule, set_group
from api.institution.tasks import Mark, TemplateIn, day_tasks, mark_task, set_template
from api.residents.news2 import ClinicalIn, set_clinical
from api.rights.routes import add_guardian, ask_for_right, decide_right
from api.rights.schemas import Decision, GuardianCreate, RequestCreate
from api.services.daily_living.kinds import ORDER
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.rota import on_shift

TASK_DAYS: Final = 3
NOTES: Final[tuple[tuple[int, int, str, str, str, bool], ...]] = (
    # resident, days ago, hour, kind, text, important
    (0, 6, "20:20", "observation", "晚餐进食八成，血压 146/84，无头晕", False),
    (0, 2, "07:40", "sleep", "夜间如厕两次，睡眠尚可", False),
    (1, 4, "11:50", "meal", "午餐吃了半碗饭，餐后血糖 9.6 mmol/L", False),
    (2, 5, "18:30", "mood", "傍晚想回老家，陪同散步后安定", True),
    (2, 1, "18:10", "mood", "傍晚在门口徘徊，已陪伴，手环佩戴良好", True),
    (3, 3, "07:15", "observation", "晨重 62.4 kg，双踝轻度水肿", True),
    (4, 3, "10:40", "care", "床边坐起训练 20 分钟，左手可握软球", False),
    (5, 4, "03:10", "skin", "翻身，骶尾部皮肤完好，泡沫敷料在位", False),
    (5, 1, "15:20", "excretion", "排便一次，色黄质软", False),
    (6, 2, "16:00", "other", "参加书法活动，与室友交谈愉快", False),
    (7, 2, "21:30", "observation", "血氧 92 %，半卧位休息，无气促", True),
    (7, 0, "06:20", "sleep", "夜间未吸氧，睡眠平稳", False),
)
RULES: Final[tuple[dict[str, Any], ...]] = (
    {"name": "失能老人助浴补贴", "source": "渝高新民政〔2025〕8号", "service": "daily-living", "care_levels": [2, 3, 4],
     "percent": "60.00", "ceiling_month": "240.00", "priority": 10},
    {"name": "高龄困难老人服务补贴", "source": "渝高新民政〔2025〕12号", "groups": ["low_income", "very_old"],
     "amount": "10.00", "ceiling_month": "100.00", "priority": 20},
)  # fmt: skip
PAID: Final = {0: "transfer", 1: "wechat", 2: "transfer", 3: "cash", 4: "card", 7: "transfer"}
"""How who pays the whole bill pays it; somebody pays a part, somebody not yet."""


def stories(house: House) -> Iterator[Story]:
    """The rules first, then what happened by them."""
    yield "plan templates", _templates
    yield "rules of the house", _rules
    for number, note in enumerate(NOTES):
        yield f"nursing note {number}", partial(_note, note)
    yield "nursing note corrected", _corrected
    for days_ago in range(TASK_DAYS - 1, -1, -1):
        yield f"tasks {days_ago}", partial(_tasks, days_ago)
    for days_ago in (2, 1, 0):
        yield f"shift handed over {days_ago}", partial(_handover, days_ago)
    yield "subsidies", _subsidies
    # One of the month before, which is on its bill, and one of the last days, which waits for the next.
    yield "bath on the bill", partial(_bath, house.day(0).day + 4)
    yield "bath on the next bill", partial(_bath, 5)
    for index in range(8):
        yield f"agreed fees {index}", partial(_fees, index)
    yield "bills of the month", _bills
    yield "rights asked for", _rights


def _templates(tale: Tale) -> None:
    tale.on(40, "15:30")
    for level, what in ((2, "协助移动，防跌倒巡视"), (3, "每 2 小时翻身，观察皮肤"), (4, "全程协助，观察生命体征")):
        measures = [{"what": what, "how_often": "每日", "times": ["09:00", "15:00", "21:00"]}]
        body = TemplateIn.model_validate({"goals": "无跌倒，无压疮", "measures": measures})
        tale.call("admin", set_template, care_level=level, body=body)


def _rules(tale: Tale) -> None:
    tale.on(42, "17:30")
    tale.call("admin", put_rules, body=HouseRulesIn(absence_percent=Decimal("50.00"), absence_from_days=5))


def _note(row: tuple[int, int, str, str, str, bool], tale: Tale) -> None:
    resident, days_ago, hour, kind, text, important = row
    moment = tale.on(days_ago, hour)
    body = NoteIn.model_validate({"kind": kind, "text": text, "important": important})
    tale.call(on_shift(moment), write_note, resident_id=tale.person(resident), body=body)


def _corrected(tale: Tale) -> None:
    moment = tale.on(3, "14:20")
    who, resident = on_shift(moment), tale.person(1)
    note = tale.call(who, write_note, resident_id=resident, body=NoteIn(kind="medication", text="二甲双胍 0.25 g 已服"))
    tale.at(moment, minutes=25)
    body = Correction(text="二甲双胍 0.5 g 已服", reason="剂量写错，药单为 0.5 g")
    tale.call(who, correct_note, resident_id=resident, note_id=note.id, body=body)


def _tasks(days_ago: int, tale: Tale) -> None:
    """Done within the half hour; now and then somebody refuses."""
    for task in day_tasks(tale.tx, tale.house.day(days_ago), tale.house.anchor):
        moment = task.due_at + timedelta(minutes=tale.rng.randrange(3, 28))
        if not tale.has_come(moment):
            continue
        tale.at(moment)
        refused = tale.rng.random() < 0.04
        words = {
            "plan_id": task.plan_id, "measure": task.measure, "due_at": task.due_at,
            "result": "refused" if refused else "done", "note": "老人说稍后再做" if refused else "",
        }  # fmt: skip
        tale.call(on_shift(moment), mark_task, body=Mark.model_validate(words))


def _handover(days_ago: int, tale: Tale) -> None:
    """The night's, at seven in the morning; of today it is not yet signed for."""
    ends = tale.house.moment(days_ago, "07:00")
    if not tale.has_come(ends):
        return
    tale.at(ends)
    giver, taker = on_shift(ends - timedelta(hours=1)), on_shift(ends + timedelta(minutes=5))
    record = tale.make(
        giver, HANDOVER, title=f"{ends:%m-%d} 夜班", starts_at=ends - timedelta(hours=8), ends_at=ends,
        words="夜间平稳，2:00、5:00 巡查完成",
    )  # fmt: skip
    later = ends + timedelta(minutes=6)
    if days_ago and tale.has_come(later):
        tale.at(later)
        tale.do(taker, HANDOVER, record, "take")


def _subsidies(tale: Tale) -> None:
    tale.on(41, "16:40")
    since = tale.house.day(41)
    for words in RULES:
        tale.call("admin", create_rule, body=RuleIn.model_validate({**words, "valid_from": since}))
    proof = GroupIn(valid_from=since, proof="低保证 渝高新-0231")
    tale.call("admin", set_group, resident_id=tale.person(5), group="low_income", body=proof)


def _bath(days_ago: int, tale: Tale) -> None:
    """By the price list and the subsidy rules; the own share is left to the month's bill."""
    item = tale.tx.one("demo.item", code="BATH-60")["id"]
    begins = tale.on(days_ago, "15:30")
    ends = begins + timedelta(hours=1)
    tale.at(begins - timedelta(days=1))
    record = tale.make("nurse.li", ORDER, 5, care="bath", title="助浴（价目表）", starts_at=begins, ends_at=ends)
    steps: tuple[tuple[datetime, str, dict[str, Any]], ...] = (
        (begins - timedelta(hours=20), "assess", {"item_id": item, "findings": "可坐浴"}),
        (begins - timedelta(hours=19), "assign", {}), (begins - timedelta(hours=18), "accept", {}),
        (begins, "check_in", {"place": "浴室"}), (begins + timedelta(minutes=4), "begin", {}),
        (ends - timedelta(minutes=3), "check_out", {"done": "助浴完成，皮肤完好"}),
        (ends + timedelta(hours=2), "settle", {"on_bill": True}),
    )  # fmt: skip
    for moment, action, words in steps:
        tale.at(moment)
        tale.do(
            "nurse.li" if action in ("assess", "assign", "settle") else "nurse.wang", ORDER, record, action, **words
        )


def _fees(index: int, tale: Tale) -> None:
    tale.on(41, f"{10 + index:02d}:00")
    resident, since = tale.person(index), tale.house.day(41)
    for code in ("BED-ORDINARY" if index == 6 else "BED-NURSING", "BOARD"):
        item = tale.tx.one("demo.item", code=code)["id"]
        tale.call("admin", add_fee, resident_id=resident, body=FeeIn(item_id=item, valid_from=since))
    deposit = PaymentIn(cause="deposit", amount=Decimal("2000.00"), method="transfer", reference=f"YJ-{index + 1:03d}")
    tale.call("nurse.li", add_payment, resident_id=resident, body=deposit)


def _rights(tale: Tale) -> None:
    """A daughter with a mandate asks for a copy of everything, and gets it."""
    tale.on(13, "10:30")
    mother = tale.person(0)
    mandate = GuardianCreate(
        kind="agent", name="王晓梅", relation="女儿", user_id=tale.who("daughter").id, ground="委托书 2026-031",
        powers=["access", "correction"], valid_from=tale.house.day(13),
    )  # fmt: skip
    tale.call("admin", add_guardian, resident_id=mother, body=mandate)
    proof = GroupIn(valid_from=tale.house.day(13), proof="身份证，满 80 周岁")
    tale.call("admin", set_group, resident_id=mother, group="very_old", body=proof)
    air = ClinicalIn(kind="oxygen", value="air", reason="不吸氧，医嘱 03-05")
    tale.call("nurse.li", set_clinical, resident_id=mother, body=air)
    tale.on(12, "19:40")
    body = RequestCreate(kind="access", requested_by="王晓梅", reason="想保存母亲的健康记录")
    asked = tale.call("daughter", ask_for_right, resident_id=mother, body=body)
    tale.on(11, "09:15")
    tale.call("admin", decide_right, resident_id=mother, request_id=asked.id, body=Decision(grant=True))


def _bills(tale: Tale) -> None:
    """Of the month before, drawn up on the first; paid within the days that have passed since."""
    house = tale.house
    today = house.day(0)
    month = (today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    tale.on(today.day - 1, "10:10")
    made = tale.call("admin", run_bills, body=RunIn(month=month)).made
    rows = {tale.tx.one("records.for_platform", id=bill)["resident_id"]: bill for bill in made}
    due_on = today.replace(day=1) + timedelta(days=14)
    for index in range(8):
        bill = rows.get(tale.person(index))
        if bill is None:
            continue
        tale.on(today.day - 1, "11:00")
        price = tale.do("admin", BILL, bill, "issue", due_on=due_on)["price"]
        paid = house.moment(today.day - 4, f"{9 + index:02d}:20")
        if not tale.has_come(paid) or today.day < 4:
            continue
        tale.at(paid)
        receipt = {"reference": f"{month}-{index + 1:03d}"}
        if index in PAID:
            tale.do("nurse.li", BILL, bill, "pay", paid=price, method=PAID[index], **receipt)
        elif index == 5:
            tale.do("nurse.li", BILL, bill, "pay_part", paid=Decimal("1500.00"), method="transfer", **receipt)
