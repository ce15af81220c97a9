"""The region around the house: a second, small institution in another street, an account of the district, its figures.

The inspector of demo.json belongs to the demo institution and sees that one. The account `district` belongs to none: it
sees both, and declares what no record of the platform knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from api.auth.accounts import Account
from api.deps import AuditTrail
from api.services.companionship.kinds import VISIT
from api.services.companionship.routes import TargetIn, set_target
from api.services.home_care.kinds import RESPITE, TRAINING
from api.services.information.kinds import FACILITY
from api.services.medical.kinds import AGREEMENT, CONTRACT
from api.supervision.routes import declare_figure
from api.supervision.schemas import Figure
from cli import provision
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale, open_house
from core.vocabulary import Role
from db.tenant import tenant_transaction

SITE: Final = "zouma"
ACCOUNTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("zouma.admin", "admin", "何站长"),
    ("zouma.nurse", "caregiver", "邓护士"),
    ("district", "regulator", "区民政局 养老科"),
)
PEOPLE: Final[tuple[tuple[str, str, str, str, int], ...]] = (
    ("彭玉兰", "female", "1940-03-02", "走马镇慈云社区 2 组 5 号", 1),
    ("曾德明", "male", "1938-11-20", "走马镇慈云社区 4 组 9 号", 2),
    ("邓素珍", "female", "1935-06-15", "走马镇灯塔村 1 组 3 号", 3),
    ("黄福生", "male", "1946-01-08", "走马镇灯塔村 6 组 11 号", 0),
)  # fmt: skip
FIGURES: Final[tuple[tuple[str, int, int], ...]] = (
    ("streets", 7, 0), ("communities", 41, 0), ("filed", 386, 402), ("lottery", 1_640, 2_000),
    ("circle", 52_300, 63_000),
    ("poor_in_care", 118, 121), ("poor_agreements", 64, 66),
)  # fmt: skip


def stories(house: House, passwords: Mapping[str, str]) -> Iterator[Story]:
    """Marked at the demo institution, since there the month is told."""
    yield "second institution", partial(_found_institution, passwords)
    yield "district figures", _figures
    yield "second institution lives", _live
    del house


def _found_institution(passwords: Mapping[str, str], tale: Tale) -> None:
    tale.on(34, "10:00")
    with tale.hand("admin"):
        place = provision.create_institution(
            tale.tx, tale.clock, code=SITE, name_zh="走马镇社区养老服务中心", name_en="Zouma community care centre"
        )
        for username, role, name in ACCOUNTS[:2]:
            provision.create_user(
                tale.tx, tale.clock, institution=place, username=username, password=passwords[username], role=role,
                name=name, on_duty=True,
            )  # fmt: skip
        provision.create_user(
            tale.tx, tale.clock, institution=None, username="district", password=passwords["district"],
            role="regulator", name=ACCOUNTS[2][2],
        )  # fmt: skip
        for name, sex, born, address, level in PEOPLE:
            provision.create_resident(
                tale.tx, tale.clock, institution=place, name=name, sex=sex, birth_date=date.fromisoformat(born),
                address=address,
                care_level=level, access_notes="邻居有钥匙",
            )  # fmt: skip


def _figures(tale: Tale) -> None:
    """What the district knows: streets, communities, money, filed staff."""
    tale.on(20, "14:30")
    with tale.hand("admin"):
        user: UUID = tale.tx.one("demo.account", username="district")["id"]
    caller = Account(user, None, None, "district", Role.REGULATOR, ACCOUNTS[2][2], 1, disabled=False)
    year = tale.house.day(0).year
    for key, numerator, denominator in FIGURES:
        figure = Figure(numerator=numerator, denominator=denominator, source=f"{year - 1} 年民政统计年报")
        with tenant_transaction(tale.house.pool, None) as tx:
            declare_figure(key, year, figure, caller, tx, tale.state, AuditTrail(tx, caller, tale.clock, "", ""))


def _live(tale: Tale) -> None:
    """The small institution has its own records, which nobody of the demo institution sees."""
    house = tale.house
    with tale.hand("admin"):
        place: UUID = tale.tx.one("demo.institution", site=SITE)["id"]
    other = open_house(house.pool, house.clock, house.anchor, place, SITE, len(PEOPLE))
    for name, telling in (
        ("papers", _papers), ("visits", _visits), ("respite", _respite), ("trainings", _trainings),
    ):  # fmt: skip
        other.tell(name, telling)


def _papers(tale: Tale) -> None:
    tale.on(32, "09:30")
    facility = tale.make(
        "zouma.admin", FACILITY, title="走马镇社区养老服务中心", facility_type="centre", run_by="society",
        street="走马镇",
        community="慈云社区", beds=24, nursing_beds=10, care_licence=True,
        introduction="日间照料、助餐、短期托养。",
    )  # fmt: skip
    tale.do("zouma.admin", FACILITY, facility, "file")
    tale.do("zouma.admin", FACILITY, facility, "open")
    tale.on(21, "15:00")
    tale.do("zouma.admin", FACILITY, facility, "inspect", quality="basic", words="区民政质量检查")
    tale.on(30, "09:30")
    agreement = tale.make(
        "zouma.admin", AGREEMENT, title="与走马镇卫生院合作协议", hospital="走马镇卫生院", green_channel=True
    )
    tale.do("zouma.admin", AGREEMENT, agreement, "sign", valid_until=tale.house.day(-300))
    for index in range(3):
        record = tale.make("zouma.nurse", CONTRACT, index, doctor="罗医生", clinic="走马镇卫生院", package="基础包")
        tale.do("zouma.nurse", CONTRACT, record, "sign", agreed_by="本人", valid_until=tale.house.day(-300))


def _visits(tale: Tale) -> None:
    tale.on(31, "11:00")
    for index, group in enumerate(("alone", "empty_nest", "impaired")):
        body = TargetIn.model_validate({"groups": [group], "every_days": 14, "since": tale.house.day(60)})
        tale.call("zouma.nurse", set_target, resident_id=tale.person(index), body=body)
    for index, days_ago in ((0, 24), (1, 17), (2, 9), (0, 4)):
        begins = tale.house.moment(days_ago, "10:00")
        tale.on(days_ago + 2, "09:00")
        ends = begins + timedelta(minutes=60)
        visit = tale.make("zouma.nurse", VISIT, index, title="定期探访", way="visit", starts_at=begins, ends_at=ends)
        tale.at(ends)
        words: dict[str, Any] = {"condition": "good", "mood": 4, "findings": "精神好，血压平稳", "minutes": 45}
        tale.do("zouma.nurse", VISIT, visit, "report", **words)


def _respite(tale: Tale) -> None:
    tale.on(3, "15:00")
    begins, ends = tale.house.moment(1, "10:00"), tale.house.moment(-4, "10:00")
    stay = tale.make(
        "zouma.nurse", RESPITE, 2, title="喘息服务 5 晚", starts_at=begins, ends_at=ends, carer="儿媳 罗敏"
    )
    tale.do("zouma.admin", RESPITE, stay, "approve", nights=5, price="700.00", subsidy="500.00")
    tale.at(min(begins, tale.house.anchor))
    tale.do("zouma.nurse", RESPITE, stay, "arrive", room="3 室")


def _trainings(tale: Tale) -> None:
    begins = tale.house.moment(12, "14:30")
    tale.on(18, "10:00")
    training = tale.make(
        "zouma.nurse", TRAINING, title="居家照护基础", starts_at=begins, ends_at=begins + timedelta(hours=2), places=20
    )
    tale.at(begins, minutes=125)
    tale.do("zouma.nurse", TRAINING, training, "hold", attended=17)
