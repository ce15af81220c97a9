"""Beds at home, adapted homes, respite nights and trainings of carers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from api.services.home_care.kinds import ADAPTATION, BED, RESPITE, TRAINING
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.suppliers import provider_id

KIT: Final = {8: ["smoke-0009", "gas-0009", "door-0009"], 9: ["smoke-0010", "gas-0010", "bed-0010"]}
"""Devices that stand in the two homes."""
BUILDERS: Final = "宜居适老化改造公司"
TRAININGS: Final[tuple[tuple[str, int, str, int, int], ...]] = (
    ("失能老人翻身与转移技巧", 27, "09:30", 30, 28), ("防跌倒与居家环境", 20, "14:30", 30, 26),
    ("认知症家庭照护", 13, "09:30", 25, 22), ("压疮预防与皮肤护理", 6, "14:30", 30, 31),
    ("鼻饲与口腔护理", -5, "09:30", 25, 0), ("冬季用药安全", -12, "14:30", 40, 0),
)  # fmt: skip


def stories(house: House) -> Iterator[Story]:
    """Two homes, each with its bed and its building work; who cares for them gets some nights off."""
    yield "home bed served", partial(_bed, 9, "serving")
    yield "home bed signed", partial(_bed, 8, "signed")
    yield "home bed paused", partial(_bed, 2, "removed")
    yield "home bed asked", _bed_asked
    yield "adaptation in warranty", partial(_adapt, 9, 29, "warranty")
    yield "adaptation accepted", partial(_adapt, 9, 20, "accepted")
    yield "adaptation building", partial(_adapt, 8, 9, "building")
    yield "adaptation designed", partial(_adapt, 8, 4, "designed")
    yield "adaptation closed", partial(_adapt, 2, 24, "closed")
    yield "adaptation asked", _adapt_asked
    for name, days_ago, nights, last in (
        ("rated", 23, 3, "rated"), ("home", 6, 4, "home"), ("approved", -7, 2, "approved"),
        ("requested", -20, 3, "requested"), ("refused", -2, 10, "refused"), ("cancelled", 15, 2, "cancelled"),
    ):  # fmt: skip
        yield f"respite {name}", partial(_respite, days_ago, nights, last)
    yield "trainings", _trainings
    del house


def _bed(resident: int, until: str, tale: Tale) -> None:
    house, social = tale.house, "social.lin"
    tale.on(28, "09:50")
    bed = tale.make("wife.liu" if resident == 9 else social, BED, resident, title="家庭照护床位")
    tale.on(26, "10:30")
    tale.do(
        social, BED, bed, "survey",
        findings="卧室可放护理床，网络信号好" if resident != 2 else "老人已入住机构，家中无人",
        suitable=resident != 2,
    )  # fmt: skip
    if until == "removed":
        tale.on(25, "15:00")
        tale.do(social, BED, bed, "remove", reason="已入住机构，不再需要家庭床位")
        return
    tale.on(25, "11:00")
    agreed = "刘淑芬（妻子）" if resident == 9 else "本人"
    tale.do(
        social, BED, bed, "sign", agreed_by=agreed, valid_until=house.day(-340), monthly_fee="600.00",
        response_minutes=15 if resident == 9 else 20,
    )  # fmt: skip
    if until == "signed":
        return
    tale.on(23, "16:00")
    tale.do(social, BED, bed, "install", devices=KIT[resident])
    tale.on(22, "09:00")
    tale.do(social, BED, bed, "start", note="24 小时响应开始")
    tale.on(6, "09:10")
    tale.do("wife.liu", BED, bed, "pause", reason="去机构喘息四晚")
    tale.on(2, "10:20")
    tale.do(social, BED, bed, "start", note="已返家，恢复服务")


def _bed_asked(tale: Tale) -> None:
    tale.on(3, "20:10")
    bed = tale.make("son.zhou", BED, 4, title="家庭照护床位（拟出院后回家）")
    tale.on(1, "15:30")
    tale.do("social.lin", BED, bed, "survey", findings="家在三楼无电梯，卫生间门宽 62 厘米，轮椅进不去", suitable=True)
    tale.on(0, "08:10")
    tale.make("daughter", BED, 0, title="家庭照护床位咨询")


def _adapt(resident: int, days_ago: int, until: str, tale: Tale) -> None:
    social, house = "social.lin", tale.house
    kitchen = until in ("accepted", "designed")
    wishes = "厨房台面降低、燃气报警" if kitchen else "卫生间扶手、防滑地面、去门槛"
    tale.on(days_ago, "09:40")
    record = tale.make(
        "wife.liu" if resident == 9 else social, ADAPTATION, resident,
        title="适老化改造（厨房）" if kitchen else "适老化改造（卫生间）",
        hardship="impaired" if resident == 9 else "none" if resident == 2 else "very_old", wishes=wishes,
    )  # fmt: skip
    tale.on(days_ago - 1, "10:00")
    tale.do(social, ADAPTATION, record, "survey", findings="门槛 4 厘米，地砖湿滑，无扶手", suitable=until != "closed")
    if until == "closed":
        tale.on(days_ago - 2, "15:00")
        tale.do(social, ADAPTATION, record, "close", reason="老人已入住机构，老房即将拆迁，不改造")
        return
    tale.on(days_ago - 2, "14:00")
    measures = ["降低操作台", "加装燃气报警器"] if kitchen else ["L 形扶手 2 处", "防滑地胶 4 平方米", "去门槛"]
    tale.do(
        social, ADAPTATION, record, "design", measures=measures, price="3860.00", subsidy="3000.00",
        agreed_by="刘淑芬" if resident == 9 else "周秀英", provider_id=provider_id(tale, BUILDERS),
    )  # fmt: skip
    if until == "designed":
        return
    begins = house.moment(days_ago - 5, "08:30")
    tale.on(days_ago - 4, "11:00")
    done = house.moment(days_ago - 8 if until != "building" else -1, "17:00")
    tale.do("builder", ADAPTATION, record, "build", starts_at=begins, ends_at=done)
    if until == "building":
        return
    _finish(tale, record, days_ago - 8, kitchen, until)


def _finish(tale: Tale, record: UUID, days_ago: int, kitchen: bool, until: str) -> None:
    tale.on(days_ago, "17:20")
    words: dict[str, Any] = {"before_photos": 4, "after_photos": 6, "warranty_until": tale.house.day(days_ago - 400)}
    words["devices"] = ["gas-0010"] if kitchen else ["smoke-0010"]
    tale.do("social.lin", ADAPTATION, record, "accept", accepted_by="刘淑芬", **words)
    if until == "accepted":
        return
    tale.on(days_ago - 1, "10:00")
    tale.do("social.lin", ADAPTATION, record, "hand_over", note="质保 13 个月")
    tale.on(4, "19:00")
    tale.do("wife.liu", ADAPTATION, record, "repair", reason="一处扶手松动，请来紧固")


def _adapt_asked(tale: Tale) -> None:
    tale.on(1, "16:20")
    tale.make(
        "son.zhou", ADAPTATION, 4, title="适老化改造（回家准备）", hardship="disabled", wishes="卫生间门加宽，坡道"
    )


def _respite(days_ago: int, nights: int, last: str, tale: Tale) -> None:
    house, social = tale.house, "social.lin"
    begins, ends = house.moment(days_ago, "10:00"), house.moment(days_ago - nights, "10:00")
    tale.on(max(days_ago + 4, 1), "19:20")
    record = tale.make(
        "wife.liu", RESPITE, 9, title=f"喘息服务 {nights} 晚", starts_at=begins, ends_at=ends, carer="刘淑芬",
        note="老伴腰痛，想休息几天",
    )  # fmt: skip
    if last == "requested":
        return
    tale.at(tale.clock.now(), minutes=50)
    if last == "refused":
        tale.do(social, RESPITE, record, "refuse", reason="本季度喘息天数已用 12 晚，超过上限")
        return
    tale.do(social, RESPITE, record, "approve", nights=nights, price=f"{nights * 160}.00", subsidy=f"{nights * 120}.00")
    if last == "cancelled":
        tale.at(tale.clock.now(), minutes=600)
        tale.do("wife.liu", RESPITE, record, "cancel", reason="儿子请假回来了")
    if last in ("approved", "cancelled"):
        return
    tale.at(min(begins, house.anchor), minutes=0)
    tale.do(social, RESPITE, record, "arrive", room="1号楼 112 室")
    if last == "staying":
        return
    tale.on(days_ago - nights, "10:20")
    tale.do(social, RESPITE, record, "go_home", at=tale.clock.now(), words="状态平稳，皮肤完好，药品已交回")
    if last == "rated":
        tale.on(days_ago - nights - 1, "20:00")
        tale.do("wife.liu", RESPITE, record, "rate", stars=5, words="睡了三个整觉，谢谢你们")


def _trainings(tale: Tale) -> None:
    for title, days_ago, hour, places, attended in TRAININGS:
        begins = tale.house.moment(days_ago, hour)
        tale.on(max(days_ago + 5, 2), "11:00")
        record = tale.make(
            "social.lin",
            TRAINING,
            title=title,
            starts_at=begins,
            ends_at=begins.replace(hour=begins.hour + 2),
            places=places,
        )
        if days_ago > 0:
            tale.on(days_ago, hour)
            tale.at(tale.clock.now(), minutes=125)
            tale.do("social.lin", TRAINING, record, "hold", attended=attended)
        elif days_ago == -12:
            tale.on(1, "14:00")
            tale.do("admin", TRAINING, record, "cancel", reason="讲师当天有会，改到下月")
