"""Setting things up: an admin transaction and plain facts enter; institutions, accounts, residents leave."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from alerts.plans import default_plan
from api.auth.passwords import hash_password
from core.clock import Clock
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id, site_code
from core.vocabulary import Role
from db.tenant import Transaction

PASSWORD_BYTES = 12


def random_password() -> str:
    """A password of 96 random bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def create_institution(
    tx: Transaction, clock: Clock, *, code: str, name_zh: str, name_en: str = "", timezone: str = "Asia/Shanghai"
) -> UUID:
    """A new institution with its event stream and the default escalation plan. Raises Conflict for a taken code."""
    institution = new_id(clock)
    now = clock.now()
    made = tx.run(
        "admin.insert_institution",
        id=institution,
        code=site_code(code),
        name_zh=name_zh,
        name_en=name_en,
        timezone=timezone,
        phone="",
        address="",
        now=now,
    )
    if not made:
        raise Conflict(f"there is an institution with the code {code} already")
    tx.run("admin.insert_stream", id=institution)
    tx.run("admin.insert_plan", id=new_id(clock), institution=institution, steps=default_plan(), now=now)
    note(tx, clock, institution, "create", "institution", code)
    return institution


def institution_id(tx: Transaction, site: str) -> UUID:
    """The institution of a site code. Raises NotFound with the code."""
    row = tx.first("admin.institution", code=site)
    if row is None:
        raise NotFound(f"there is no institution with the code {site}; see `anhu admin institution list`")
    return UUID(str(row["id"]))


def create_user(
    tx: Transaction,
    clock: Clock,
    *,
    institution: UUID | None,
    username: str,
    password: str,
    role: str,
    name: str,
    on_duty: bool = False,
    phone: str = "",
) -> UUID:
    """A new account. Raises BadInput for an unknown role, Conflict for a taken name."""
    if role not in {r.value for r in Role} - {Role.DEVICE.value}:
        raise BadInput(f"no role {role}; there are: admin, caregiver, family, provider, regulator, platform")
    if institution is None and role not in (Role.REGULATOR, Role.PLATFORM):
        raise BadInput(f"an account with the role {role} belongs to an institution: give its code with --site")
    user = new_id(clock)
    made = tx.run(
        "admin.insert_user",
        id=user,
        institution=institution,
        username=username.lower(),
        password_hash=hash_password(password),
        role=role,
        name=name,
        phone=phone,
        on_duty=on_duty,
        now=clock.now(),
    )
    if not made:
        raise Conflict(f"the user name {username} is taken")
    note(tx, clock, institution, "create", "user", username)
    return user


def create_resident(
    tx: Transaction,
    clock: Clock,
    *,
    institution: UUID,
    name: str,
    sex: str,
    birth_date: date,
    building: str = "",
    floor: str = "",
    room: str = "",
    **more: Any,
) -> UUID:
    """A new resident; `more` may hold address, phone, care_level, conditions, medication, access_notes."""
    resident = new_id(clock)
    facts: dict[str, Any] = {"care_level": None}
    facts |= dict.fromkeys(("address", "phone", "conditions", "medication", "access_notes"), "")
    tx.run(
        "admin.insert_resident",
        id=resident,
        institution=institution,
        name=name,
        sex=sex,
        birth_date=birth_date,
        building=building,
        floor=floor,
        room=room,
        now=clock.now(),
        **(facts | more),
    )
    return resident


def add_contact(
    tx: Transaction,
    clock: Clock,
    *,
    institution: UUID,
    resident: UUID,
    position: int,
    name: str,
    relation: str,
    phone: str = "",
    user: UUID | None = None,
    scopes: Iterable[str] = (),
) -> UUID:
    """A family contact; with an account, also its consents, given by the resident at admission."""
    contact, now = new_id(clock), clock.now()
    tx.run(
        "admin.insert_contact",
        id=contact,
        institution=institution,
        resident=resident,
        position=position,
        name=name,
        relation=relation,
        phone=phone,
        user=user,
        now=now,
    )
    for scope in scopes:
        tx.run(
            "admin.insert_consent",
            id=new_id(clock),
            institution=institution,
            resident=resident,
            user=user,
            scope=scope,
            granted_by="resident",
            now=now,
        )
    return contact


def add_webhook(
    tx: Transaction,
    clock: Clock,
    *,
    institution: UUID,
    target: str,
    secret: str,
    user: UUID | None = None,
    contact: UUID | None = None,
) -> None:
    """A signed webhook as the channel of an account, a contact, or (neither) the duty desk."""
    tx.run(
        "admin.insert_channel",
        id=new_id(clock),
        institution=institution,
        user=user,
        contact=contact,
        target=target,
        secret=secret,
        now=clock.now(),
    )


def note(
    tx: Transaction, clock: Clock, institution: UUID | None, action: str, object_type: str, object_id: str
) -> None:
    """An audit row under the name of the operator's system account."""
    tx.run(
        "admin.audit",
        institution=institution,
        now=clock.now(),
        username=getpass.getuser(),
        action=action,
        object_type=object_type,
        object_id=object_id,
    )
