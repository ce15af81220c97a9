"""Whom a step means: a word, a place and a moment enter; people to page leave, with a note for everybody left out.

Nobody is never the silent answer: either somebody else is meant, or a note says why. Nothing is written here, so that
a preview gives the answer that a page would get.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from alerts.family.quiet import quiet_until
from alerts.rota import duty
from alerts.timeline import Kind
from core.vocabulary import Names
from db.tenant import Transaction

DESK_NAME = "值班台"
RESCUE_NAME = "外部救援"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to page. `key` is stable: `user:<id>`, `contact:<id>`, `desk` or `rescue`.

    scopes: what a contact may be told; None where no consent is needed. quiet_until: the end of a contact's quiet
    hours, which hold back what is not urgent.
    """

    key: str
    name: str
    user_id: UUID | None = None
    contact_id: UUID | None = None
    scopes: frozenset[str] | None = None
    quiet_until: datetime | None = None

    @property
    def has_console(self) -> bool:
        """Whether they see pages in the product itself: accounts and the desk do."""
        return self.key != "rescue" and (self.contact_id is None or self.user_id is not None)


class Note(NamedTuple):
    """What the timeline says beside the pages."""

    kind: Kind
    text: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Whose alert it is, and in which part of the house."""

    institution_id: UUID
    resident_id: UUID | None = None
    building: str = ""
    floor: str = ""


@dataclass(slots=True)
class Found:
    """The answer: who is paged, and what has to be said."""

    recipients: list[Recipient] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def where_of(tx: Transaction, alert: dict[str, Any]) -> Where:
    """The place of an alert: that of its resident; a device by itself has no floor."""
    return place_of(tx, alert["institution_id"], alert["resident_id"])


def place_of(tx: Transaction, institution_id: UUID, resident_id: UUID | None) -> Where:
    """The part of the house in which a resident lives."""
    row = tx.first("escalation.place", resident_id=resident_id) if resident_id else None
    return Where(institution_id, resident_id, row["building"] if row else "", row["floor"] if row else "")


def resolve(tx: Transaction, at: datetime, where: Where, whom: str) -> Found:
    """Whom a word of a plan means at a moment."""
    if whom == "desk":
        return Found([Recipient("desk", DESK_NAME)])
    if whom == "rescue":
        return _rescue(tx, where)
    if whom.startswith("contact:"):
        return _contact(tx, at, where, int(whom.partition(":")[2]))
    if whom == "on_duty":
        return _on_duty(tx, at, where)
    if whom.startswith("user:"):
        rows = tx.all("escalation.one_user", institution_id=where.institution_id, id=UUID(whom.partition(":")[2]))
        if rows:
            return Found(_users(rows))
        return _instead(tx, where, whom, Names("指定人员的账号已停用", "The named account is not active"))
    return _everyone(tx, where)


def _on_duty(tx: Transaction, at: datetime, where: Where) -> Found:
    on_duty = duty.on_duty(tx, where.institution_id, at, where.building, where.floor)
    if not on_duty.people:
        return _instead(tx, where, "on_duty", Names("无人在岗", "Nobody is on duty"))
    found = Found([Recipient(f"user:{one.user_id}", one.name, user_id=one.user_id) for one in on_duty.people])
    if not on_duty.of_floor:
        note = "本楼层无人在岗，改为通知全院在岗人员 / Nobody is on duty on this floor; paging who is in the house"
        data = {"whom": "on_duty", "building": where.building, "floor": where.floor}
        found.notes.append(Note(Kind.NOBODY, note, data))
    return found


def _instead(tx: Transaction, where: Where, whom: str, missing: Names) -> Found:
    """Everyone, since nobody was found, said aloud."""
    note = f"{missing.zh}，改为通知全体人员 / {missing.en}; paging everyone"
    everyone = _everyone(tx, where)
    return Found(everyone.recipients, [Note(Kind.NOBODY, note, {"whom": whom}), *everyone.notes])


def _everyone(tx: Transaction, where: Where) -> Found:
    found = _users(tx.all("escalation.everyone", institution_id=where.institution_id))
    if found:
        return Found(found)
    note = "机构没有可用账号，改为通知值班台 / No active account; paging the duty desk"
    return Found([Recipient("desk", DESK_NAME)], [Note(Kind.NOBODY, note, {"whom": "everyone"})])


def _users(rows: list[dict[str, Any]]) -> list[Recipient]:
    return [Recipient(f"user:{row['id']}", row["name"], user_id=row["id"]) for row in rows]


def _rescue(tx: Transaction, where: Where) -> Found:
    if tx.all("escalation.rescue_channels", institution_id=where.institution_id):
        return Found([Recipient("rescue", RESCUE_NAME)])
    note = "未设置外部救援渠道，改为通知值班台，请拨打120 / No rescue channel is set up; paging the desk, call 120"
    return Found([Recipient("desk", DESK_NAME)], [Note(Kind.NOBODY, note, {"whom": "rescue"})])


def _contact(tx: Transaction, at: datetime, where: Where, position: int) -> Found:
    """A family contact, if there is one, they may be told, and there is a way to reach them."""
    row = None
    if where.resident_id is not None:
        row = tx.first("escalation.contact", resident_id=where.resident_id, position=position)
    if row is None:
        return _skip(position, "no_contact", Names("没有此联系人", "no such contact"))
    why = refused(row)
    if why is not None:
        return _skip(position, "disabled" if row["disabled"] else "no_consent", why)
    one = contact_of(row, at)
    if one.user_id is None and not channels(tx, where.institution_id, one):
        name = row["name"]
        why = Names(f"{name} 没有通知渠道，请致电 {row['phone']}", f"{name} has no channel; call {row['phone']}")
        return _skip(position, "no_channel", why)
    return Found([one])


def refused(row: dict[str, Any]) -> Names | None:
    """Why a contact may not be told of alerts now, or None; a row of `escalation.contact`."""
    name = row["name"]
    if row["disabled"]:
        return Names(f"{name} 的账号已停用", f"the account of {name} is disabled")
    if row["user_id"] is not None and "alerts" not in row["scopes"]:
        return Names(f"{name} 未获老人的报警信息授权", f"{name} has no consent for alerts")
    return None


def contact_of(row: dict[str, Any], at: datetime) -> Recipient:
    """A contact as a recipient; one without an account was named by the resident for alerts, and nothing else."""
    return Recipient(
        f"contact:{row['id']}",
        row["name"],
        user_id=row["user_id"],
        contact_id=row["id"],
        scopes=frozenset(row["scopes"]) if row["user_id"] is not None else frozenset({"alerts"}),
        quiet_until=quiet_until(row["quiet_from"], row["quiet_to"], row["zone"], at),
    )


def _skip(position: int, reason: str, why: Names) -> Found:
    note = f"未通知家属{position}：{why.zh} / Family contact {position} skipped: {why.en}"
    return Found([], [Note(Kind.SKIPPED, note, {"whom": f"contact:{position}", "reason": reason})])


def channels(tx: Transaction, institution_id: UUID, recipient: Recipient) -> list[dict[str, Any]]:
    """A recipient's channels in the order in which they are tried: what rings comes after what is read."""
    if recipient.key == "rescue":
        return tx.all("escalation.rescue_channels", institution_id=institution_id)
    return tx.all(
        "escalation.channels",
        institution_id=institution_id,
        user_id=recipient.user_id,
        contact_id=recipient.contact_id,
    )
