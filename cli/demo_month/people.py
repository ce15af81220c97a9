"""Accounts, contacts, consents, rescue cards and personal limits: the cast enters, a house with its people leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from pydantic import SecretStr

from api.family.reach import QuietHours, put_quiet_hours
from api.family.routes import begin_away, end_away, put_rescue_card
from api.family.schemas import AwayBody, RescueCardBody
from api.residents.fences import FenceIn, add_fence
from api.residents.limits import LimitsIn, set_limits
from api.residents.news2 import ClinicalIn, set_clinical
from api.residents.routes import add_contact, give_consent, list_contacts, patch_resident
from api.residents.schemas import ConsentCreate, ContactCreate, ResidentPatch
from api.users.routes import create_user
from api.users.schemas import UserCreate
from cli.demo_month.cast import AT_HOME, HOSPITAL, OUTSIDE, PEOPLE, STAFF, Relative
from cli.demo_month.chapter import Story
from cli.demo_month.house import House, Tale
from cli.demo_month.readings import WALKERS
from simulators.sensors.befallen import HOME


def accounts(passwords: Mapping[str, str]) -> Iterator[Story]:
    """Who gets an account in the first week; the house learns their names afterwards."""
    for username, role, name in (*STAFF, *OUTSIDE):
        yield f"account {username}", partial(_account, username, role, name, passwords[username])


def _account(username: str, role: str, name: str, password: str, tale: Tale) -> None:
    tale.on(40, "09:20")
    body = UserCreate(username=username, password=SecretStr(password), role=role, name=name)  # type: ignore[arg-type]  # the cast names roles
    tale.call("admin", create_user, body=body)


def stories(house: House) -> Iterator[Story]:
    """One for each resident, and what was set for single ones."""
    for index in range(len(house.people)):
        yield f"admission papers {index}", partial(_papers, index)
    yield "limits", _limits
    yield "safe areas", _safe_areas
    yield "away over the weekend", _away


def _papers(index: int, tale: Tale) -> None:
    """The record completed, the rescue card, further contacts, consents for each purpose."""
    one, person = PEOPLE[index], tale.person(index)
    tale.on(32, f"{9 + index % 8:02d}:15")
    card = RescueCardBody(
        address=AT_HOME.get(index, ""), access=one.access, conditions=one.conditions, medication=one.medication,
        allergies=one.allergies, mobility=one.mobility, communication=one.communication, hospital=HOSPITAL,
        consented_by="本人" if one.level < 3 else one.relatives[0].name,
    )  # fmt: skip
    tale.call("nurse.wang", put_rescue_card, resident_id=person, body=card)
    for position, relative in enumerate(one.relatives, 1):
        if position > 1:
            body = ContactCreate(name=relative.name, relation=relative.relation, phone=relative.phone)
            tale.call("nurse.wang", add_contact, resident_id=person, body=body)
        if relative.username and relative.username != "daughter":
            _consent(tale, index, relative)
    if index == 0:
        # What is not urgent waits until the daughter is up.
        first = tale.call("nurse.wang", list_contacts, resident_id=person).items[0]
        quiet = QuietHours.model_validate({"quiet_from": "22:30", "quiet_to": "06:30"})
        tale.call("nurse.wang", put_quiet_hours, resident_id=person, contact_id=first.id, body=quiet)


def _consent(tale: Tale, index: int, relative: Relative) -> None:
    granted_by = "本人" if PEOPLE[index].level < 3 else f"{relative.name}（监护人）"
    user = tale.who(relative.username)
    for scope in relative.scopes:
        body = ConsentCreate(user_id=user.id, scope=scope, granted_by=granted_by)  # type: ignore[arg-type]  # the cast names scopes
        tale.call("nurse.wang", give_consent, resident_id=tale.person(index), body=body)


def _limits(tale: Tale) -> None:
    tale.on(29, "10:40")
    for index, words in (
        (3, {"metric": "heart_rate", "low": 50, "high": 110, "high_critical": 130, "reason": "房颤，心内科医嘱"}),
        (7, {"metric": "spo2", "low": 88, "low_critical": 85, "reason": "慢阻肺，呼吸科医嘱 88–92 %"}),
        (0, {"metric": "bp_sys", "high": 150, "high_critical": 180, "reason": "家庭医生：先控制到 150 以下"}),
    ):
        tale.call("nurse.li", set_limits, resident_id=tale.person(index), body=LimitsIn.model_validate(words))
    scale = ClinicalIn(kind="spo2_scale", value="2", reason="慢阻肺，目标血氧 88–92 %")
    tale.call("nurse.li", set_clinical, resident_id=tale.person(7), body=scale)
    patch = ResidentPatch(phone="139 0000 0900")
    tale.call("nurse.li", patch_resident, resident_id=tale.person(8), body=patch)


def _safe_areas(tale: Tale) -> None:
    """Two who like to walk have where they may: about the house at all hours, the garden by day."""
    tale.on(28, "14:10")
    north, east = HOME
    garden = [[north + 0.0008, east + 0.0006], [north + 0.0008, east + 0.0024], [north + 0.0018, east + 0.0024],
              [north + 0.0018, east + 0.0006]]  # fmt: skip
    for index in WALKERS:
        for body in (
            {"name": "院区及周边", "corners": [[north, east]], "radius_m": 300},
            {"name": "滨江花园", "corners": garden, "from_time": "06:00", "to_time": "19:00"},
        ):
            fence = FenceIn.model_validate(body)
            tale.call("nurse.li", add_fence, resident_id=tale.person(index), body=fence)


def _away(tale: Tale) -> None:
    """Somebody spends a weekend with her daughter; nothing is concluded from the empty room."""
    begins, back = tale.house.moment(13, "09:00"), tale.house.moment(11, "16:30")
    tale.at(begins)
    body = AwayBody(kind="away", until=tale.house.moment(11, "18:00"), reason="回女儿家过周末")
    tale.call("nurse.sun", begin_away, resident_id=tale.person(6), body=body)
    tale.at(back)
    tale.call("nurse.chen", end_away, resident_id=tale.person(6))
